//! Agents without a kernel, for tests and the bench of a fleet: everything but the reading is real.

use std::{path::PathBuf, pin::pin, sync::Arc, thread};

use futures::StreamExt;
use kube::{Api, Client, core::DeserializeGuard};
use netdiag_client::watch::watch;
use netdiag_crds::NodeNetReport;
use netdiag_diagnosis::{Diagnosis, EvidenceWindow, Settings, diagnose};
use netdiag_telemetry::health::Health;

use super::{
    agent::Agent,
    metrics::Metrics,
    status::About,
    windows::{
        Event,
        work::{Order, Outcome, Refusal, Stage, Work},
    },
};
use crate::{collect::Stop, probe_states, probes::KernelFacts, report};

/// Nodes whose windows all see the same.
#[derive(Clone)]
pub struct Simulation(Arc<Recorded>);

struct Recorded {
    window: EvidenceWindow,
    diagnosis: Diagnosis,
}

impl Simulation {
    /// Every window sees this.
    pub fn of(window: EvidenceWindow) -> Self {
        let diagnosis = diagnose(&window, &Settings::default());
        Self(Arc::new(Recorded { window, diagnosis }))
    }

    /// Works on what is assigned to a node, for ever. Each window takes its time, on a thread of its own.
    pub async fn work(self, client: Client, node: String) {
        let api: Api<DeserializeGuard<NodeNetReport>> = Api::all(client);
        let only_ours = format!("metadata.name={node}");
        let mut watched = pin!(watch(api.clone(), Some(only_ours)));
        let kernel = KernelFacts {
            release: self.0.window.node.kernel.clone(),
            ..KernelFacts::default()
        };
        let about = About::new(&kernel, Vec::new());
        let (root, metrics, health) = (PathBuf::from("/"), Metrics::default(), Health::default());
        let mut agent = Agent::new(api, node, root, metrics, health, about, self.0);
        loop {
            tokio::select! {
                Some(step) = watched.next() => agent.observe(step),
                event = agent.windows.next() => match event {
                    Event::Begun(key) => agent.begun(&key),
                    Event::Ended(ended) => agent.ended(*ended),
                },
                () = agent.writer.due() => agent.writer.write().await,
            }
        }
    }
}

impl Work for Recorded {
    fn run(
        &self,
        order: &Order,
        _: &Stop,
        reached: &mut dyn FnMut(Stage),
    ) -> Result<Option<Outcome>, Refusal> {
        reached(Stage::Counting);
        thread::sleep(order.request.duration);
        let run = report::Run {
            diagnosis: &order.key.name,
            uid: Some(&order.key.uid),
            generation: order.key.generation,
            attempts: order.attempts,
        };
        let result = report::run_result(&self.diagnosis, &self.window, &run);
        Ok(Some(Outcome {
            facts: report::facts(&self.window, &result.findings),
            result,
            could_look: true,
            probes: probe_states::of(&self.window),
            lost: self.window.lost,
        }))
    }
}
