//! Passes of one controller over its objects, and their pulse.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    FutureExt, Stream, StreamExt,
    channel::mpsc,
    future::{self, BoxFuture},
};
use kube::{
    ResourceExt,
    runtime::{
        applier,
        controller::{self, Action, ReconcileRequest},
        reflector::{ObjectRef, Store},
    },
};
use netdiag_client::retry_after;
use netdiag_telemetry::health::Pulse;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{context::Context, gather::gather};

/// A controller that has nothing to do shows so often that it goes on.
const ROUND: Duration = Duration::from_secs(15);
/// Longer than the slowest pass: a status and a handful of Events, each of which has a deadline, at last 40 s.
pub const HANGS_AFTER: Duration = Duration::from_secs(300);

/// The work of one controller.
pub struct Controller<K: kube::Resource<DynamicType = ()> + 'static, S> {
    /// Its name.
    pub name: &'static str,
    /// Its objects.
    pub store: Store<K>,
    /// Which of them are to be looked at.
    pub requests: S,
    /// Passes under way at a time.
    pub concurrency: u16,
    /// Beats while passes end.
    pub pulse: Pulse,
    /// Forgets an object that is gone.
    pub forget: fn(&Context, &str),
}

impl<K, S> Controller<K, S>
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    S: Stream<Item = Result<ReconcileRequest<K>, Infallible>> + Send + 'static,
{
    /// Makes a pass for each request, until there are no more.
    pub async fn run<E: std::error::Error + Send + 'static>(
        self,
        context: Arc<Context>,
        mut reconcile: impl FnMut(Arc<K>, Arc<Context>) -> BoxFuture<'static, Result<Action, E>>,
    ) {
        let name = self.name;
        let under_way = Arc::new(AtomicUsize::new(0));
        let timed = |object: Arc<K>, context: Arc<Context>| {
            let began = Instant::now();
            let metrics = context.metrics.clone();
            let under_way = Arc::clone(&under_way);
            let name_of_object = object.name_any();
            let waits = [
                context.failures.wait(&name_of_object),
                context.paces.wait(&name_of_object),
            ];
            if let Some(wait) = waits.into_iter().flatten().max() {
                return future::ready(Ok(Action::requeue(wait))).left_future();
            }
            under_way.fetch_add(1, Ordering::Relaxed);
            let ended = move |result: &Result<Action, E>| {
                under_way.fetch_sub(1, Ordering::Relaxed);
                metrics.passed(name, result.is_ok(), began.elapsed());
            };
            reconcile(object, context).inspect(ended).right_future()
        };
        let failed = |object: Arc<K>, error: &E, context: Arc<Context>| {
            let asked = retry_after(error);
            Action::requeue(context.failures.failed(object.name_any(), asked))
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
        let mut round = tokio::time::interval(ROUND);
        loop {
            tokio::select! {
                result = results.next() => {
                    let Some(result) = result else { return };
                    self.pulse.beat();
                    conclude(self.name, result, |name| (self.forget)(&context, name));
                }
                // Only the end of a pass shows that passes end.
                _ = round.tick() => if under_way.load(Ordering::Relaxed) == 0 {
                    self.pulse.beat();
                },
            }
        }
    }
}

/// The requests of a queue, those of one period together, until shutdown.
pub fn requests<K: kube::Resource<DynamicType = ()> + 'static>(
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
