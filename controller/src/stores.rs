//! Watches: a cached copy of every object the controllers look at, and the queues that changes wake them through.

use std::{fmt::Debug, hash::Hash, pin::pin};

use futures::{StreamExt, channel::mpsc};
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, Resource,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        controller::ReconcileRequest,
        reflector::{
            self, ObjectRef, Store,
            store::{Writer, WriterDropped},
        },
        watcher::{self, Event},
    },
};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport};
use serde::de::DeserializeOwned;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

/// Read side of the caches.
#[derive(Clone)]
pub struct Stores {
    /// Every Node, without what nobody here reads.
    pub nodes: Store<Node>,
    /// Every report.
    pub reports: Store<NodeNetReport>,
    /// Every diagnosis.
    pub diagnoses: Store<NodeNetDiagnosis>,
}

/// What wakes the two controllers. They end when the watches do.
pub struct Queues {
    /// For the diagnosis controller.
    pub diagnoses: mpsc::UnboundedReceiver<ReconcileRequest<NodeNetDiagnosis>>,
    /// For the report controller, which is keyed by node.
    pub nodes: mpsc::UnboundedReceiver<ReconcileRequest<Node>>,
}

impl Stores {
    /// Starts the watches on `tracker`; they end with `shutdown`.
    pub fn start(
        client: &Client,
        tracker: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> (Self, Queues) {
        let (nodes, node_writer) = reflector::store();
        let (reports, report_writer) = reflector::store();
        let (diagnoses, diagnosis_writer) = reflector::store();
        let stores = Self {
            nodes,
            reports,
            diagnoses,
        };
        let (waker, queues) = Waker::new(stores.clone());

        let nodes = Watch {
            client,
            writer: node_writer,
            tidy: shrink_node,
        };
        nodes.spawn(tracker, shutdown, waker.clone(), Waker::node_changed);
        let reports = Watch {
            client,
            writer: report_writer,
            tidy: crate::report::keep_heartbeat,
        };
        reports.spawn(tracker, shutdown, waker.clone(), Waker::report_changed);
        let diagnoses = Watch {
            client,
            writer: diagnosis_writer,
            tidy: |diagnosis: &mut NodeNetDiagnosis| diagnosis.metadata.managed_fields = None,
        };
        diagnoses.spawn(tracker, shutdown, waker, Waker::diagnosis_changed);
        (stores, queues)
    }

    /// Waits until every cache holds the whole first list. Deciding on less would take what is not yet listed for
    /// deleted.
    ///
    /// # Errors
    /// When a watch ended before.
    pub async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.nodes.wait_until_ready().await?;
        self.reports.wait_until_ready().await?;
        self.diagnoses.wait_until_ready().await
    }
}

/// A Node's image list and managed fields are most of its size.
fn shrink_node(node: &mut Node) {
    node.metadata.managed_fields = None;
    node.metadata.annotations = None;
    if let Some(status) = &mut node.status {
        status.images = None;
    }
}

/// Turns changes into requests to reconcile.
#[derive(Clone)]
struct Waker {
    stores: Stores,
    diagnoses: mpsc::UnboundedSender<ReconcileRequest<NodeNetDiagnosis>>,
    nodes: mpsc::UnboundedSender<ReconcileRequest<Node>>,
}

impl Waker {
    fn new(stores: Stores) -> (Self, Queues) {
        let (diagnosis_sender, diagnoses) = mpsc::unbounded();
        let (node_sender, nodes) = mpsc::unbounded();
        let waker = Self {
            stores,
            diagnoses: diagnosis_sender,
            nodes: node_sender,
        };
        (waker, Queues { diagnoses, nodes })
    }

    /// A node joins, leaves, changes its labels or its readiness: its report may change, and any diagnosis.
    fn node_changed(&self, node: Option<&Node>) {
        match node {
            Some(node) => self.wake_node(ObjectRef::from_obj(node)),
            None => self.wake_all_nodes(),
        }
        self.wake_all_diagnoses();
    }

    /// A report changes: its node's assignments may need repair, and the diagnoses that it serves roll it up.
    fn report_changed(&self, report: Option<&NodeNetReport>) {
        let Some(report) = report else {
            self.wake_all_nodes();
            self.wake_all_diagnoses();
            return;
        };
        if let Some(name) = &report.metadata.name {
            self.wake_node(ObjectRef::new(name));
        }
        for name in crate::report::served_diagnoses(report) {
            self.wake_diagnosis(ObjectRef::new(name));
        }
    }

    /// A diagnosis changes: any node may gain or lose an assignment.
    fn diagnosis_changed(&self, diagnosis: Option<&NodeNetDiagnosis>) {
        match diagnosis {
            Some(diagnosis) => self.wake_diagnosis(ObjectRef::from_obj(diagnosis)),
            None => self.wake_all_diagnoses(),
        }
        self.wake_all_nodes();
    }

