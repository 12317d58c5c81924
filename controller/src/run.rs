//! Starts the watches and the two controllers, and ends them in order.

use std::{
    convert::Infallible,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, Stream, StreamExt, channel::mpsc, future::BoxFuture};
use kube::{
    Api, Client, ResourceExt,
    api::ListParams,
    runtime::{
        applier,
        controller::{self, Action, ReconcileRequest},
        reflector::{ObjectRef, Store},
    },
};
use netdiag_crds::NodeNetDiagnosis;
use netdiag_telemetry::{health::Health, server::CannotListen};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{
    cli::RunArgs,
    client,
    context::Context,
    diagnosis,
    gather::gather,
    lease::{Election, NoIdentity},
    metrics::{Fleet, Metrics},
    moment::Moments,
    report,
    running_time::RunningTime,
    stores::{Queues, Stores},
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

/// A leader that hangs longer than this in one look at its lease is started anew.
const LONGEST_RENEWAL: Duration = Duration::from_secs(60);

/// The controller could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No API server.
    #[error(transparent)]
    Client(client::Error),
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
pub async fn run(args: &RunArgs) -> Result<(), Error> {
    let config = client::config(args.kubeconfig.as_deref())
        .await
        .map_err(Error::Client)?;
    info!(server = %config.cluster_url, "Controller starting");
    let client = client::client(config).map_err(Error::Client)?;
    let shutdown = CancellationToken::new();
    let tracker = TaskTracker::new();
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

    let work = async {
        health.lacks("caches", "the first lists are not read yet");
        let (stores, queues) = Stores::start(&client, &time, &tracker, &shutdown);
        let moments = Arc::new(Moments::new(time.clone()));
        fleet.count_from(&stores);
        tokio::select! {
            ready = stores.wait_until_ready() => if ready.is_ok() {
                info!("Caches filled");
                health.has("caches");
                let context = || Context::new(&client, &stores, &moments, &metrics);
                start_controllers([context(), context()], queues, &tracker, &shutdown);
            },
            () = shutdown.cancelled() => {}
        }
        shutdown.cancelled().await;
        tracker.close();
        tracker.wait().await;
    };
    let Some(namespace) = &args.lease_namespace else {
        tokio::select! {
            () = work => {}
            never = count_time(&client, &time) => match never {},
        }
        info!("Controller ended");
        return Ok(());
    };
    let mut election = Election::new(client.clone(), namespace, health.clone(), time.clone())
        .map_err(Error::Identity)?;
    tokio::select! {
        () = election.win() => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    metrics.set_leader(true);
    let pulse = health.watch("lease", LONGEST_RENEWAL);
    let lost = tokio::select! {
        () = election.keep(&pulse) => true,
        () = work => false,
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
        let asked = tokio::time::timeout(TIME_PERIOD, diagnoses.list_metadata(&one)).await;
        if asked.is_ok_and(|answer| answer.is_ok()) {
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

/// Starts both controllers on `tracker`. They finish the passes under way when `shutdown` comes.
fn start_controllers(
    [for_diagnoses, for_nodes]: [Arc<Context>; 2],
    queues: Queues,
    tracker: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let diagnoses = Controller {
        name: diagnosis::NAME,
        store: for_diagnoses.stores.diagnoses.clone(),
        requests: requests(queues.diagnoses, GATHER_REPORTS, shutdown.clone()),
        concurrency: DIAGNOSIS_WRITES,
        forget: |context, name| {
            context.failures.forget(name);
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
        forget: |context, name| context.failures.forget(name),
    };
    tracker.spawn(nodes.run(for_nodes, |node, context| {
        report::reconcile::reconcile(node, context).boxed()
    }));
}

/// What one controller works on.
struct Controller<K: kube::Resource<DynamicType = ()> + 'static, S> {
    name: &'static str,
    store: Store<K>,
    requests: S,
    concurrency: u16,
    /// Forgets an object that is gone.
    forget: fn(&Context, &str),
}

impl<K, S> Controller<K, S>
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    S: Stream<Item = Result<ReconcileRequest<K>, Infallible>> + Send + 'static,
{
    /// Makes a pass for each request, until there are no more.
    async fn run<E: std::error::Error + Send + 'static>(
        self,
        context: Arc<Context>,
        mut reconcile: impl FnMut(Arc<K>, Arc<Context>) -> BoxFuture<'static, Result<Action, E>>,
    ) {
        let name = self.name;
        let timed = |object: Arc<K>, context: Arc<Context>| {
            let began = Instant::now();
            let metrics = context.metrics.clone();
            reconcile(object, context)
                .inspect(move |result| metrics.passed(name, result.is_ok(), began.elapsed()))
        };
        let failed = |object: Arc<K>, _error: &E, context: Arc<Context>| {
            Action::requeue(context.failures.failed(object.name_any()))
        };
        let config = controller::Config::default().concurrency(self.concurrency);
        let results = applier(
            timed,
            failed,
            Arc::clone(&context),
            self.store,
            self.requests,
            config,
        );
        let mut results = pin!(results);
        while let Some(result) = results.next().await {
            conclude(self.name, result, |name| (self.forget)(&context, name));
        }
    }
}

fn requests<K: kube::Resource<DynamicType = ()> + 'static>(
    queue: mpsc::UnboundedReceiver<ReconcileRequest<K>>,
    period: Duration,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<ReconcileRequest<K>, Infallible>> {
    gather(queue, period)
        .map(Ok)
        .take_until(shutdown.cancelled_owned())
}

/// Logs the outcome of a pass, in one place for both controllers, and forgets an object that is gone.
fn conclude<K, E>(
    controller: &str,
    result: Result<(ObjectRef<K>, Action), controller::Error<E, Infallible>>,
    forget: impl Fn(&str),
) where
    K: kube::Resource<DynamicType = ()>,
    E: std::error::Error + 'static,
{
    match result {
        Ok((object, action)) => debug!(controller, object = object.name, ?action, "Pass done"),
        // It was deleted between the change and the pass.
        Err(controller::Error::ObjectNotFound(object)) => {
            forget(&object.name);
            debug!(controller, object = object.name, "Object gone");
        }
        Err(controller::Error::ReconcilerFailed(error, object)) => {
            warn!(
                controller,
                object = object.name,
                error = &error as &dyn std::error::Error,
                "Pass failed, will retry"
            );
        }
        Err(error) => warn!(
            controller,
            error = &error as &dyn std::error::Error,
            "Controller disturbed"
        ),
    }
}
