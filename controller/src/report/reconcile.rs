//! Gives a node its report and keeps its assignments complete. The only writer of `spec.assignments`: two writers
//! with one field manager would erase each other's.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Resource, ResourceExt,
    runtime::{controller, reflector::ObjectRef},
};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport, managers};
use serde_json::json;
use tracing::{debug, info};

use super::decide::{Wanted, decide};
use crate::{
    context::Context,
    older::{OlderSchema, Part},
    pace::{LAG, RESYNC},
    stored_report::is_of_former_node,
    versions::{delete_params, is_outdated},
};

/// A pass failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The assignments could not be stored.
    #[error("failed to apply the assignments of node {node:?}")]
    ApplyAssignments {
        /// The node.
        node: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The agents' DaemonSet could not be read.
    #[error("failed to read the agents' DaemonSet")]
    ReadAgents(#[source] Box<kube::Error>),
    /// The report of a former node of this name could not be deleted.
    #[error("failed to delete the report of the former node {node:?}")]
    DeleteFormer {
        /// The node.
        node: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
}

/// One pass over one node. Safe to run at any time, and twice.
///
/// # Errors
/// When the API server refuses a write for another reason than that something newer is there.
pub async fn reconcile(
    node: Arc<Node>,
    context: Arc<Context>,
) -> Result<controller::Action, Error> {
    let name = node.name_any();
    if node.metadata.deletion_timestamp.is_some() {
        context.failures.forget(&name);
        return Ok(controller::Action::await_change());
    }
    let Context {
        client,
        stores,
        agents,
        failures,
        paces,
        older,
        moments,
        recorder: _,
        metrics: _,
    } = context.as_ref();
    let api = Api::<NodeNetReport>::all(client.clone());
    let report = stores.reports.get(&ObjectRef::new(&name));
    let outcome = match report.as_deref() {
        Some(report) if is_of_former_node(report, &node) => delete_former(&api, report).await,
        report => {
            let diagnoses = stores.diagnoses.state();
            let moment = |diagnosis: &NodeNetDiagnosis| moments.of(diagnosis);
            let is_of_all = |of: &Arc<NodeNetDiagnosis>| of.spec.nodes.all == Some(true);
            let coverage = if diagnoses.iter().any(is_of_all) {
                let known = agents.known().await;
                known.map_err(|source| Error::ReadAgents(Box::new(source)))?
            } else {
                Arc::default()
            };
            match decide(&node, report, &diagnoses, &coverage, moment) {
                Some(wanted) => {
                    let applied = apply(&api, older, &node, report, &wanted).await;
                    // Until the watch brings what was written, the next pass would write it again.
                    applied.inspect(|()| paces.wrote(&name, 0))
                }
                None => Ok(()),
            }
        }
    };
    match outcome {
        Ok(()) => {}
        Err(Error::ApplyAssignments { source, .. } | Error::DeleteFormer { source, .. })
            if is_outdated(&source) =>
        {
            debug!(node = name, "Report changed meanwhile");
            return Ok(controller::Action::requeue(LAG));
        }
        Err(error) => return Err(error),
    }
    failures.forget(&name);
    Ok(controller::Action::requeue(RESYNC))
}

/// Stores the complete list, and the labels. With a report that is there, the resourceVersion makes it a conflict when
/// the decision was made on an old copy; one that is not there has none, and its first list is corrected by the next
/// pass if need be.
async fn apply(
    api: &Api<NodeNetReport>,
    older: &OlderSchema,
    node: &Node,
    report: Option<&NodeNetReport>,
    Wanted { spec, labels }: &Wanted,
) -> Result<(), Error> {
    let name = node.name_any();
    let mut body = json!({
        "apiVersion": NodeNetReport::api_version(&()),
        "kind": NodeNetReport::kind(&()),
        "metadata": {"name": name, "labels": labels, "ownerReferences": [node.owner_ref(&())]},
        "spec": spec,
    });
    if let Some(version) = report.and_then(|report| report.metadata.resource_version.as_deref()) {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    let writer = (name.as_str(), managers::CONTROLLER_REPORT);
    let written = older.apply(api, Part::Whole, writer, &body, |_, _| {});
    let applied = written.await;
    applied.map_err(|source| Error::ApplyAssignments {
        node: name.clone(),
        source: Box::new(source),
    })?;
    info!(
        node = name,
        assignments = spec.assignments.len(),
        refused = spec.refused.len(),
        ?labels,
        "Assignments written"
    );
    Ok(())
}

/// Deletes the report of a former node: garbage collection would do it, later.
async fn delete_former(api: &Api<NodeNetReport>, report: &NodeNetReport) -> Result<(), Error> {
    let name = report.name_any();
    let deleted = api.delete(&name, &delete_params(report)).await;
    deleted.map_err(|source| Error::DeleteFormer {
        node: name.clone(),
        source: Box::new(source),
    })?;
    info!(node = name, "Report of a former node deleted");
    Ok(())
}
