//! The health of the program: does it live, and can it do its work.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The answers of `/healthz` and `/readyz`. Clones share them.
///
/// - **Alive**: each loop that was registered came round within its limit. Where one did not, a restart helps.
/// - **Ready**: nothing that the work depends on is missing. A restart would not help.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    loops: BTreeMap<&'static str, Beat>,
    missing: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug)]
struct Beat {
    last: Instant,
    limit: Duration,
}

/// A loop that tells that it still goes round. Dropped, it is no longer watched.
#[derive(Debug)]
pub struct Pulse {
    health: Health,
    name: &'static str,
}

impl Health {
    /// Watches a loop that comes round at least once in `limit`.
    pub fn watch(&self, name: &'static str, limit: Duration) -> Pulse {
        let beat = Beat {
            last: Instant::now(),
            limit,
        };
        self.with(|state| state.loops.insert(name, beat));
        Pulse {
            health: self.clone(),
            name,
        }
    }

    /// Notes that something which the work depends on is missing, with the reason for people. Everybody may read it, so
    /// it is no text from outside: an error, which may hold addresses, belongs into the log.
    pub fn lacks(&self, what: &'static str, reason: &'static str) {
        self.with(|state| state.missing.insert(what, reason));
    }

    /// It is there again.
    pub fn has(&self, what: &'static str) {
        self.with(|state| state.missing.remove(what));
    }

    /// One line for each loop that hangs; none when the program lives.
    pub fn hanging(&self) -> Vec<String> {
        self.with(|state| {
            let hangs = |(name, beat): (&&str, &Beat)| {
                let since = beat.last.elapsed();
                (since > beat.limit).then(|| {
                    format!(
                        "{name} last came round {} s ago, its limit is {} s",
                        since.as_secs(),
                        beat.limit.as_secs()
                    )
                })
            };
            state.loops.iter().filter_map(hangs).collect()
        })
    }

    /// One line for each thing that is missing; none when the program is ready.
    pub fn missing(&self) -> Vec<String> {
        self.with(|state| {
            let line = |(what, reason): (&&str, &&str)| format!("{what}: {reason}");
            state.missing.iter().map(line).collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pulse {
    /// The loop came round.
    pub fn beat(&self) {
        self.health.with(|state| {
            if let Some(beat) = state.loops.get_mut(self.name) {
                beat.last = Instant::now();
            }
        });
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.health.with(|state| state.loops.remove(self.name));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_loop_that_stops_beating_hangs_and_recovers_with_its_next_beat() {
        let health = Health::default();
        let pulse = health.watch("windows", Duration::from_millis(20));
        assert!(health.hanging().is_empty());
        thread::sleep(Duration::from_millis(40));
        let hanging = health.hanging();
        assert!(
            hanging[0].starts_with("windows last came round"),
            "{hanging:?}"
        );
        pulse.beat();
        assert!(health.hanging().is_empty());
        thread::sleep(Duration::from_millis(40));
        drop(pulse);
        assert!(
            health.hanging().is_empty(),
            "nobody waits for a loop that has ended"
        );
    }

    #[test]
    fn what_is_missing_is_told_until_it_is_there() {
        let health = Health::default();
        health.lacks("caches", "the API server has not answered yet");
        assert_eq!(
            health.missing(),
            ["caches: the API server has not answered yet"]
        );
        assert!(health.hanging().is_empty(), "a restart would not help");
        health.has("caches");
        assert!(health.missing().is_empty());
    }
}
