//! The windows that run, each on a thread of its own with its own probe.

use std::{collections::HashMap, future::pending, sync::Arc};

use netdiag_diagnosis::EvidenceWindow;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{Id, JoinError, JoinSet},
};

use super::decide::{RunKey, Start};
use crate::{
    collect::{self, Request, Stop, WindowProgress},
    probes::{Kernel, give_back},
};

/// The running windows. One that is told to stop is forgotten at once; its thread ends by itself soon after.
pub(super) struct Windows {
    kernel: Arc<Kernel>,
    running: HashMap<Id, Running>,
    threads: JoinSet<Option<EvidenceWindow>>,
    // Each window says once that it counts: a handful of messages at most.
    counting: UnboundedSender<RunKey>,
    begun: UnboundedReceiver<RunKey>,
}

/// The reports of a window to its owner.
pub(super) enum Event {
    /// Its first counters are read: what happens from now on is counted.
    Begun(RunKey),
    /// It has ended.
    Ended(Box<Ended>),
}

struct Running {
    key: RunKey,
    attempts: i32,
    stop: Stop,
    counts: bool,
}

/// A window that nobody stopped has ended.
pub(super) struct Ended {
    /// The owner of the window.
    pub key: RunKey,
    /// The number of times that it was begun.
    pub attempts: i32,
    /// The evidence, or the reason why there is none.
    pub evidence: Result<EvidenceWindow, Interrupted>,
}

/// Why a window saw nothing.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Interrupted {
    /// It was told to end before its time.
    #[error("the window was ended early")]
    Stopped,
    /// Its thread failed.
    #[error("the window ended by an internal error; see the agent's log")]
    Panicked,
}

impl Windows {
    /// No windows yet, on this kernel.
    pub(super) fn new(kernel: Kernel) -> Self {
        let (counting, begun) = unbounded_channel();
        Self {
            kernel: Arc::new(kernel),
            running: HashMap::new(),
            threads: JoinSet::new(),
            counting,
            begun,
        }
    }

    /// Begins a window.
    pub(super) fn start(&mut self, start: Start, request: Request) {
        let stop = Stop::default();
        let thread = {
            let stop = stop.clone();
            let kernel = Arc::clone(&self.kernel);
            let counting = self.counting.clone();
            let mut key = Some(start.key.clone());
            self.threads.spawn_blocking(move || {
                let mut progress = |_: &WindowProgress<'_>| {
                    // The first word of progress comes when the first counters are read. Nobody listens when the agent
                    // is about to leave.
                    if let Some(key) = key.take() {
                        let _ = counting.send(key);
                    }
                };
                let collected = collect::collect(&request, &kernel, &stop, &mut progress);
                give_back();
                collected.complete.then_some(collected.window)
            })
        };
        self.running.insert(
            thread.id(),
            Running {
                key: start.key,
                attempts: start.attempts,
                stop,
                counts: false,
            },
        );
    }

    /// Ends these windows; nothing more is heard of them.
    pub(super) fn stop(&mut self, keys: &[RunKey]) {
        self.running.retain(|_, running| {
            let stopped = keys.contains(&running.key);
            if stopped {
                running.stop.set();
            }
            !stopped
        });
    }

    /// The owners of the windows that run.
    pub(super) fn keys(&self) -> Vec<RunKey> {
        self.running
            .values()
            .map(|running| running.key.clone())
            .collect()
    }

    /// True if a window has not come so far yet that it counts.
    pub(super) fn is_beginning(&self) -> bool {
        self.running.values().any(|running| !running.counts)
    }

    /// Waits for the next window that begins to count or ends by itself; for ever when none runs. Safe to cancel.
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            Some(key) = self.begun.recv() => {
                for running in self.running.values_mut().filter(|running| running.key == key) {
                    running.counts = true;
                }
                Event::Begun(key)
            }
            ended = next_end(&mut self.threads, &mut self.running) => Event::Ended(Box::new(ended)),
        }
    }

    /// Waits until every thread has ended, those of stopped windows too.
    pub(super) async fn wait(&mut self) {
        while self.threads.join_next().await.is_some() {}
    }
}

async fn next_end(
    threads: &mut JoinSet<Option<EvidenceWindow>>,
    running: &mut HashMap<Id, Running>,
) -> Ended {
    while let Some(joined) = threads.join_next_with_id().await {
        let (id, evidence) = match joined {
            Ok((id, Some(window))) => (id, Ok(window)),
            Ok((id, None)) => (id, Err(Interrupted::Stopped)),
            Err(error) => (error.id(), Err(why(&error))),
        };
        if let Some(Running { key, attempts, .. }) = running.remove(&id) {
            return Ended {
                key,
                attempts,
                evidence,
            };
        }
    }
    pending().await
}

fn why(error: &JoinError) -> Interrupted {
    if error.is_panic() {
        Interrupted::Panicked
    } else {
        Interrupted::Stopped
    }
}
