//! The DaemonSet's program: works on the diagnoses that are assigned to this node.
//!
//! It watches one object, its node's NodeNetReport, and writes that object's status. [`decide`] says what is to be
//! done; everything else here carries it out.

mod agent;
pub mod decide;
mod metrics;
pub(crate) mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod simulated;
mod status;
mod turn;
mod watched;
mod windows;
mod writer;

use std::{io, pin::pin, sync::Arc, time::Duration};

use futures::StreamExt;
use kube::{Api, core::DeserializeGuard};
use netdiag_client::{
    connect::{self, client, config},
    watch::watch,
};
use netdiag_crds::NodeNetReport;
use netdiag_telemetry::{health::Health, server::CannotListen};
use prometheus_client::registry::Registry;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use crate::{
    cli::RunArgs,
    probes::{Kernel, share_one_heap},
    self_test,
};
use agent::Agent;
use metrics::Metrics;
use status::About;
use windows::{Event, work::Engine};

/// The main loop comes round at least so often, though nothing happens, to show that it does not hang.
const ROUND: Duration = Duration::from_secs(15);
/// Longer than what one round waits for: an API server that does not answer a write, twice, and drawing conclusions.
const HANGS_AFTER: Duration = Duration::from_secs(180);

/// Why the program could not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error(transparent)]
    Connect(connect::Error),
    #[error("failed to serve health and metrics")]
    Serve { source: CannotListen },
    #[error("failed to listen for signals")]
    Signals { source: io::Error },
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start. Once it runs, an API server that is away only delays it.
pub async fn run(args: RunArgs) -> Result<(), Error> {
    let RunArgs {
        node_name,
        host_root,
        kubeconfig,
        // Set up by main, before anything is logged.
        logs: _,
        serve,
    } = args;
    // Windows run on threads that come and go.
    share_one_heap();
    let listen = |kind| signal(kind).map_err(|source| Error::Signals { source });
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let config = config(kubeconfig.as_deref())
        .await
        .map_err(Error::Connect)?;
    let api: Api<DeserializeGuard<NodeNetReport>> =
        Api::all(client(config).map_err(Error::Connect)?);
    let only_ours = format!("metadata.name={node_name}");
    let mut watched = pin!(watch(api.clone(), Some(only_ours)));
    let health = Health::default();
    let mut registry = Registry::with_prefix("netdiag_agent");
    let metrics = Metrics::new(&mut registry);
    serve
        .serve(registry, health.clone())
        .await
        .map_err(|source| Error::Serve { source })?;
    let pulse = health.watch("main loop", HANGS_AFTER);
    let windows = health.watch("windows", HANGS_AFTER);
    let mut round = interval(ROUND);
    let kernel = Kernel::load();
    let forbidden = self_test::forbidden(&kernel);
    for sentence in &forbidden {
        tracing::warn!(
            node = node_name,
            sentence,
            "The node forbids what a diagnosis needs"
        );
    }
    let about = About::new(&kernel.facts, forbidden);
    let work = Arc::new(Engine::new(kernel));
    let mut agent = Agent::new(api, node_name, host_root, metrics, health, about, work);
    tracing::info!(
        node = agent.node(),
        version = env!("CARGO_PKG_VERSION"),
        "Waiting for assignments"
    );
    let running = async {
        loop {
            pulse.beat();
            tokio::select! {
                // Without this beat the kubelet restarts the agent, which ends threads that hang.
                _ = round.tick() => if agent.tick() {
                    windows.beat();
                },
                step = watched.next() => match step {
                    Some(step) => agent.observe(step),
                    // A watch never ends by itself.
                    None => return,
                },
                event = agent.windows.next() => match event {
                    Event::Begun(begun) => agent.begun(&begun),
                    Event::Ended(ended) => agent.ended(*ended),
                },
                () = agent.writer.due() => agent.writer.write().await,
            }
        }
    };
    tokio::select! {
        () = running => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("Stopping");
    agent.shut_down().await;
    Ok(())
}
