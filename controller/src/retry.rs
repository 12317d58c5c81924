//! How long to wait after a failure, per object.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The first wait; doubled with each further failure of the same object.
const FIRST: Duration = Duration::from_secs(1);
/// Never longer: what a person mends should be noticed within minutes.
const LONGEST: Duration = Duration::from_mins(5);
/// Doublings after which the longest wait is reached; the counter stops there.
const MOST_DOUBLINGS: u32 = 9;

/// Failures in a row of each object, by name. An object leaves with its next success or when it is gone, so the map
/// holds no more than what fails now.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// Notes a failure; says how long to wait before the next attempt.
    pub fn failed(&self, name: String) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(name).or_insert(0);
        let wait = FIRST.saturating_mul(1 << *count).min(LONGEST);
        *count = (*count + 1).min(MOST_DOUBLINGS);
        wait
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
            .map(|_| failures.failed("a".to_owned()).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn a_success_starts_over_and_objects_do_not_share() {
        let failures = Failures::default();
        failures.failed("a".to_owned());
        failures.failed("a".to_owned());
        assert_eq!(failures.failed("b".to_owned()).as_secs(), 1);
        failures.forget("a");
        assert_eq!(failures.failed("a".to_owned()).as_secs(), 1);
    }
}
