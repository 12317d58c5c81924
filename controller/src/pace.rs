//! When to look again.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// A look at every object though nothing seems to have changed, in case a watch has missed something.
pub const RESYNC: Duration = Duration::from_mins(10);

/// Time for a watch to bring what was refused as outdated; its arrival wakes the object earlier.
pub const LAG: Duration = Duration::from_secs(1);

/// The wait until a deadline, never so short that passes follow each other without a pause.
pub fn until(deadline: Timestamp, now: Timestamp) -> Duration {
    /// Deadlines have whole seconds; this lands just behind one.
    const SLACK: Duration = Duration::from_millis(50);
    let wait = deadline.duration_since(now);
    Duration::try_from(wait).unwrap_or_default() + SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_is_no_reason_to_spin() {
        let now = Timestamp::UNIX_EPOCH;
        let later = Timestamp::from_second(60).expect("a valid time");
        assert_eq!(until(later, now), Duration::from_millis(60_050));
        assert_eq!(until(now, later), Duration::from_millis(50));
    }
}
