//! Whether the assignments are watched, for `/readyz`.

use std::time::{Duration, Instant};

use kube::runtime::watcher;
use netdiag_telemetry::health::Health;

use crate::causes::causes;

/// What the work depends on, in the words of `/readyz`.
const ASSIGNMENTS: &str = "assignments";
/// A watch that fails says so at least this often: kube's backoff waits for up to a minute, and
/// its client 30 s for a connection.
const FAILS_WITHIN: Duration = Duration::from_secs(120);

/// What is known of the watch.
pub struct Watched {
    health: Health,
    /// When it last failed with its list read, so that it goes on from there.
    failed: Option<Instant>,
}

impl Watched {
    /// Nothing has been read yet.
    pub fn new(health: Health) -> Self {
        health.lacks(ASSIGNMENTS, "the API server has not listed them yet");
        Self {
            health,
            failed: None,
        }
    }

    /// The list that a watch begins with was read.
    pub fn listed(&mut self) {
        self.failed = None;
        self.health.has(ASSIGNMENTS);
    }

    /// The watch was interrupted; it begins anew by itself.
    pub fn failed(&mut self, error: &watcher::Error, now: Instant) {
        self.health.lacks(ASSIGNMENTS, causes(error));
        // Whoever must list first will say when he has.
        let begins_anew = matches!(error, watcher::Error::InitialListFailed(_));
        self.failed = (!begins_anew).then_some(now);
    }

    /// A watch that goes on where it was does not say so, and may have nothing else to say for hours: it has recovered
    /// when it fails no more.
    pub fn check(&mut self, now: Instant) {
        if self
            .failed
            .is_some_and(|failed| now.saturating_duration_since(failed) >= FAILS_WITHIN)
        {
            self.listed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> kube::Error {
        kube::Error::Service(std::io::Error::other("connection refused").into())
    }

    #[test]
    fn a_watch_that_goes_on_where_it_was_is_well_again_when_it_fails_no_more() {
        let health = Health::default();
        let mut watched = Watched::new(health.clone());
        let began = Instant::now();
        watched.listed();
        for seconds in [0, 60] {
            let error = watcher::Error::WatchStartFailed(refused());
            watched.failed(&error, began + Duration::from_secs(seconds));
        }
        watched.check(began + Duration::from_secs(130));
        assert!(health.missing()[0].contains("connection refused"));
        watched.check(began + Duration::from_secs(180));
        assert!(health.missing().is_empty());
    }

    #[test]
    fn a_list_that_was_never_read_is_missing_however_long_it_takes() {
        let health = Health::default();
        let mut watched = Watched::new(health.clone());
        let began = Instant::now();
        watched.failed(&watcher::Error::InitialListFailed(refused()), began);
        watched.check(began + Duration::from_secs(3600));
        assert_eq!(health.missing().len(), 1);
        watched.listed();
        assert!(health.missing().is_empty());
    }
}
