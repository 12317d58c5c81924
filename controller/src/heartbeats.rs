//! Since when each node's agent has written nothing, in running time of this process: the API server's stamp tells that
//! a write is a new one, and is not compared with any clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use netdiag_crds::NodeNetReport;

use crate::{run::time::RunningTime, stored_report::heartbeat};

/// The last write of every agent. Clones share it.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    time: RunningTime,
    last: Arc<Mutex<HashMap<String, Heard>>>,
}

#[derive(Debug)]
struct Heard {
    stamp: Option<Timestamp>,
    at: i64,
}

impl Heartbeats {
    /// Nothing was heard yet.
    pub fn new(time: RunningTime) -> Self {
        Self {
            time,
            last: Arc::default(),
        }
    }

    /// Takes in a report as it is now. Returns the running seconds of the silence that ends with it, 0 where nothing new
    /// was written.
    pub fn note(&self, report: &NodeNetReport) -> i64 {
        self.note_at(report, self.time.seconds())
    }

    fn note_at(&self, report: &NodeNetReport, at: i64) -> i64 {
        let stamp = heartbeat(report);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = last.entry(report.name_any()).or_insert(Heard { stamp, at });
        if heard.stamp == stamp {
            return 0;
        }
        let silence = at.saturating_sub(heard.at);
        *heard = Heard { stamp, at };
        silence
    }

    /// The report of this name is gone.
    pub fn forget(&self, name: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.remove(name);
    }

    /// Running seconds since each agent's last write, by node.
    pub fn silences(&self) -> HashMap<String, i64> {
        let now = self.time.seconds();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter()
            .map(|(name, heard)| (name.clone(), now.saturating_sub(heard.at)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ReportBuilder;

    #[test]
    fn a_write_counts_from_when_it_was_seen_whatever_its_stamp_says() {
        let heartbeats = Heartbeats::new(RunningTime::start());
        let written = |seconds| ReportBuilder::new("a").written(seconds).build();
        let heard_at = || heartbeats.last.lock().expect("no panic")["a"].at;
        assert_eq!(heartbeats.note_at(&written(7_000), 100), 0);
        assert_eq!(heartbeats.note_at(&written(7_000), 200), 0);
        assert_eq!(heard_at(), 100);
        // The API server's clock was set back.
        assert_eq!(heartbeats.note_at(&written(10), 300), 200);
        assert_eq!(heard_at(), 300);
        heartbeats.forget("a");
        assert!(heartbeats.silences().is_empty());
    }
}
