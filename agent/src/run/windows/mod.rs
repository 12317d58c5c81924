//! The windows that run, each on a thread of its own with its own probe: off the main loop, with a deadline and a guard.
//!
//! A panic or a hang costs its window and no other. A thread that hangs cannot be ended: it is left behind, and with
//! [`MOST_HUNG`] of them no window is begun any more.

#[cfg(test)]
pub(super) mod tests;
pub(super) mod work;

use std::{
    any::Any,
    collections::{HashMap, HashSet, VecDeque},
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use netdiag_crds::limits::ASSIGNMENTS;
use netdiag_diagnosis::text::printable_up_to;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use super::decide::RunKey;
use crate::collect::Stop;
use work::{Order, Outcome, Refusal, Stage, Wanted, Work};

/// The time for loading the probes and reading both ends, beside the length of the window. Far more than a slow machine
/// needs: a window that is given up is not run again.
const LONGEST_COLLECTION: Duration = Duration::from_secs(300);
/// The time for concluding from what was seen; the largest window that is read takes a few seconds.
const LONGEST_DIAGNOSIS: Duration = Duration::from_secs(120);
/// The number of threads that hang, from which on no window is begun: each keeps memory and probes until the agent
/// restarts.
const MOST_HUNG: usize = 3;
/// The characters that are kept of what a panic says.
const LONGEST_PANIC: usize = 200;

/// The windows of this node. One that is told to stop is forgotten at once; its thread ends by itself soon after.
pub(super) struct Windows {
    work: Arc<dyn Work>,
    threads: JoinSet<Result<Option<Outcome>, Refusal>>,
    /// Every thread but those that hang.
    running: HashMap<Id, Running>,
    /// The threads that hang.
    hung: HashSet<Id>,
    /// Windows that wait until an earlier one of their diagnosis has ended: one of each run at most.
    waiting: VecDeque<Order>,
    /// Windows that could not be begun.
    refused: VecDeque<Ended>,
    // Each window sends a message for each stage: a handful at most.
    stages: UnboundedSender<(Id, Stage)>,
    reached: UnboundedReceiver<(Id, Stage)>,
}

/// The begin of a window.
pub(super) struct Begun {
    pub(super) key: RunKey,
    /// The time that its result will name as its start, in ms since 1970 by the wall clock.
    pub(super) start_unix_ms: i64,
}

/// The reports of a window to its owner.
pub(super) enum Event {
    /// Its first counters are read: what happens from now on is counted.
    Begun(Begun),
    /// It has ended.
    Ended(Box<Ended>),
}

/// A thread.
struct Running {
    key: RunKey,
    attempts: i32,
    wanted: Arc<Mutex<Wanted>>,
    stop: Stop,
    counts: bool,
    /// It was told to stop, and nobody waits for what it gives.
    is_stopped: bool,
    began: Instant,
    /// The time at which its last counters are read.
    ends: Instant,
    /// The time from which on it hangs.
    deadline: Instant,
}

/// A window that nobody stopped has ended.
pub(super) struct Ended {
    /// The owner of the window.
    pub key: RunKey,
    /// The number of times that it was begun.
    pub attempts: i32,
    /// The time from its beginning on.
    pub lasted: Duration,
    /// The result, or the reason why there is none.
    pub outcome: Result<Outcome, NoOutcome>,
}

/// Why a window gave nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum NoOutcome {
    /// It was told to end before its time. It may be begun again.
    #[error("the window was ended early")]
    Stopped,
    /// Its thread failed.
    #[error("the window ended by an error in the agent ({said}); the agent's log has more")]
    Panicked {
        /// The error's own words.
        said: String,
    },
    /// Its thread did not end in time.
    #[error("the window was given up, because the agent did not end it within {} s; the thread goes on until the agent restarts", .after.as_secs())]
    Hung {
        /// The time from its beginning on.
        after: Duration,
    },
    /// It was not begun.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Windows {
    /// No windows yet.
    pub(super) fn new(work: Arc<dyn Work>) -> Self {
        let (stages, reached) = unbounded_channel();
        Self {
            work,
            threads: JoinSet::new(),
            running: HashMap::new(),
            hung: HashSet::new(),
            waiting: VecDeque::new(),
            refused: VecDeque::new(),
            stages,
            reached,
        }
    }

    /// Begins a window, as soon as none of its diagnosis is left.
    pub(super) fn start(&mut self, order: Order) {
        self.waiting.push_back(order);
        self.begin_waiting();
    }

    /// Changes the report that is wanted of a window, if it is not concluded yet.
    pub(super) fn want(&self, key: &RunKey, wanted: &Wanted) {
        let running = self.running.values();
        let running = running.map(|one| (&one.key, &one.wanted));
        let waiting = self.waiting.iter().map(|one| (&one.key, &one.wanted));
        for (_, known) in running.chain(waiting).filter(|(owner, _)| *owner == key) {
            *known.lock().unwrap_or_else(PoisonError::into_inner) = wanted.clone();
        }
    }

    /// Ends these windows; nothing more is heard of them.
    pub(super) fn stop(&mut self, keys: &[RunKey]) {
        self.waiting.retain(|order| !keys.contains(&order.key));
        self.refused.retain(|ended| !keys.contains(&ended.key));
        for running in self.running.values_mut() {
            if keys.contains(&running.key) && !running.is_stopped {
                running.is_stopped = true;
                running.stop.set();
                running.deadline = Instant::now() + LONGEST_COLLECTION;
            }
        }
        self.begin_waiting();
    }

    /// The owners of the windows that run or wait to.
    pub(super) fn keys(&self) -> Vec<RunKey> {
        let running = self.running.values().filter(|one| !one.is_stopped);
        let running = running.map(|one| &one.key);
        let waiting = self.waiting.iter().map(|order| &order.key);
        let refused = self.refused.iter().map(|ended| &ended.key);
        running.chain(waiting).chain(refused).cloned().collect()
    }

    /// True if a window has not come so far yet that it counts.
    pub(super) fn is_beginning(&self) -> bool {
        let mut running = self.running.values();
        !self.waiting.is_empty() || running.any(|one| !one.counts && !one.is_stopped)
    }

    /// The time until all windows that are to end within `limit` have ended: what they see can be written at once.
    pub(super) fn last_end_within(&self, limit: Duration) -> Duration {
        let now = Instant::now();
        let running = self.running.values().filter(|one| !one.is_stopped);
        let left = running.map(|one| one.ends.saturating_duration_since(now));
        left.filter(|left| *left <= limit).max().unwrap_or_default()
    }

    /// True while windows can be begun. If not, only a restart helps.
    pub(super) fn can_begin(&self) -> bool {
        self.hung.len() < MOST_HUNG
    }

    /// Waits for the next window that begins to count or ends by itself; for ever when none runs. Safe to cancel.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(ended) = self.refused.pop_front() {
                return Event::Ended(Box::new(ended));
            }
            let deadline = self.running.values().map(|running| running.deadline).min();
            let event = tokio::select! {
                Some((id, stage)) = self.reached.recv() => self.reached(id, stage),
                Some(joined) = self.threads.join_next_with_id() => self.joined(joined),
                () = at(deadline) => self.give_up(),
            };
            self.begin_waiting();
            if let Some(event) = event {
                return event;
            }
        }
    }

    /// Waits until every thread has ended, those of stopped windows too.
    pub(super) async fn wait(&mut self) {
        while self.threads.join_next().await.is_some() {}
    }

    fn begin_waiting(&mut self) {
        for order in std::mem::take(&mut self.waiting) {
            if !self.can_begin() {
                self.refused.push_back(Ended {
                    key: order.key,
                    attempts: order.attempts,
                    lasted: Duration::ZERO,
                    outcome: Err(Refusal::HungThreads(self.hung.len()).into()),
                });
            } else if self.running.len() >= ASSIGNMENTS
                || self
                    .running
                    .values()
                    .any(|one| one.key.name == order.key.name)
            {
                self.waiting.push_back(order);
            } else {
                self.begin(order);
            }
        }
    }

    fn begin(&mut self, order: Order) {
        let stop = Stop::default();
        let running = Running {
            key: order.key.clone(),
            attempts: order.attempts,
            wanted: Arc::clone(&order.wanted),
            stop: stop.clone(),
            counts: false,
            is_stopped: false,
            began: Instant::now(),
            ends: Instant::now() + order.request.duration,
            deadline: Instant::now() + order.request.duration + LONGEST_COLLECTION,
        };
        let (work, stages) = (Arc::clone(&self.work), self.stages.clone());
        let thread = self.threads.spawn_blocking(move || {
            let mut reached = |stage| {
                if let Some(id) = tokio::task::try_id() {
                    // Nobody listens when the agent is about to leave.
                    let _ = stages.send((id, stage));
                }
            };
            work.run(&order, &stop, &mut reached)
        });
        self.running.insert(thread.id(), running);
    }

    fn reached(&mut self, id: Id, stage: Stage) -> Option<Event> {
        let running = self.running.get_mut(&id)?;
        match stage {
            Stage::Counting { start_unix_ms } => {
                running.counts = true;
                let key = running.key.clone();
                (!running.is_stopped).then_some(Event::Begun(Begun { key, start_unix_ms }))
            }
            Stage::Concluding => {
                running.deadline = Instant::now() + LONGEST_DIAGNOSIS;
                None
            }
        }
    }

    fn joined(
        &mut self,
        joined: Result<(Id, Result<Option<Outcome>, Refusal>), JoinError>,
    ) -> Option<Event> {
        let (id, outcome) = match joined {
            Ok((id, Ok(Some(outcome)))) => (id, Ok(outcome)),
            Ok((id, Ok(None))) => (id, Err(NoOutcome::Stopped)),
            Ok((id, Err(refusal))) => (id, Err(refusal.into())),
            Err(error) => (error.id(), Err(why(error))),
        };
        self.hung.remove(&id);
        self.running.remove(&id)?.ended(outcome)
    }

    /// Leaves behind one of the threads that are beyond their deadline.
    fn give_up(&mut self) -> Option<Event> {
        let now = Instant::now();
        let mut running = self.running.iter();
        let (&id, _) = running.find(|(_, running)| running.deadline <= now)?;
        let running = self.running.remove(&id)?;
        running.stop.set();
        self.hung.insert(id);
        let after = running.began.elapsed();
        tracing::error!(
            diagnosis = running.key.name,
            after_seconds = after.as_secs(),
            hung = self.hung.len(),
            "A window's thread hangs and is left behind"
        );
        running.ended(Err(NoOutcome::Hung { after }))
    }
}

impl Running {
    fn ended(self, outcome: Result<Outcome, NoOutcome>) -> Option<Event> {
        let ended = Ended {
            key: self.key,
            attempts: self.attempts,
            lasted: self.began.elapsed(),
            outcome,
        };
        (!self.is_stopped).then(|| Event::Ended(Box::new(ended)))
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

fn why(error: JoinError) -> NoOutcome {
    match error.try_into_panic() {
        Ok(panic) => NoOutcome::Panicked {
            said: said(&*panic),
        },
        Err(_) => NoOutcome::Stopped,
    }
}

/// The words of a panic, which may hold text from outside.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    printable_up_to(text.unwrap_or("no message"), LONGEST_PANIC)
}
