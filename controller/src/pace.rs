//! The time of the next look.

use std::time::Duration;

/// A look at every object though nothing seems to have changed, in case a watch has missed something.
pub const RESYNC: Duration = Duration::from_mins(10);

/// Time for a watch to bring what was refused as outdated; its arrival wakes the object earlier.
pub const LAG: Duration = Duration::from_secs(1);

/// The wait until a deadline that is so many running seconds away, never so short that passes follow each other without
/// a pause.
pub fn after(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(1).unsigned_abs()).min(RESYNC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_is_no_reason_to_spin() {
        assert_eq!(after(60), Duration::from_secs(60));
        assert_eq!(after(-5), Duration::from_secs(1));
        assert_eq!(after(i64::MAX), RESYNC);
    }
}
