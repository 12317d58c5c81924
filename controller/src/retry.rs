//! The time to wait after a failure, per object.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The first wait; doubled with each further failure of the same object.
const FIRST: Duration = Duration::from_secs(1);
/// Never longer: what a person fixes should be noticed within minutes.
const LONGEST: Duration = Duration::from_mins(5);
/// Doublings after which the longest wait is reached; the counter stops there.
const MOST_DOUBLINGS: u32 = 9;

/// Failures in a row of each object, by name. An object leaves with its next success or when it is gone, so the map
/// holds no more than what fails now.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<String, Failure>>);

#[derive(Debug, Default)]
struct Failure {
    /// In a row.
    count: u32,
    /// The API server wants no attempt before.
    not_before: Option<Instant>,
}

impl Failures {
    /// Notes a failure; says how long to wait before the next attempt, no shorter than what the API server has `asked`.
    pub fn failed(&self, name: String, asked: Option<Duration>) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = failures.entry(name).or_default();
        let wait = FIRST.saturating_mul(1 << failure.count).min(LONGEST);
        failure.count = (failure.count + 1).min(MOST_DOUBLINGS);
        failure.not_before = asked.map(|asked| Instant::now() + asked);
        asked.map_or(wait, |asked| asked.max(wait))
    }

    /// The time for which the API server still wants no attempt, whatever has changed meanwhile.
    pub fn wait(&self, name: &str) -> Option<Duration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let not_before = failures.get(name)?.not_before?;
        let wait = not_before.saturating_duration_since(Instant::now());
        (wait > Duration::ZERO).then_some(wait)
    }

    /// Notes a success, or that the object is gone.
    pub fn forget(&self, name: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let failures = Failures::default();
        let waits: Vec<u64> = (0..12)
            .map(|_| failures.failed("a".to_owned(), None).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn what_the_api_server_asks_for_is_the_least_wait() {
        let failures = Failures::default();
        let failed = |asked| failures.failed("a".to_owned(), Some(Duration::from_secs(asked)));
        assert_eq!([failed(7), failed(1)].map(|wait| wait.as_secs()), [7, 2]);
        let wait = failures.wait("a");
        assert!(wait <= Some(Duration::from_secs(1)), "{wait:?}");
        failed(60);
        assert!(failures.wait("a") > Some(Duration::from_secs(30)));
        failures.failed("a".to_owned(), None);
        assert_eq!(failures.wait("a"), None, "nobody has asked for it");
    }

    #[test]
    fn a_success_starts_over_and_objects_do_not_share() {
        let failures = Failures::default();
        failures.failed("a".to_owned(), None);
        failures.failed("a".to_owned(), None);
        assert_eq!(failures.failed("b".to_owned(), None).as_secs(), 1);
        failures.forget("a");
        assert_eq!(failures.failed("a".to_owned(), None).as_secs(), 1);
    }
}
