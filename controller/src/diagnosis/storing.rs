//! Stores a status, under an older CRD without the fields that it lacks.

use kube::{Api, Resource, ResourceExt};
use netdiag_client::Undeclared;
use netdiag_crds::{NodeNetDiagnosis, NodeNetDiagnosisStatus, managers};
use serde_json::{Value, json};
use tracing::info;

use super::status::is_same;
use crate::older::{OlderSchema, Part};

/// Stores the whole status. The resourceVersion makes it a conflict when the decision was made on an old copy. Returns
/// its bytes, and `None` where everything is stored that the CRD has a field for.
///
/// # Errors
/// The refusal of the API server.
pub async fn store(
    api: &Api<NodeNetDiagnosis>,
    older: &OlderSchema,
    diagnosis: &NodeNetDiagnosis,
    status: &NodeNetDiagnosisStatus,
    waits: bool,
) -> Result<Option<usize>, kube::Error> {
    let name = diagnosis.name_any();
    let body = json!({
        "apiVersion": NodeNetDiagnosis::api_version(&()),
        "kind": NodeNetDiagnosis::kind(&()),
        "metadata": {"name": name, "resourceVersion": diagnosis.metadata.resource_version},
        "status": status,
    });
    let unplaced = waits
        || status
            .nodes
            .as_ref()
            .is_some_and(|nodes| nodes.not_assigned > 0);
    let shape = |lacking: &Undeclared, body: &mut Value| {
        // Without `members`, the nodes of a frozen run are those that have a part in it.
        if lacking.has("status.members") && unplaced {
            body["status"]["nodesFrozen"] = json!(false);
        }
    };
    let lacking = older.lacking();
    if !lacking.is_empty() {
        let mut left = body.clone();
        lacking.take_from(&mut left);
        shape(&lacking, &mut left);
        let left = serde_json::from_value(left["status"].take());
        if left.is_ok_and(|left| is_same(diagnosis.status.as_ref(), &left)) {
            return Ok(None);
        }
    }
    let writer = (name.as_str(), managers::CONTROLLER_DIAGNOSIS);
    older.apply(api, Part::Status, writer, &body, shape).await?;
    let summary = status.summary.clone().unwrap_or_default();
    info!(
        object = name,
        state = summary.state,
        nodes = summary.nodes,
        affected = summary.affected,
        "Status written"
    );
    Ok(Some(body.to_string().len()))
}
