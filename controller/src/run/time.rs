//! Running time: what deadlines are counted in, instead of clocks.
//!
//! It runs while the API server answers this process and its watches are served. It stands while there is no answer,
//! and for a while after the return, so that agents can deliver what they could not write meanwhile. A clock that is
//! wrong or jumps has no effect.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Without an answer for longer than this, the API server counts as away.
const LONGEST_GAP: Duration = Duration::from_secs(15);
/// Time after a return that does not count. Agents retry a write after 30 s at the latest, and their watches as well.
pub const GRACE_AFTER_RETURN: Duration = Duration::from_secs(60);
/// Time for what has happened meanwhile to come through a watch that is served again.
const CATCHING_UP: Duration = Duration::from_secs(5);

/// The running time of this process. Clones share it.
#[derive(Clone, Debug)]
pub struct RunningTime(Arc<Mutex<Counter>>);

impl RunningTime {
    /// No time has run yet.
    pub fn start() -> Self {
        Self::start_at(Instant::now())
    }

    /// The same when it is `now`.
    pub fn start_at(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Counter::new(now))))
    }

    /// The API server answered from its storage.
    pub fn answered(&self) {
        self.answered_at(Instant::now());
    }

    /// The same when it is `now`.
    pub fn answered_at(&self, now: Instant) {
        self.with(|counter| counter.answered(now));
    }

    /// A watch was interrupted: what happens from now on is not known.
    pub fn interrupted(&self, watch: &'static str) {
        self.with(|counter| counter.interrupted.insert(watch));
    }

    /// A watch is served.
    pub fn served(&self, watch: &'static str) {
        self.served_at(watch, Instant::now());
    }

    /// The same when it is `now`.
    pub fn served_at(&self, watch: &'static str, now: Instant) {
        self.with(|counter| counter.served(watch, now));
    }

    /// Lets time pass.
    #[cfg(test)]
    pub fn skip(&self, seconds: u64) {
        self.with(|counter| counter.counted += Duration::from_secs(seconds));
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
    /// No time counts while there are any.
    interrupted: BTreeSet<&'static str>,
}

impl Counter {
    fn new(now: Instant) -> Self {
        Self {
            counted: Duration::ZERO,
            answered: now,
            held_until: now,
            interrupted: BTreeSet::new(),
        }
    }

    fn answered(&mut self, now: Instant) {
        if now.saturating_duration_since(self.answered) > LONGEST_GAP {
            self.hold(now + GRACE_AFTER_RETURN);
        } else if self.interrupted.is_empty() {
            let from = self.answered.max(self.held_until);
            self.counted += now.saturating_duration_since(from);
        }
        self.answered = now;
    }

    fn served(&mut self, watch: &'static str, now: Instant) {
        if self.interrupted.remove(watch) {
            self.hold(now + CATCHING_UP);
        }
    }

    fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(until);
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
    fn it_stands_from_the_interruption_of_a_watch_until_it_has_caught_up() {
        let start = Instant::now();
        let mut counter = Counter::new(start);
        for second in 0..=100 {
            let now = start + Duration::from_secs(second);
            match second {
                20 => drop(counter.interrupted.insert("reports")),
                50 => counter.served("reports", now),
                // Not a word on one that was never interrupted.
                80 => counter.served("nodes", now),
                _ => {}
            }
            counter.answered(now);
        }
        // Everything except the second in which it was noticed, the 30 until it was served and the 5 after.
        assert_eq!(counter.counted.as_secs(), 100 - 1 - 30 - 5);
    }

    #[test]
    fn a_watch_that_breaks_again_and_again_only_slows_it() {
        let start = Instant::now();
        let mut counter = Counter::new(start);
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            match second % 20 {
                0 => drop(counter.interrupted.insert("reports")),
                1 => counter.served("reports", now),
                _ => {}
            }
            counter.answered(now);
        }
        assert!(counter.counted >= Duration::from_secs(300), "{counter:?}");
    }
}
