//! The state of the watch on the assignments, for `/readyz`.

use netdiag_client::watch::Error;
use netdiag_telemetry::health::Health;

/// The name of the resource that the work depends on, in the words of `/readyz`.
const ASSIGNMENTS: &str = "assignments";

/// The known state of the watch.
pub(super) struct Watched {
    health: Health,
}

impl Watched {
    /// Nothing has been read yet.
    pub(super) fn new(health: Health) -> Self {
        health.lacks(ASSIGNMENTS, "the API server has not listed them yet");
        Self { health }
    }

    /// The API server serves the watch.
    pub(super) fn served(&self) {
        self.health.has(ASSIGNMENTS);
    }

    /// The watch was interrupted; it begins anew by itself.
    pub(super) fn interrupted(&self, error: &Error) {
        let reason = match error {
            Error::Silent(_) => "the API server has sent neither event nor bookmark for a while",
            _ => "the API server does not serve them; the log says why",
        };
        self.health.lacks(ASSIGNMENTS, reason);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn assignments_are_missing_from_an_interruption_until_the_watch_is_served() {
        let health = Health::default();
        let watched = Watched::new(health.clone());
        assert_eq!(health.missing().len(), 1);
        watched.served();
        assert!(health.missing().is_empty());
        watched.interrupted(&Error::Silent(Duration::from_secs(75)));
        assert!(health.missing()[0].contains("neither event nor bookmark"));
        watched.served();
        assert!(health.missing().is_empty());
    }
}
