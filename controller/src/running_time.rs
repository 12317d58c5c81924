//! Running time: what deadlines are counted in, instead of clocks.
//!
//! It runs while the API server answers this process. It stops when there is no answer, and for a while after the
//! return, so that agents can deliver what they could not write meanwhile. A clock that is wrong or jumps has no effect.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Without an answer for longer than this, the API server counts as away.
const LONGEST_GAP: Duration = Duration::from_secs(15);
/// Time after a return that does not count. Agents retry a write after 30 s at the latest, and their watches as well.
pub const GRACE_AFTER_RETURN: Duration = Duration::from_secs(60);

/// The running time of this process. Clones share it.
#[derive(Clone, Debug)]
pub struct RunningTime(Arc<Mutex<Counter>>);

impl RunningTime {
    /// No time has run yet.
    pub fn start() -> Self {
        Self(Arc::new(Mutex::new(Counter::new(Instant::now()))))
    }

    /// The API server answered from its storage.
    pub fn answered(&self) {
        self.with(|counter| counter.answered(Instant::now()));
    }

    /// A watch was interrupted: what happened meanwhile is not known yet.
    pub fn interrupted(&self) {
        self.with(|counter| counter.hold(Instant::now()));
    }

    /// Seconds so far.
    pub fn seconds(&self) -> i64 {
        let counted = self.with(|counter| counter.counted);
        i64::try_from(counted.as_secs()).unwrap_or(i64::MAX)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Counter) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct Counter {
    counted: Duration,
    /// The last answer. Time counts up to it, because only the next one tells whether the API server was there.
    answered: Instant,
    /// No time counts before.
    held_until: Instant,
}

impl Counter {
    fn new(now: Instant) -> Self {
        Self {
            counted: Duration::ZERO,
            answered: now,
            held_until: now,
        }
    }

    fn answered(&mut self, now: Instant) {
        if now.saturating_duration_since(self.answered) > LONGEST_GAP {
            self.hold(now);
        } else {
            let from = self.answered.max(self.held_until);
            self.counted += now.saturating_duration_since(from);
        }
        self.answered = now;
    }

    fn hold(&mut self, now: Instant) {
        self.held_until = now + GRACE_AFTER_RETURN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds counted after an answer at each of these.
    fn counted(answers: impl IntoIterator<Item = u64>) -> u64 {
        let start = Instant::now();
        let mut counter = Counter::new(start);
        for second in answers {
            counter.answered(start + Duration::from_secs(second));
        }
        counter.counted.as_secs()
    }

    #[test]
    fn time_runs_while_the_api_server_answers() {
        assert_eq!(counted((0..=100).step_by(2)), 100);
        assert_eq!(counted([0, 15, 30]), 30);
    }

    #[test]
    fn it_stands_while_the_api_server_is_away_and_for_a_minute_after() {
        let with_outage = |back: u64, end: u64| counted((0..=50).chain(back..=end));
        assert_eq!(with_outage(110, 110), 50);
        assert_eq!(with_outage(110, 170), 50);
        assert_eq!(with_outage(110, 180), 60);
    }

    #[test]
    fn after_an_interrupted_watch_it_stands_for_a_minute() {
        let start = Instant::now();
        let mut counter = Counter::new(start);
        counter.hold(start + Duration::from_secs(3));
        for second in 0..=70 {
            counter.answered(start + Duration::from_secs(second));
        }
        assert_eq!(counter.counted.as_secs(), 7);
    }
}
