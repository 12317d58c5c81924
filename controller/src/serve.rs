//! Starts the watches and the two controllers, and ends them in order.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::FutureExt;
use kube::{Api, Client, api::ListParams};
use netdiag_client::connect;
use netdiag_crds::NodeNetDiagnosis;
use netdiag_telemetry::{health::Health, server::CannotListen};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{
    cli::RunArgs,
    context::Context,
    coverage::Agents,
    diagnosis,
    lease::{Election, Marks, NoIdentity},
    metrics::{Fleet, Metrics},
    passes::{Controller, HANGS_AFTER, requests},
    report,
    run::{moment::Moments, time::RunningTime},
    wake::Queues,
    watches,
};

/// Reports of many nodes arrive within seconds; a diagnosis rolls them up together instead of each on its own.
const GATHER_REPORTS: Duration = Duration::from_millis(500);
/// The same for a node when several diagnoses change at once.
const GATHER_CHANGES: Duration = Duration::from_millis(100);
/// Writes of node reports under way at a time; the API server's fairness queues the rest of a flood.
const NODE_WRITES: u16 = 16;
/// Diagnoses that are rolled up at a time.
const DIAGNOSIS_WRITES: u16 = 4;

/// Without a lease to renew, the API server is asked for something small so often.
const TIME_PERIOD: Duration = Duration::from_secs(5);

/// A process that hangs longer than this in one look at the lease is started anew.
const LONGEST_RENEWAL: Duration = Duration::from_secs(60);

/// The controller could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No API server.
    #[error(transparent)]
    Client(connect::Error),
    /// The port for health and metrics.
    #[error("failed to serve health and metrics")]
    Serve(#[source] CannotListen),
    /// No name for the election.
    #[error("failed to take part in the leader election")]
    Identity(#[source] NoIdentity),
    /// Another process may lead now, so this one must not go on.
    #[error(
        "failed to renew the lease in time; another replica takes over, and this one starts anew"
    )]
    LeaseLost,
    /// The process cannot catch SIGTERM or SIGINT.
    #[error("failed to listen for signals")]
    Signals(#[source] std::io::Error),
}

/// Serves the resources until SIGINT or SIGTERM.
///
/// # Errors
/// When the API server cannot be reached with what is given.
pub async fn serve(args: &RunArgs) -> Result<(), Error> {
    let config = connect::config(args.kubeconfig.as_deref())
        .await
        .map_err(Error::Client)?;
    info!(server = %config.cluster_url, "Controller starting");
    let client = connect::client(config).map_err(Error::Client)?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(&shutdown).map_err(Error::Signals)?;

    let health = Health::default();
    let mut registry = Registry::with_prefix("netdiag_controller");
    let metrics = Metrics::new(&mut registry, [diagnosis::NAME, report::NAME]);
    let time = RunningTime::start();
    let fleet = Fleet::default();
    registry.register_collector(Box::new(fleet.clone()));
    args.serve
        .serve(registry, health.clone())
        .await
        .map_err(Error::Serve)?;

    let agents = match (&args.lease_namespace, &args.agents) {
        (Some(namespace), Some(name)) => Agents::of(&client, namespace, name),
        _ => Agents::anywhere(),
    };
    let work = Work {
        client: client.clone(),
        agents,
        time: time.clone(),
        health: health.clone(),
        fleet,
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
    };
    let Some(namespace) = &args.lease_namespace else {
        tokio::select! {
            () = work.run() => {}
            never = count_time(&client, &time) => match never {},
        }
        info!("Controller ended");
        return Ok(());
    };
    let marks = Marks::new(namespace, args.helm_release.as_deref());
    let election = Election::new(client.clone(), marks, health.clone(), time.clone());
    let mut election = election.map_err(Error::Identity)?;
    let pulse = health.watch("lease", LONGEST_RENEWAL);
    tokio::select! {
        () = election.win(&pulse) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    metrics.set_leader(true);
    pulse.beat();
    let lost = tokio::select! {
        () = election.keep(&pulse) => true,
        () = work.run() => false,
    };
    metrics.set_leader(false);
    if lost {
        return Err(Error::LeaseLost);
    }
    election.resign().await;
    info!("Controller ended");
    Ok(())
}

/// Lets time run while the API server answers, as renewals of the lease do where there is one.
async fn count_time(client: &Client, time: &RunningTime) -> Infallible {
    let diagnoses = Api::<NodeNetDiagnosis>::all(client.clone());
    let one = ListParams::default().limit(1);
    loop {
        if diagnoses.list_metadata(&one).await.is_ok() {
            time.answered();
        }
        tokio::time::sleep(TIME_PERIOD).await;
    }
}

fn cancel_on_signal(shutdown: &CancellationToken) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        info!("Signal received, finishing what is under way");
        shutdown.cancel();
    });
    Ok(())
}

/// The means of the work.
pub(crate) struct Work {
    pub client: Client,
    pub agents: Agents,
    pub time: RunningTime,
    pub health: Health,
    pub fleet: Fleet,
    pub metrics: Metrics,
    pub shutdown: CancellationToken,
}

impl Work {
    /// Fills the caches and works from them until shutdown.
    pub async fn run(self) {
        let Self {
            client,
            agents,
            time,
            health,
            fleet,
            metrics,
            shutdown,
        } = self;
        let tracker = TaskTracker::new();
        health.lacks("caches", "the first lists are not read yet");
        let (stores, queues) = watches::start(&client, &time, &health, &tracker, &shutdown);
        let moments = Arc::new(Moments::new(time.clone()));
        fleet.count_from(&stores);
        tokio::select! {
            ready = stores.wait_until_ready() => if ready.is_ok() {
                info!("Caches filled");
                health.has("caches");
                let context = || Context::new(&client, &stores, &agents, &moments, &time, &metrics);
                start_controllers([context(), context()], queues, &health, &tracker, &shutdown);
            },
            () = shutdown.cancelled() => {}
        }
        shutdown.cancelled().await;
        tracker.close();
        tracker.wait().await;
    }
}

/// Starts both controllers on `tracker`. They finish the passes under way when `shutdown` comes.
fn start_controllers(
    [for_diagnoses, for_nodes]: [Arc<Context>; 2],
    queues: Queues,
    health: &Health,
    tracker: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let diagnoses = Controller {
        name: diagnosis::NAME,
        store: for_diagnoses.stores.diagnoses.clone(),
        requests: requests(queues.diagnoses, GATHER_REPORTS, shutdown.clone()),
        concurrency: DIAGNOSIS_WRITES,
        pulse: health.watch(diagnosis::NAME, HANGS_AFTER),
        forget: |context, name| {
            context.failures.forget(name);
            context.paces.forget(name);
            context.moments.forget(name);
        },
    };
    tracker.spawn(diagnoses.run(for_diagnoses, |diagnosis, context| {
        diagnosis::reconcile::reconcile(diagnosis, context).boxed()
    }));
    let nodes = Controller {
        name: report::NAME,
        store: for_nodes.stores.nodes.clone(),
        requests: requests(queues.nodes, GATHER_CHANGES, shutdown.clone()),
        concurrency: NODE_WRITES,
        pulse: health.watch(report::NAME, HANGS_AFTER),
        forget: |context, name| {
            context.failures.forget(name);
            context.paces.forget(name);
        },
    };
    tracker.spawn(nodes.run(for_nodes, |node, context| {
        report::reconcile::reconcile(node, context).boxed()
    }));
}
