//! The windows that run, each on a thread of its own with its own probe.

use std::{collections::HashMap, future::pending, sync::Arc};

use netdiag_diagnosis::EvidenceWindow;
use tokio::task::{Id, JoinError, JoinSet};

use super::decide::{RunKey, Start};
use crate::{
    collect::{self, Request, Stop},
    probes::{Kernel, give_back},
};

/// The running windows. One that is told to stop is forgotten at once; its thread ends by itself soon after.
pub struct Windows {
    kernel: Arc<Kernel>,
    running: HashMap<Id, Running>,
    threads: JoinSet<Option<EvidenceWindow>>,
}

struct Running {
    key: RunKey,
    attempts: i32,
    stop: Stop,
}

/// A window that nobody stopped has ended.
pub struct Ended {
    /// Whose it was.
    pub key: RunKey,
    /// How often it was begun.
    pub attempts: i32,
    /// What was seen, or why nothing was.
    pub evidence: Result<EvidenceWindow, String>,
}

impl Windows {
    /// No windows yet, on this kernel.
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel: Arc::new(kernel),
            running: HashMap::new(),
            threads: JoinSet::new(),
        }
    }

    /// Begins a window.
    pub fn start(&mut self, start: Start, request: Request) {
        let stop = Stop::default();
        let thread = {
            let stop = stop.clone();
            let kernel = Arc::clone(&self.kernel);
            self.threads.spawn_blocking(move || {
                let collected = collect::collect(&request, &kernel, &stop, &mut |_| {});
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
            },
        );
    }

    /// Ends these windows; nothing more is heard of them.
    pub fn stop(&mut self, keys: &[RunKey]) {
        self.running.retain(|_, running| {
            let stopped = keys.contains(&running.key);
            if stopped {
                running.stop.set();
            }
            !stopped
        });
    }

    /// Whose windows run.
    pub fn keys(&self) -> Vec<RunKey> {
        self.running
            .values()
            .map(|running| running.key.clone())
            .collect()
    }

    /// Waits for the next window that ends by itself; for ever when none runs. Safe to cancel.
    pub async fn next(&mut self) -> Ended {
        while let Some(joined) = self.threads.join_next_with_id().await {
            let (id, evidence) = match joined {
                Ok((id, Some(window))) => (id, Ok(window)),
                Ok((id, None)) => (id, Err("the window was ended early".to_owned())),
                Err(error) => (error.id(), Err(why(&error))),
            };
            if let Some(Running { key, attempts, .. }) = self.running.remove(&id) {
                return Ended {
                    key,
                    attempts,
                    evidence,
                };
            }
        }
        pending().await
    }

    /// Waits until every thread has ended, those of stopped windows too.
    pub async fn wait(&mut self) {
        while self.threads.join_next().await.is_some() {}
    }
}

fn why(error: &JoinError) -> String {
    if error.is_panic() {
        "the window ended by an internal error; see the agent's log".to_owned()
    } else {
        "the window was ended early".to_owned()
    }
}
