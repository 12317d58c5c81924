//! The present of each run: its own running time, kept while this process works and continued from the stored status by
//! the next one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use netdiag_crds::NodeNetDiagnosis;

use super::{
    Run,
    time::{GRACE_AFTER_RETURN, RunningTime},
};

/// The time, as far as a decision about one diagnosis needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// This machine's clock, in whole seconds as the API keeps them. It is shown, and no deadline is computed from it.
    pub now: Timestamp,
    /// Running seconds of the run.
    pub elapsed: i64,
    /// Running seconds for which this process has seen the run complete.
    pub complete_for: i64,
    /// Nodes that had no part in the run in the last pass, and since which running second of it.
    pub unassigned_since: Arc<BTreeMap<String, i64>>,
}

impl Moment {
    /// Running seconds for which a node has had no part in the run.
    pub fn unassigned_for(&self, node: &str) -> i64 {
        let since = self.unassigned_since.get(node);
        since.map_or(0, |since| self.elapsed.saturating_sub(*since))
    }
}

/// The running time of every run.
#[derive(Debug)]
pub struct Moments {
    time: RunningTime,
    runs: Mutex<HashMap<String, Progress>>,
}

/// The progress of a run. It leaves with its diagnosis.
#[derive(Debug)]
struct Progress {
    uid: Option<String>,
    generation: i64,
    elapsed: i64,
    /// The running time of the process up to which `elapsed` counts.
    counted_to: i64,
    complete_since: Option<i64>,
    unassigned_since: Arc<BTreeMap<String, i64>>,
    /// Reports that were looked at before their node was blamed, by node: the version that was found.
    looked_at: BTreeMap<String, Option<String>>,
}

impl Moments {
    /// No run is known yet.
    pub fn new(time: RunningTime) -> Self {
        Self {
            time,
            runs: Mutex::default(),
        }
    }

    /// The present of this diagnosis' run.
    pub fn of(&self, diagnosis: &NodeNetDiagnosis) -> Moment {
        self.at(diagnosis, Timestamp::now(), self.time.seconds())
    }

    /// The same when the clock shows `now` and this process has run for `seconds`.
    pub fn at(&self, diagnosis: &NodeNetDiagnosis, now: Timestamp, seconds: i64) -> Moment {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let run = Run::of(diagnosis, now, 0);
        let is_stored = Run::stored(diagnosis).is_some();
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = runs
            .entry(diagnosis.name_any())
            .and_modify(|progress| progress.advance(&run, seconds))
            .or_insert_with(|| Progress::first_seen(diagnosis, &run, is_stored, seconds));
        if progress.generation != run.generation || progress.uid != diagnosis.metadata.uid {
            *progress = Progress::first_seen(diagnosis, &run, is_stored, seconds);
        }
        let complete_since = progress.complete_since.unwrap_or(seconds);
        Moment {
            now,
            elapsed: progress.elapsed,
            complete_for: seconds.saturating_sub(complete_since),
            unassigned_since: Arc::clone(&progress.unassigned_since),
        }
    }

    /// Remembers which nodes have no part in the run, each since when it was first seen so.
    pub fn unassigned(&self, diagnosis: &NodeNetDiagnosis, moment: &Moment, nodes: Vec<String>) {
        let since = nodes.into_iter().map(|node| {
            let known = moment.unassigned_since.get(&node);
            let since = known.copied().unwrap_or(moment.elapsed);
            (node, since)
        });
        let since: BTreeMap<String, i64> = since.collect();
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = runs.get_mut(&diagnosis.name_any())
            && *progress.unassigned_since != since
        {
            progress.unassigned_since = Arc::new(since);
        }
    }

    /// Those of these reports, by node and version, that were not looked at yet. The others need not be remembered.
    pub fn not_looked_at(
        &self,
        diagnosis: &NodeNetDiagnosis,
        reports: Vec<(String, Option<String>)>,
    ) -> Vec<(String, Option<String>)> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(progress) = runs.get_mut(&diagnosis.name_any()) else {
            return reports;
        };
        let (known, new) = reports
            .into_iter()
            .partition(|(node, version)| progress.looked_at.get(node) == Some(version));
        progress.looked_at = BTreeMap::from_iter::<Vec<_>>(known);
        new
    }

    /// Remembers that a report was looked at, and is of this version.
    pub fn looked_at(&self, diagnosis: &NodeNetDiagnosis, node: String, version: Option<String>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = runs.get_mut(&diagnosis.name_any()) {
            progress.looked_at.insert(node, version);
        }
    }

    /// The diagnosis of this name is gone.
    pub fn forget(&self, name: &str) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(name);
    }
}

