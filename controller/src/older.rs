//! Writes to an API server whose CRDs are older than this program: the fields that they lack are left out.

use std::{
    fmt::Debug,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::{
    Api,
    api::{Patch, PatchParams},
};
use netdiag_client::Undeclared;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::warn;

use crate::run::time::RunningTime;

/// The most running seconds until everything is tried again: the CRDs may have been updated.
const RETRY: i64 = 300;
/// Those of the first time, doubled each time: programs and CRDs are often updated together.
const FIRST_RETRY: i64 = 20;
/// Writes after which a schema that lacks ever more fields is given up. One write learns what one
/// object of the schema lacks.
const MOST_ATTEMPTS: usize = 32;

/// The fields that the CRD of one kind lacks, as far as writes were refused for them.
#[derive(Debug)]
pub struct OlderSchema {
    time: RunningTime,
    lacking: Mutex<Option<Lacking>>,
}

/// The part of an object that a write is about.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Everything except its status.
    Whole,
    /// Its status.
    Status,
}

#[derive(Clone, Debug)]
struct Lacking {
    fields: Undeclared,
    /// The last wait.
    pause: i64,
    /// The running second at which everything is tried again.
    full_at: i64,
}

impl OlderSchema {
    /// Nothing is known to lack.
    pub fn new(time: RunningTime) -> Self {
        Self {
            time,
            lacking: Mutex::default(),
        }
    }

    /// The fields to leave out now: none where the CRD has all, or where it is time to try again.
    pub fn lacking(&self) -> Undeclared {
        let lacking = self.locked().clone();
        let now = self.time.seconds();
        let lacking = lacking.filter(|lacking| now < lacking.full_at);
        lacking.map_or_else(Undeclared::default, |lacking| lacking.fields)
    }

    /// Running seconds until everything is to be tried again; `None` where nothing is left out.
    pub fn retry(&self) -> Option<i64> {
        let lacking = self.locked();
        let full_at = lacking.as_ref()?.full_at;
        Some(full_at.saturating_sub(self.time.seconds()))
    }

    /// Applies `body` to the object `name`, without the fields that the CRD lacks and as `shape` leaves it then.
    ///
    /// # Errors
    /// The refusal, when it names no such field.
    pub async fn apply<K: Clone + DeserializeOwned + Debug>(
        &self,
        api: &Api<K>,
        part: Part,
        (name, manager): (&str, &str),
        body: &Value,
        shape: impl Fn(&Undeclared, &mut Value),
    ) -> Result<(), kube::Error> {
        let params = PatchParams::apply(manager).force();
        let mut lacking = self.lacking();
        let mut attempts = 0;
        loop {
            let mut shaped = body.clone();
            lacking.take_from(&mut shaped);
            shape(&lacking, &mut shaped);
            let patch = Patch::Apply(&shaped);
            let written = match part {
                Part::Whole => api.patch(name, &params, &patch).await,
                Part::Status => api.patch_status(name, &params, &patch).await,
            };
            let Err(refused) = written else {
                break;
            };
            attempts += 1;
            let named = match &refused {
                kube::Error::Api(answer) => Undeclared::of(answer),
                _ => Undeclared::default(),
            };
            if !lacking.add(named) || attempts == MOST_ATTEMPTS {
                return Err(refused);
            }
        }
        self.learned(name, lacking, attempts > 0);
        Ok(())
    }

    fn learned(&self, name: &str, fields: Undeclared, is_news: bool) {
        let mut known = self.locked();
        if fields.is_empty() {
            *known = None;
        } else if is_news {
            warn!(
                object = name,
                %fields,
                version = env!("CARGO_PKG_VERSION"),
                "The CRD of the API server lacks fields of this controller, which are left out; apply the CRDs of its version"
            );
            let now = self.time.seconds();
            // Fields may come to light one by one: only what was tried in full makes the next wait longer.
            let (pause, full_at) = match &*known {
                Some(known) if now < known.full_at => (known.pause, known.full_at),
                Some(known) => {
                    let pause = known.pause.saturating_mul(2).min(RETRY);
                    (pause, now.saturating_add(pause))
                }
                None => (FIRST_RETRY, now.saturating_add(FIRST_RETRY)),
            };
            *known = Some(Lacking {
                fields,
                pause,
                full_at,
            });
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Lacking>> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
