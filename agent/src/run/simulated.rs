//! Agents without a kernel, for tests and the bench of a fleet: everything but the reading is real.

use std::{path::PathBuf, pin::pin, sync::Arc, thread, time::Duration};

use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, core::DeserializeGuard};
use netdiag_client::watch::watch;
use netdiag_crds::NodeNetReport;
use netdiag_diagnosis::{Diagnosis, EvidenceWindow, Settings, diagnose};
use netdiag_telemetry::health::Health;
use tokio::time::interval;

use super::{
    ROUND,
    agent::Agent,
    metrics::Metrics,
    status::About,
    windows::{
        Event,
        work::{Order, Outcome, Refusal, Stage, Work},
    },
};
use crate::{collect::Stop, probe_states, probes::KernelFacts, report};

/// Nodes whose windows see what a test shows them.
#[derive(Clone)]
pub struct Simulation {
    kernel: String,
    work: Arc<dyn Work>,
}

struct Recorded {
    window: EvidenceWindow,
    diagnosis: Diagnosis,
}

/// A look at a window that a test plays.
pub enum Played {
    /// It goes on, and is looked at again a moment later.
    NotOver,
    /// The window has seen this.
    Evidence(Box<EvidenceWindow>),
    /// Its thread panics.
    Panic,
}

type Play = Box<dyn Fn(&str) -> Played + Send + Sync>;

/// The time between two looks at a window that is played.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Windows that a test plays.
struct Script(Play);

impl Simulation {
    /// Every window sees this, after the time that it was to last.
    pub fn of(window: EvidenceWindow) -> Self {
        let diagnosis = diagnose(&window, &Settings::default());
        Self {
            kernel: window.node.kernel.clone(),
            work: Arc::new(Recorded { window, diagnosis }),
        }
    }

    /// Each window goes on until this gives its end. The argument is the name of the window's diagnosis.
    pub fn played(play: impl Fn(&str) -> Played + Send + Sync + 'static) -> Self {
        Self {
            kernel: "0.0.0-played".to_owned(),
            work: Arc::new(Script(Box::new(play))),
        }
    }

    /// Works on what is assigned to a node, for ever. Each window takes its time, on a thread of its own.
    pub async fn work(self, client: Client, node: String) {
        let api: Api<DeserializeGuard<NodeNetReport>> = Api::all(client);
        let only_ours = format!("metadata.name={node}");
        let mut watched = pin!(watch(api.clone(), Some(only_ours)));
        let kernel = KernelFacts {
            release: self.kernel,
            ..KernelFacts::default()
        };
        let about = About::new(&kernel, Vec::new());
        let (root, metrics, health) = (PathBuf::from("/"), Metrics::default(), Health::default());
        let mut agent = Agent::new(api, node, root, metrics, health, about, self.work);
        let mut rounds = interval(ROUND);
        loop {
            tokio::select! {
                _ = rounds.tick() => {
                    agent.tick();
                }
                Some(step) = watched.next() => agent.observe(step),
                event = agent.windows.next() => match event {
                    Event::Begun(begun) => agent.begun(&begun),
                    Event::Ended(ended) => agent.ended(*ended),
                },
                () = agent.writer.due() => agent.writer.write().await,
            }
        }
    }
}

fn counting() -> Stage {
    Stage::Counting {
        start_unix_ms: Timestamp::now().as_millisecond(),
    }
}

impl Work for Recorded {
    fn run(
        &self,
        order: &Order,
        _: &Stop,
        reached: &mut dyn FnMut(Stage),
    ) -> Result<Option<Outcome>, Refusal> {
        reached(counting());
        thread::sleep(order.request.duration);
        Ok(Some(outcome(order, &self.window, &self.diagnosis)))
    }
}

impl Work for Script {
    #[expect(clippy::panic, reason = "a test asks for it")]
    fn run(
        &self,
        order: &Order,
        stop: &Stop,
        reached: &mut dyn FnMut(Stage),
    ) -> Result<Option<Outcome>, Refusal> {
        reached(counting());
        while !stop.wait(BETWEEN_LOOKS) {
            match (self.0)(&order.key.name) {
                Played::NotOver => {}
                Played::Evidence(window) => {
                    let diagnosis = diagnose(&window, &Settings::default());
                    return Ok(Some(outcome(order, &window, &diagnosis)));
                }
                Played::Panic => panic!("a test plays a panic"),
            }
        }
        Ok(None)
    }
}

fn outcome(order: &Order, window: &EvidenceWindow, diagnosis: &Diagnosis) -> Outcome {
    let run = report::Run {
        diagnosis: &order.key.name,
        uid: Some(&order.key.uid),
        generation: order.key.generation,
        attempts: order.attempts,
    };
    let result = report::run_result(diagnosis, window, &run);
    Outcome {
        facts: report::facts(window, &result.findings),
        result,
        could_look: true,
        probes: probe_states::of(window),
        lost: window.lost,
    }
}
