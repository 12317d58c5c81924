//! A cached copy of every object that the controllers look at.

use k8s_openapi::api::core::v1::{Node, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo};
use kube::{
    api::ObjectMeta,
    runtime::reflector::{Store, store::WriterDropped},
};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport};

use crate::heartbeats::Heartbeats;

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

impl Stores {
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
