//! The work of a window's thread: watching, concluding, and turning what was found into a result.

use std::sync::{Arc, Mutex, PoisonError};

use netdiag_crds::report::{Fact, Probe, RunResult, Unchecked};
use netdiag_diagnosis::{Settings, diagnose, evidence::Lost, verdict::Blind};

use crate::{
    collect::{self, Request, Stop, WindowProgress},
    memory::{Budget, NoRoom},
    probe_states,
    probes::{Kernel, give_back, registry},
    report,
    run::decide::RunKey,
};

/// The work on a window, a call for each on a thread of its own. The seam at which tests make windows fail.
pub(in crate::run) trait Work: Send + Sync {
    /// Watches and concludes; says which stages it has reached. `None`: it was stopped early.
    ///
    /// # Errors
    /// When this node has no room for the window.
    fn run(
        &self,
        order: &Order,
        stop: &Stop,
        reached: &mut dyn FnMut(Stage),
    ) -> Result<Option<Outcome>, Refusal>;
}

/// A window to begin.
#[derive(Clone, Debug)]
pub(in crate::run) struct Order {
    /// The owner of the window.
    pub key: RunKey,
    /// The number of times that it was begun, this time included.
    pub attempts: i32,
    /// The subject and the length of the window.
    pub request: Request,
    /// The content of the report. It may change until the window is concluded.
    pub wanted: Arc<Mutex<Wanted>>,
}

/// The content that a diagnosis wants in its report.
#[derive(Clone, Debug)]
pub(in crate::run) struct Wanted {
    /// The settings.
    pub settings: Settings,
    /// The checks that are unchecked in any case.
    pub unchecked: Vec<Unchecked>,
}

/// The progress of a window, as its deadline needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Stage {
    /// The first counters are read.
    Counting {
        /// The window's start, in ms since 1970 by the wall clock.
        start_unix_ms: i64,
    },
    /// All is read.
    Concluding,
}

/// The result of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::run) struct Outcome {
    /// The findings and the ledger.
    pub result: RunResult,
    /// False when the window could not tell whether earlier findings are over.
    pub could_look: bool,
    /// The state of the probes.
    pub probes: Vec<Probe>,
    /// The node's facts, as this window has shown them.
    pub facts: Vec<Fact>,
    /// The counts that a full map or ring lost.
    pub lost: Lost,
}

/// Why a window was not begun.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(in crate::run) enum Refusal {
    /// Too many threads hang.
    #[error(
        "no window is begun, because {0} threads of earlier windows hang; the kubelet restarts the agent for it"
    )]
    HungThreads(usize),
    /// Too little memory.
    #[error(transparent)]
    Memory(#[from] NoRoom),
}

/// Watches this node.
pub(in crate::run) struct Engine {
    kernel: Arc<Kernel>,
    budget: Arc<Budget>,
    /// Bytes of a window's maps.
    map_bytes: u64,
}

impl Engine {
    /// On this kernel.
    pub(in crate::run) fn new(kernel: Kernel) -> Self {
        Self {
            kernel: Arc::new(kernel),
            budget: Budget::of_this_process(),
            map_bytes: registry::map_bytes::of_a_window(),
        }
    }
}

impl Work for Engine {
    fn run(
        &self,
        order: &Order,
        stop: &Stop,
        reached: &mut dyn FnMut(Stage),
    ) -> Result<Option<Outcome>, Refusal> {
        let mut room = self.budget.admit(self.map_bytes)?;
        let mut refused = None;
        let mut admit = |size| {
            refused = room.fit(size).err();
            refused.is_none()
        };
        let mut counts = false;
        let mut progress = |progress: &WindowProgress<'_>| {
            // The first word of progress comes when the first counters are read.
            if !counts {
                counts = true;
                reached(Stage::Counting {
                    start_unix_ms: progress.start_unix_ms,
                });
            }
        };
        let request = &order.request;
        let collected = collect::collect(request, &self.kernel, stop, &mut admit, &mut progress);
        if let Some(refused) = refused {
            give_back();
            return Err(refused.into());
        }
        if !collected.complete {
            give_back();
            return Ok(None);
        }
        reached(Stage::Concluding);
        let window = collected.window;
        let wanted = order.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let Wanted {
            settings,
            unchecked,
        } = wanted.clone();
        drop(wanted);
        let diagnosis = diagnose(&window, &settings);
        tracing::info!(
            node = order.request.node,
            diagnosis = order.key.name,
            findings = diagnosis.findings.len(),
            "A window ended"
        );
        let run = report::Run {
            diagnosis: &order.key.name,
            uid: Some(&order.key.uid),
            generation: order.key.generation,
            attempts: order.attempts,
        };
        let mut result = report::run_result(&diagnosis, &window, &run);
        result.unchecked.extend(unchecked);
        let blind = Blind::of(&diagnosis, &window);
        let outcome = Outcome {
            facts: report::facts(&window, &result.findings),
            result,
            could_look: !blind.is_some_and(|blind| blind.is_of_the_whole_run()),
            probes: probe_states::of(&window),
            lost: window.lost,
        };
        drop((diagnosis, window));
        // A window's evidence takes some megabytes for a moment.
        give_back();
        Ok(Some(outcome))
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use super::*;
    use crate::memory::MEBIBYTE;

    #[test]
    fn without_room_nothing_is_read_and_the_reason_has_numbers() {
        let engine = Engine {
            kernel: Arc::new(Kernel::load()),
            budget: Budget::within(Some(64 * MEBIBYTE)),
            map_bytes: 3 * MEBIBYTE,
        };
        let order = Order {
            key: RunKey {
                name: "a".to_owned(),
                uid: "u".to_owned(),
                generation: 1,
            },
            attempts: 1,
            request: Request {
                node: "n".to_owned(),
                host_root: PathBuf::from("/"),
                duration: Duration::from_secs(3600),
                pods: true,
            },
            wanted: Arc::new(Mutex::new(Wanted {
                settings: Settings::default(),
                unchecked: Vec::new(),
            })),
        };
        let mut reached = |stage| panic!("{stage:?}");
        let refused = engine.run(&order, &Stop::default(), &mut reached);
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("about 9 MiB") && text.contains("1 MiB are free"),
            "{text}"
        );
    }
}