impl Progress {
    fn first_seen(diagnosis: &NodeNetDiagnosis, run: &Run, is_stored: bool, seconds: i64) -> Self {
        // A run that is known already was another process'. Nobody was at work in between, so agents get time.
        let grace = i64::try_from(GRACE_AFTER_RETURN.as_secs()).unwrap_or_default();
        let stored = diagnosis.status.as_ref().filter(|_| is_stored);
        // A release that counted no running time has left its clock's times.
        let took = run.completion.zip(run.start);
        let took = took.map_or(0, |(end, start)| end.as_second() - start.as_second());
        Self {
            uid: diagnosis.metadata.uid.clone(),
            generation: run.generation,
            elapsed: stored
                .and_then(|status| status.elapsed_seconds)
                .unwrap_or(took),
            counted_to: if is_stored {
                seconds.saturating_add(grace)
            } else {
                seconds
            },
            complete_since: run.completion.map(|_| seconds),
            unassigned_since: Arc::default(),
            looked_at: BTreeMap::new(),
        }
    }

    fn advance(&mut self, run: &Run, seconds: i64) {
        let runs = run.start.is_some() && !run.suspended && run.completion.is_none();
        let passed = seconds.saturating_sub(self.counted_to).max(0);
        if runs {
            self.elapsed = self.elapsed.saturating_add(passed);
        }
        self.counted_to = self.counted_to.max(seconds);
        self.complete_since = run
            .completion
            .map(|_| self.complete_since.unwrap_or(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn moments() -> Moments {
        Moments::new(RunningTime::start())
    }

    fn at(moments: &Moments, diagnosis: &NodeNetDiagnosis, seconds: i64) -> Moment {
        moments.at(diagnosis, testing::at(seconds), seconds)
    }

    #[test]
    fn a_run_that_begins_here_counts_at_once_and_not_while_it_is_suspended() {
        let moments = moments();
        let mut diagnosis = testing::diagnosis();
        assert_eq!(at(&moments, &diagnosis, 500).elapsed, 0);
        testing::step(&mut diagnosis, &[testing::node("a")], &[], 0);
        assert_eq!(at(&moments, &diagnosis, 510).elapsed, 10);
        diagnosis.spec.suspend = true;
        assert_eq!(at(&moments, &diagnosis, 900).elapsed, 10);
        diagnosis.spec.suspend = false;
        assert_eq!(at(&moments, &diagnosis, 905).elapsed, 15);
        diagnosis.metadata.uid = Some("made anew".into());
        assert_eq!(at(&moments, &diagnosis, 906).elapsed, 0);
    }

    #[test]
    fn the_next_process_goes_on_from_what_is_stored_after_a_grace() {
        let mut diagnosis = testing::started_diagnosis();
        let status = diagnosis.status.as_mut().expect("it has started");
        status.elapsed_seconds = Some(90);
        let moments = moments();
        assert_eq!(at(&moments, &diagnosis, 2).elapsed, 90);
        assert_eq!(at(&moments, &diagnosis, 62).elapsed, 90);
        assert_eq!(at(&moments, &diagnosis, 65).elapsed, 93);
        diagnosis.spec.rerun = Some("again".into());
        diagnosis.metadata.generation = Some(2);
        assert_eq!(at(&moments, &diagnosis, 66).elapsed, 0, "a new run");
    }

    #[test]
    fn a_complete_run_is_as_old_as_this_process_has_seen_it() {
        let mut diagnosis = testing::started_diagnosis();
        let status = diagnosis.status.as_mut().expect("it has started");
        status.elapsed_seconds = Some(40);
        status.completion_time = status.start_time.clone();
        let moments = moments();
        assert_eq!(at(&moments, &diagnosis, 100).complete_for, 0);
        let later = at(&moments, &diagnosis, 160);
        assert_eq!((later.complete_for, later.elapsed), (60, 40));
    }

    #[test]
    fn each_node_without_a_part_counts_from_when_it_was_first_seen_so() {
        let diagnosis = testing::started_diagnosis();
        let moments = moments();
        let pass = |second: i64, nodes: &[&str]| {
            let moment = at(&moments, &diagnosis, second);
            let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
            moments.unassigned(&diagnosis, &moment, nodes);
            let after = at(&moments, &diagnosis, second);
            (after.unassigned_for("a"), after.unassigned_for("b"))
        };
        // The grace of a run that another process began ends at 60.
        assert_eq!(pass(0, &[]), (0, 0));
        assert_eq!(pass(60, &["a"]), (0, 0));
        assert_eq!(pass(100, &["a", "b"]), (40, 0));
        assert_eq!(pass(110, &["b"]), (0, 10));
        assert_eq!(pass(120, &["a", "b"]), (0, 20));
    }
}
