//! Watches: a cached copy of every object the controllers look at, and the queues that changes wake them through.

use futures::channel::mpsc;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Client, ResourceExt,
    runtime::{
        controller::ReconcileRequest,
        reflector::{self, ObjectRef, Store, store::WriterDropped},
    },
};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport};
use netdiag_telemetry::health::Health;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    heartbeats::Heartbeats,
    run::time::RunningTime,
    stored_report::{keep_heartbeat, served_diagnoses},
    watch::Watch,
};

/// Read side of the caches.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Every Node, without what nobody here reads.
    pub nodes: Store<Node>,
    /// Every report.
    pub reports: Store<NodeNetReport>,
    /// Every diagnosis.
    pub diagnoses: Store<NodeNetDiagnosis>,
    /// The time of each agent's last write.
    pub heartbeats: Heartbeats,
}

/// Wakers of the two controllers. They end when the watches do.
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
        time: &RunningTime,
        health: &Health,
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
            heartbeats: Heartbeats::new(time.clone()),
        };
        let (waker, queues) = Waker::new(stores.clone());

        let nodes = Watch {
            name: "watch of Node",
            client,
            time,
            health,
            writer: node_writer,
            tidy: shrink_node,
        };
        let wake = waker.clone();
        nodes.spawn(tracker, shutdown, move |node| wake.node_changed(node));
        let reports = Watch {
            name: "watch of NodeNetReport",
            client,
            time,
            health,
            writer: report_writer,
            tidy: keep_heartbeat,
        };
        let wake = waker.clone();
        reports.spawn(tracker, shutdown, move |report| wake.report_changed(report));
        let diagnoses = Watch {
            name: "watch of NodeNetDiagnosis",
            client,
            time,
            health,
            writer: diagnosis_writer,
            tidy: |diagnosis: &mut NodeNetDiagnosis| diagnosis.metadata.managed_fields = None,
        };
        diagnoses.spawn(tracker, shutdown, move |diagnosis| {
            waker.diagnosis_changed(diagnosis);
        });
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
pub fn shrink_node(node: &mut Node) {
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
        let heartbeats = &self.stores.heartbeats;
        let Some(report) = report else {
            for report in self.stores.reports.state() {
                heartbeats.note(&report);
            }
            self.wake_all_nodes();
            self.wake_all_diagnoses();
            return;
        };
        let name = report.name_any();
        let object = ObjectRef::from_obj(report);
        match self.stores.reports.get(&object) {
            Some(_) => heartbeats.note(report),
            None => heartbeats.forget(&name),
        }
        self.wake_node(ObjectRef::new(&name));
        for name in served_diagnoses(report) {
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

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_report_wakes_its_node_and_the_diagnoses_it_serves() {
        let (nodes, _node_writer) = reflector::store();
        let (reports, _report_writer) = reflector::store();
        let (diagnoses, _diagnosis_writer) = reflector::store();
        let stores = Stores {
            nodes,
            reports,
            diagnoses,
            heartbeats: Heartbeats::new(RunningTime::start()),
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
