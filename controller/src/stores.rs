//! Watches: a cached copy of every object the controllers look at, and the queues that changes wake them through.

use futures::channel::mpsc;
use k8s_openapi::api::core::v1::{Node, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo};
use kube::{
    Client,
    api::ObjectMeta,
    runtime::{
        controller::ReconcileRequest,
        reflector::{self, Store, store::WriterDropped},
    },
};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport};
use netdiag_telemetry::health::Health;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    heartbeats::Heartbeats,
    run::time::RunningTime,
    stored_report::shrink::shrink,
    wake::{DiagnosisChanges, NodeChanges, ReportChanges, Waker},
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
        let mut changes = NodeChanges::new(&waker);
        nodes.spawn(tracker, shutdown, move |node| changes.changed(node));
        let reports = Watch {
            name: "watch of NodeNetReport",
            client,
            time,
            health,
            writer: report_writer,
            tidy: shrink,
        };
        let mut changes = ReportChanges::new(&waker);
        reports.spawn(tracker, shutdown, move |report| changes.changed(report));
        let diagnoses = Watch {
            name: "watch of NodeNetDiagnosis",
            client,
            time,
            health,
            writer: diagnosis_writer,
            tidy: |diagnosis: &mut NodeNetDiagnosis| diagnosis.metadata.managed_fields = None,
        };
        let mut changes = DiagnosisChanges::new(&waker);
        diagnoses.spawn(tracker, shutdown, move |diagnosis| {
            changes.changed(diagnosis);
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

/// Leaves of a Node what is read here, most of which a heartbeat does not change.
pub fn shrink_node(node: &mut Node) {
    let metadata = std::mem::take(&mut node.metadata);
    node.metadata = ObjectMeta {
        name: metadata.name,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        labels: metadata.labels,
        creation_timestamp: metadata.creation_timestamp,
        deletion_timestamp: metadata.deletion_timestamp,
        ..ObjectMeta::default()
    };
    node.spec = node.spec.take().map(|spec| NodeSpec {
        taints: spec.taints,
        unschedulable: spec.unschedulable,
        ..NodeSpec::default()
    });
    let Some(status) = node.status.take() else {
        return;
    };
    let ready = status.conditions.into_iter().flatten();
    let ready = ready.filter(|condition| condition.type_ == "Ready");
    let ready = ready.map(|condition| NodeCondition {
        type_: condition.type_,
        status: condition.status,
        ..NodeCondition::default()
    });
    let ready: Vec<_> = ready.collect();
    node.status = Some(NodeStatus {
        conditions: (!ready.is_empty()).then_some(ready),
        node_info: status.node_info.map(|info| NodeSystemInfo {
            architecture: info.architecture,
            kernel_version: info.kernel_version,
            operating_system: info.operating_system,
            os_image: info.os_image,
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    });
}
