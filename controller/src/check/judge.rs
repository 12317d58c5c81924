//! The meaning of an installation's objects. Pure.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Namespace};

use super::{
    agents,
    seen::Seen,
    statement::{Statement, unread},
};
use crate::cli::CheckArgs;

/// The label by which a namespace says which pods it takes:
/// <https://kubernetes.io/docs/concepts/security/pod-security-admission/>.
const ENFORCED: &str = "pod-security.kubernetes.io/enforce";

/// All that is to be said, in the order in which things depend on each other.
pub fn judge(seen: &Seen, args: &CheckArgs) -> Vec<Statement> {
    let mut statements = vec![
        kinds(seen),
        controller(seen, args),
        pod_security(seen, args),
    ];
    statements.extend(agents::agents(seen, args));
    statements
}

fn kinds(seen: &Seen) -> Statement {
    let diagnoses = seen.diagnoses.as_ref().map(Option::is_some);
    let reports = seen.reports.as_ref().map(Option::is_some);
    let (diagnoses, reports) = match (diagnoses, reports) {
        (Err(error), _) => return unread("The diagnoses", error),
        (_, Err(error)) => return unread("The reports", error),
        (Ok(diagnoses), Ok(reports)) => (diagnoses, reports),
    };
    let missing = match (diagnoses, reports) {
        (true, true) => {
            return Statement::well("The API server serves NodeNetDiagnosis and NodeNetReport.");
        }
        (false, true) => "NodeNetDiagnosis",
        (true, false) => "NodeNetReport",
        (false, false) => "NodeNetDiagnosis and NodeNetReport",
    };
    Statement::wrong(format!(
        "The API server does not serve {missing}: the custom resource definitions are not installed. Upgrade the \
         release with crds.install=true."
    ))
}

fn controller(seen: &Seen, args: &CheckArgs) -> Statement {
    let CheckArgs {
        namespace,
        controller,
        ..
    } = args;
    let deployment = match &seen.controller {
        Err(error) => return unread("The controller's Deployment", error),
        Ok(None) => {
            return Statement::wrong(format!(
                "There is no Deployment {controller} in the namespace {namespace}."
            ));
        }
        Ok(Some(deployment)) => deployment,
    };
    let (ready, wanted) = replicas(deployment);
    if ready == 0 {
        return Statement::wrong(format!(
            "No replica of the controller is ready, so nothing is assigned or rolled up. \
             `kubectl describe pods -n {namespace} -l app.kubernetes.io/component=controller` says why."
        ));
    }
    let text = format!("{ready} of {wanted} replicas of the controller are ready");
    if ready < wanted {
        Statement::note(format!("{text}; one works, the others only take over."))
    } else {
        Statement::well(format!("{text}."))
    }
}

fn replicas(deployment: &Deployment) -> (i32, i32) {
    let spec = deployment.spec.as_ref();
    let status = deployment.status.as_ref();
    let ready = status.and_then(|status| status.ready_replicas);
    let wanted = spec.and_then(|spec| spec.replicas);
    (ready.unwrap_or(0), wanted.unwrap_or(1))
}

fn pod_security(seen: &Seen, args: &CheckArgs) -> Statement {
    let name = &args.namespace;
    let namespace: &Namespace = match &seen.namespace {
        Err(error) => return unread("The namespace", error),
        Ok(None) => return Statement::wrong(format!("There is no namespace {name}.")),
        Ok(Some(namespace)) => namespace,
    };
    let labels = namespace.metadata.labels.as_ref();
    match labels.and_then(|labels| labels.get(ENFORCED)) {
        None => Statement::well(format!(
            "The namespace {name} enforces no Pod Security level of its own; the agents need \"privileged\"."
        )),
        Some(level) if level == "privileged" => Statement::well(format!(
            "The namespace {name} allows Pod Security \"privileged\", which the agents need."
        )),
        Some(level) => Statement::wrong(format!(
            "The namespace {name} enforces Pod Security {level:?}, which refuses pods on the node's network and process \
             ids, as the agents are. `kubectl label namespace {name} {ENFORCED}=privileged --overwrite` allows them."
        )),
    }
}

#[cfg(test)]
mod tests;