    fn wake_all_nodes(&self) {
        for node in self.stores.nodes.state() {
            self.wake_node(ObjectRef::from_obj(node.as_ref()));
        }
    }

    fn wake_all_diagnoses(&self) {
        for diagnosis in self.stores.diagnoses.state() {
            self.wake_diagnosis(ObjectRef::from_obj(diagnosis.as_ref()));
        }
    }

    fn wake_node(&self, node: ObjectRef<Node>) {
        // A send fails only when its controller has ended, which happens at shutdown.
        let _ = self.nodes.unbounded_send(node.into());
    }

    fn wake_diagnosis(&self, diagnosis: ObjectRef<NodeNetDiagnosis>) {
        let _ = self.diagnoses.unbounded_send(diagnosis.into());
    }
}

/// One watch: fills a cache and reports changes.
struct Watch<'a, K: Resource + Clone + 'static>
where
    K::DynamicType: Eq + Hash + Clone,
{
    client: &'a Client,
    writer: Writer<K>,
    /// Takes out of an object what the cache need not hold.
    tidy: fn(&mut K),
}

impl<K> Watch<'_, K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Runs until shutdown. `changed` gets the object, or `None` after a new listing, when any may have changed.
    fn spawn(
        self,
        tracker: &TaskTracker,
        shutdown: &CancellationToken,
        waker: Waker,
        changed: fn(&Waker, Option<&K>),
    ) {
        let Self {
            client,
            mut writer,
            tidy,
        } = self;
        let api = Api::<DeserializeGuard<K>>::all(client.clone());
        let events = watcher::watcher(api, watcher::Config::default())
            .default_backoff()
            .take_until(shutdown.clone().cancelled_owned());
        tracker.spawn(async move {
            let mut events = pin!(events);
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        warn!(kind = %K::kind(&()), error = &error as &dyn std::error::Error, "Watch failed, will retry");
                        continue;
                    }
                };
                let Some(event) = decoded(event, tidy) else { continue };
                writer.apply_watcher_event(&event);
                match &event {
                    Event::Apply(object) | Event::Delete(object) => changed(&waker, Some(object)),
                    Event::InitDone => changed(&waker, None),
                    Event::Init | Event::InitApply(_) => {}
                }
            }
            debug!(kind = %K::kind(&()), "Watch ended");
        });
    }
}

/// The event with its object decoded. An object that cannot be decoded is left out, so that it does not stop the watch:
/// the cache keeps the last version that could.
fn decoded<K: Resource<DynamicType = ()>>(
    event: Event<DeserializeGuard<K>>,
    tidy: fn(&mut K),
) -> Option<Event<K>> {
    let open = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(mut object) => {
            tidy(&mut object);
            Some(object)
        }
        Err(error) => {
            let name = error.metadata.name.clone().unwrap_or_default();
            warn!(kind = %K::kind(&()), object = name, error = &error as &dyn std::error::Error, "Object ignored, it cannot be decoded");
            None
        }
    };
    Some(match event {
        Event::Apply(guard) => Event::Apply(open(guard)?),
        Event::Delete(guard) => Event::Delete(open(guard)?),
        Event::InitApply(guard) => Event::InitApply(open(guard)?),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(spec: &serde_json::Value) -> Event<DeserializeGuard<NodeNetDiagnosis>> {
        let object = json!({
            "apiVersion": "netdiag.dev/v1alpha1",
            "kind": "NodeNetDiagnosis",
            "metadata": {"name": "x"},
            "spec": spec,
        });
        Event::Apply(
            serde_json::from_value(object).expect("the guard takes anything with metadata"),
        )
    }

    #[test]
    fn an_object_that_cannot_be_decoded_is_left_out() {
        let good = decoded(event(&json!({"nodes": {"all": true}})), |_| {});
        assert!(matches!(good, Some(Event::Apply(_))));
        let bad = decoded(event(&json!({"nodes": "all of them"})), |_| {});
        assert!(bad.is_none());
    }

    #[tokio::test]
    async fn a_report_wakes_its_node_and_the_diagnoses_it_serves() {
        let (nodes, _node_writer) = reflector::store();
        let (reports, _report_writer) = reflector::store();
        let (diagnoses, _diagnosis_writer) = reflector::store();
        let stores = Stores {
            nodes,
            reports,
            diagnoses,
        };
        let (waker, mut queues) = Waker::new(stores);
        let report = crate::testing::ReportBuilder::new("a")
            .assigned(0)
            .refused()
            .build();
        waker.report_changed(Some(&report));
        drop(waker);
        let node = queues.nodes.next().await.expect("woken");
        assert_eq!(node.obj_ref.name, "a");
        let diagnosis = queues.diagnoses.next().await.expect("woken");
        assert_eq!(diagnosis.obj_ref.name, "rx-dropped");
    }
}
