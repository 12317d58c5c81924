//! The time of the next look, and of the next write.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A look at every object though nothing seems to have changed, in case a watch has missed something.
pub const RESYNC: Duration = Duration::from_mins(10);

/// Time for a watch to bring what was refused as outdated; its arrival wakes the object earlier.
pub const LAG: Duration = Duration::from_secs(1);

/// The wait until a deadline that is so many running seconds away, never so short that passes follow each other without
/// a pause.
pub fn after(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(1).unsigned_abs()).min(RESYNC)
}

/// Bytes of one diagnosis' status that are written in a second: each watcher gets the whole of it with each change.
const BYTES_A_SECOND: usize = 100 * 1024;
/// The shortest pause after a write.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// The factor of the pause where only numbers and words have changed.
const FOR_NUMBERS: u32 = 10;
/// Passes over one diagnosis take at most one part in so many of a processor.
const SHARE: u32 = 5;

/// The pauses between passes over each diagnosis, and between its writes. They leave when the diagnosis is gone.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<String, Pace>>);

#[derive(Debug, Default)]
struct Pace {
    look: Option<Instant>,
    /// The last write, and the pause after it.
    written: Option<(Instant, Duration)>,
}

impl Paces {
    /// The time until the next pass, whatever has changed.
    pub fn wait(&self, name: &str) -> Option<Duration> {
        self.with(name, |pace| {
            let written = pace.written.map(|(at, pause)| at + pause);
            left(pace.look.max(written)?)
        })
    }

    /// The time until numbers and words may be written that are all that has changed.
    pub fn wait_for_numbers(&self, name: &str) -> Option<Duration> {
        self.with(name, |pace| {
            let (at, pause) = pace.written?;
            left(at + pause * FOR_NUMBERS)
        })
    }

    /// A pass has decided, and taken so long for it.
    pub fn looked(&self, name: &str, took: Duration) {
        self.with(name, |pace| pace.look = Some(Instant::now() + took * SHARE));
    }

    /// A status of so many bytes was written.
    pub fn wrote(&self, name: &str, bytes: usize) {
        self.with(name, |pace| {
            pace.written = Some((Instant::now(), pause(bytes)));
        });
    }

    /// The diagnosis of this name is gone.
    pub fn forget(&self, name: &str) {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paces.remove(name);
    }

    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Pace) -> T) -> T {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(paces.entry(name.to_owned()).or_default())
    }
}

fn pause(bytes: usize) -> Duration {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let a_second = u32::try_from(BYTES_A_SECOND).unwrap_or(u32::MAX);
    LEAST_PAUSE.max(Duration::from_secs(1) * bytes / a_second)
}

fn left(until: Instant) -> Option<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    (left > Duration::ZERO).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_status_is_written_seldom_and_for_its_numbers_still_more_so() {
        assert_eq!(pause(2_000), LEAST_PAUSE);
        assert_eq!(pause(300 * 1024), Duration::from_secs(3));
        let paces = Paces::default();
        assert_eq!((paces.wait("d"), paces.wait_for_numbers("d")), (None, None));
        paces.wrote("d", 1024 * 1024);
        let (any, numbers) = (paces.wait("d"), paces.wait_for_numbers("d"));
        assert!(any > Some(Duration::from_secs(5)), "{any:?}");
        assert!(numbers > Some(Duration::from_secs(60)), "{numbers:?}");
        assert_eq!(paces.wait("another"), None);
        paces.forget("d");
        assert_eq!(paces.wait("d"), None);
    }

    #[test]
    fn a_pass_that_takes_long_is_not_made_again_at_once() {
        let paces = Paces::default();
        paces.looked("d", Duration::from_secs(4));
        assert!(paces.wait("d") > Some(Duration::from_secs(10)));
        assert_eq!(paces.wait_for_numbers("d"), None);
    }

    #[test]
    fn a_deadline_that_has_passed_is_no_reason_to_spin() {
        assert_eq!(after(60), Duration::from_secs(60));
        assert_eq!(after(-5), Duration::from_secs(1));
        assert_eq!(after(i64::MAX), RESYNC);
    }
}
