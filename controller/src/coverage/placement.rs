//! The nodes on which the DaemonSet controller puts a pod. Pure.
//!
//! The rules are those of Kubernetes' `pkg/controller/daemon` (`NodeShouldRunDaemonPod`,
//! `AddOrUpdateDaemonPodTolerations`) and `component-helpers/scheduling/corev1` (required node affinity, tolerations), as
//! of 1.35.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration},
};
use kube::ResourceExt;

/// The taints of a node's own troubles, which every pod of a DaemonSet tolerates. The first two only as `NoExecute`, but
/// a node that is not ready yet, or no more, is one where an agent can be as soon as it is.
const TROUBLES: [&str; 6] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
];
/// The same for pods on the node's network.
const NO_NETWORK: &str = "node.kubernetes.io/network-unavailable";

const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";

/// The relation of a node to a DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It gets a pod.
    Placed,
    /// It gets none, and a pod that is there already stays: of an untolerated taint `NoSchedule`.
    Kept,
    /// It has none.
    Never,
}

/// The rules of a DaemonSet by which it chooses nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    node_selector: BTreeMap<String, String>,
    /// The terms of the required node affinity, one of which must match; `None` where there is no such affinity.
    required: Option<Vec<NodeSelectorTerm>>,
    tolerations: Vec<Toleration>,
}

impl Placement {
    /// The rules of this DaemonSet.
    pub fn of(daemon_set: &DaemonSet) -> Self {
        let template = daemon_set.spec.as_ref().map(|spec| &spec.template);
        let pod = template.and_then(|template| template.spec.clone());
        let pod = pod.unwrap_or_default();
        let is_on_host_network = pod.host_network.unwrap_or_default();
        let implied = TROUBLES
            .into_iter()
            .chain(is_on_host_network.then_some(NO_NETWORK));
        let implied = implied.map(|key| Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        });
        let PodSpec {
            node_selector,
            affinity,
            tolerations,
            ..
        } = pod;
        let required = affinity
            .and_then(|affinity| affinity.node_affinity)
            .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution);
        let own = tolerations.unwrap_or_default().into_iter();
        Self {
            node_selector: node_selector.unwrap_or_default(),
            required: required.map(|required| required.node_selector_terms),
            tolerations: own.chain(implied).collect(),
        }
    }

    /// The relation of this node to the DaemonSet.
    pub fn fit(&self, node: &Node) -> Fit {
        if !self.selects(node) || self.is_repelled(node, NO_EXECUTE) {
            Fit::Never
        } else if self.is_repelled(node, NO_SCHEDULE) {
            Fit::Kept
        } else {
            Fit::Placed
        }
    }

    fn selects(&self, node: &Node) -> bool {
        let mut wanted = self.node_selector.iter();
        wanted.all(|(key, value)| node.labels().get(key) == Some(value))
            && self
                .required
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| matches(term, node)))
    }

    /// True where the node has a taint of this effect that nothing tolerates.
    fn is_repelled(&self, node: &Node, effect: &str) -> bool {
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
        let mut taints = taints
            .into_iter()
            .flatten()
            .filter(|taint| taint.effect == effect);
        taints.any(|taint| !self.tolerations.iter().any(|it| tolerates(it, taint)))
    }
}

/// A term without any requirement matches no node.
fn matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let labels = term.match_expressions.iter().flatten();
    let fields = term.match_fields.iter().flatten();
    let is_empty = labels.clone().chain(fields.clone()).next().is_none();
    let name = node.name_any();
    // The only field that there is.
    let field = |key: &str| (key == "metadata.name").then_some(name.as_str());
    let label = |key: &str| node.labels().get(key).map(String::as_str);
    !is_empty && { labels }.all(|required| holds(required, label(&required.key))) && { fields }
        .all(|required| holds(required, field(&required.key)))
}

fn holds(required: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = required.values.as_deref().unwrap_or_default();
    let is_listed = value.is_some_and(|value| values.iter().any(|listed| listed == value));
    let numbers = || {
        let number: i64 = value?.parse().ok()?;
        let bound: i64 = values.first()?.parse().ok()?;
        Some((number, bound))
    };
    match required.operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(number, bound)| number > bound),
        "Lt" => numbers().is_some_and(|(number, bound)| number < bound),
        // The API server takes no other.
        _ => false,
    }
}

/// An empty key is every key, an empty effect every effect. For how long a taint is tolerated does not matter here.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let is_about = |wanted: &Option<String>, own: &str| {
        let wanted = wanted.as_deref().unwrap_or_default();
        wanted.is_empty() || wanted == own
    };
    if !is_about(&toleration.effect, &taint.effect) || !is_about(&toleration.key, &taint.key) {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or_default() {
        "Exists" => true,
        "" | "Equal" => toleration.value.as_deref().unwrap_or_default() == value_of(taint),
        // `Lt` and `Gt` are behind a feature gate.
        _ => false,
    }
}

fn value_of(taint: &Taint) -> &str {
    taint.value.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests;
