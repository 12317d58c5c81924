//! Readings of a stored report, of a run and of its agent, as both controllers need them.

pub mod shrink;

use k8s_openapi::{api::core::v1::Node, jiff::Timestamp};
use netdiag_crds::{
    NodeNetReport,
    report::{Assignment, RunResult},
};

use crate::run::Run;

/// This run's assignment.
pub fn assignment<'a>(report: &'a NodeNetReport, run: &Run) -> Option<&'a Assignment> {
    report
        .spec
        .assignments
        .iter()
        .find(|assignment| assignment.uid == run.uid && assignment.run_generation == run.generation)
}

/// This run's result.
pub fn result<'a>(report: &'a NodeNetReport, run: &Run) -> Option<&'a RunResult> {
    report.status.as_ref()?.results.iter().find(|result| {
        result.diagnosis_uid.as_deref() == Some(&run.uid) && result.run_generation == run.generation
    })
}

/// True where the node had no room for this run.
pub fn is_refused(report: &NodeNetReport, run: &Run) -> bool {
    report
        .spec
        .refused
        .iter()
        .any(|refused| refused.uid == run.uid && refused.run_generation == run.generation)
}

/// True where the agent has seen the present assignments.
pub fn is_acknowledged(report: &NodeNetReport) -> bool {
    let seen = report
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    seen.is_some() && seen >= report.metadata.generation
}

/// Names of the diagnoses that a change of this report may matter to.
pub fn served_diagnoses(report: &NodeNetReport) -> impl Iterator<Item = &str> {
    let assigned = report
        .spec
        .assignments
        .iter()
        .map(|assignment| assignment.name.as_str());
    let refused = report
        .spec
        .refused
        .iter()
        .map(|refused| refused.name.as_str());
    assigned.chain(refused)
}

/// The time of the agent's last write of its status, by the API server's clock.
pub fn heartbeat(report: &NodeNetReport) -> Option<Timestamp> {
    let entries = report
        .metadata
        .managed_fields
        .as_deref()
        .unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry.subresource.as_deref() == Some("status"))
        .filter_map(|entry| entry.time.as_ref().map(|time| time.0))
        .max()
}

/// True where a window of this result has ended.
pub fn has_ended(result: &RunResult) -> bool {
    result
        .window
        .as_ref()
        .is_some_and(|window| window.end_time.is_some())
}

/// True where the report is that of a deleted node whose name this node has now. Garbage collection will take it.
pub fn is_of_former_node(report: &NodeNetReport, node: &Node) -> bool {
    let owners = report
        .metadata
        .owner_references
        .as_deref()
        .unwrap_or_default();
    let mut of_nodes = owners.iter().filter(|owner| owner.kind == "Node");
    of_nodes.any(|owner| node.metadata.uid.as_deref() != Some(&owner.uid))
}
