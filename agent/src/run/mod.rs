//! The DaemonSet's program: works on the diagnoses that are assigned to this node.
//!
//! It watches one object, its node's NodeNetReport, and writes that object's status. [`decide`] says what is to be
//! done; everything else here carries it out.

mod agent;
pub mod decide;
mod metrics;
mod settings;
mod status;
mod watched;
mod windows;
mod writer;

use std::{io, path::PathBuf, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
    core::DeserializeGuard,
    runtime::{WatchStreamExt, watcher},
};
use netdiag_crds::NodeNetReport;
use netdiag_telemetry::{health::Health, server::CannotListen};
use prometheus_client::registry::Registry;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use crate::{cli::RunArgs, probes::share_one_heap};
use agent::Agent;
use metrics::Metrics;
use windows::Event;

/// The main loop comes round at least so often, though nothing happens, to show that it does not hang.
const ROUND: Duration = Duration::from_secs(15);
/// Longer than what one round waits for: an API server that does not answer a write, twice, and drawing conclusions.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// Why the program could not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("failed to read the kubeconfig {path:?}")]
    Kubeconfig {
        path: PathBuf,
        source: KubeconfigError,
    },
    #[error(
        "failed to find an API server: neither a pod's service account nor a kubeconfig is there"
    )]
    NoCluster {
        source: kube::config::InferConfigError,
    },
    #[error("failed to make a client for the API server")]
    Client { source: kube::Error },
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
    let api: Api<DeserializeGuard<NodeNetReport>> = Api::all(client(kubeconfig).await?);
    let only_ours = watcher::Config::default().fields(&format!("metadata.name={node_name}"));
    let mut events = pin!(watcher(api.clone(), only_ours).default_backoff());
    let health = Health::default();
    let mut registry = Registry::with_prefix("netdiag_agent");
    let metrics = Metrics::new(&mut registry);
    serve
        .serve(registry, health.clone())
        .await
        .map_err(|source| Error::Serve { source })?;
    let pulse = health.watch("main loop", HANGS_AFTER);
    let mut round = interval(ROUND);
    let mut agent = Agent::new(api, node_name, host_root, metrics, health);
    tracing::info!(
        node = agent.node(),
        version = env!("CARGO_PKG_VERSION"),
        "Waiting for assignments"
    );
    let running = async {
        loop {
            pulse.beat();
            tokio::select! {
                _ = round.tick() => agent.check_watch(),
                event = events.next() => match event {
                    Some(Ok(event)) => agent.observe(event),
                    Some(Err(error)) => agent.watch_failed(&error),
                    // A watcher never ends by itself.
                    None => return,
                },
                event = agent.windows.next() => match event {
                    Event::Begun(key) => agent.begun(&key),
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

async fn client(kubeconfig: Option<PathBuf>) -> Result<Client, Error> {
    let config = match kubeconfig {
        Some(path) => {
            let failed = |source| Error::Kubeconfig {
                path: path.clone(),
                source,
            };
            let file = Kubeconfig::read_from(&path).map_err(failed)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(failed)?
        }
        None => Config::infer()
            .await
            .map_err(|source| Error::NoCluster { source })?,
    };
    Client::try_from(config).map_err(|source| Error::Client { source })
}
