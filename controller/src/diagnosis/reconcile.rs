//! Carries out what [`decide`](super::decide) says about a diagnosis.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Resource, ResourceExt,
    api::ListParams,
    runtime::{
        controller,
        events::{Event, EventType, Recorder},
    },
};
use netdiag_crds::{NodeNetDiagnosis, NodeNetDiagnosisStatus, NodeNetReport};
use tracing::{debug, info, warn};

use super::{
    World,
    decide::{Action, Plan, decide},
    phrase, storing, turning_points,
};
use crate::{
    context::Context,
    coverage::Coverage,
    pace::{self, LAG, RESYNC},
    run::{Run, window},
    versions::{delete_params, is_outdated},
};

/// Reports that are looked at in one pass before their nodes are blamed, so that a pass stays short ..
const LOOKS: usize = 200;
/// .. and so many of them at a time.
const LOOKS_AT_A_TIME: usize = 8;

/// The API server refuses a note of more than 1 kB.
const LONGEST_NOTE: usize = 1000;

/// A pass failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The status could not be stored.
    #[error("failed to apply the status of NodeNetDiagnosis {name:?}")]
    ApplyStatus {
        /// The diagnosis.
        name: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The report of a node that would be called unreachable could not be read.
    #[error("failed to look at the report of node {node:?}")]
    LookAtReport {
        /// The node.
        node: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The agents' DaemonSet could not be read.
    #[error("failed to read the agents' DaemonSet")]
    ReadAgents(#[source] Box<kube::Error>),
    /// A diagnosis whose time is over could not be deleted.
    #[error("failed to delete NodeNetDiagnosis {name:?}")]
    Delete {
        /// The diagnosis.
        name: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
}

/// One pass over one diagnosis. Safe to run at any time, and twice.
///
/// # Errors
/// When the API server refuses a write for another reason than that something newer is there.
pub async fn reconcile(
    diagnosis: Arc<NodeNetDiagnosis>,
    context: Arc<Context>,
) -> Result<controller::Action, Error> {
    let name = diagnosis.name_any();
    if diagnosis.metadata.deletion_timestamp.is_some() {
        context.failures.forget(&name);
        return Ok(controller::Action::await_change());
    }
    let coverage = coverage(&diagnosis, &context).await;
    let coverage = coverage.map_err(|source| Error::ReadAgents(Box::new(source)))?;
    let began = Instant::now();
    let world = World::snapshot(&context.stores, coverage);
    let moment = context.moments.of(&diagnosis);
    let Plan {
        action,
        next,
        unassigned,
        blamed,
    } = decide(&diagnosis, &world, &moment);
    drop(world);
    context.paces.looked(&name, began.elapsed());
    if let Action::WriteNumbers(_) = action
        && let Some(wait) = context.paces.wait_for_numbers(&name)
    {
        let next = next.map_or(RESYNC, pace::after);
        return Ok(controller::Action::requeue(next.min(wait)));
    }
    let waits = !unassigned.is_empty();
    context.moments.unassigned(&diagnosis, &moment, unassigned);
    if !are_as_seen(&diagnosis, blamed, &context).await? {
        debug!(object = name, "Nobody is blamed yet");
        return Ok(controller::Action::requeue(LAG));
    }
    let is_write = matches!(action, Action::WriteStatus(_) | Action::WriteNumbers(_));
    match apply(action, waits, &diagnosis, &context).await {
        Ok(()) => {}
        Err(Error::ApplyStatus { source, .. } | Error::Delete { source, .. })
            if is_outdated(&source) =>
        {
            debug!(object = name, "Diagnosis changed meanwhile");
            return Ok(controller::Action::requeue(LAG));
        }
        Err(error) => return Err(error),
    }
    context.failures.forget(&name);
    // Only a status of which something is left out is decided upon without a change.
    let retry = context.older.retry().filter(|_| is_write);
    let next = next.into_iter().chain(retry).min();
    Ok(controller::Action::requeue(
        next.map_or(RESYNC, pace::after),
    ))
}

/// The nodes where an agent can be: read anew for a run that begins, and not needed for one that selects by name or label.
async fn coverage(
    diagnosis: &NodeNetDiagnosis,
    context: &Context,
) -> Result<Arc<Coverage>, kube::Error> {
    if diagnosis.spec.nodes.all != Some(true) {
        return Ok(Arc::default());
    }
    match Run::stored(diagnosis) {
        None => context.agents.read().await,
        Some(_) => context.agents.known().await,
    }
}

/// Looks at the reports of nodes that are about to be called unreachable, once each: a watch can be deaf for more than
/// a minute before it is noticed. Whether every one is as the decision knows it.
async fn are_as_seen(
    diagnosis: &NodeNetDiagnosis,
    blamed: Vec<(String, Option<String>)>,
    context: &Context,
) -> Result<bool, Error> {
    let reports = Api::<NodeNetReport>::all(context.client.clone());
    let mut left = context.moments.not_looked_at(diagnosis, blamed);
    // The next pass looks at the rest.
    let rest = left.split_off(left.len().min(LOOKS));
    let look = async |(node, seen): (String, Option<String>)| {
        // Listed, not read by name, for which the controller has no permission.
        let own = ListParams::default().fields(&format!("metadata.name={node}"));
        let found = reports.list_metadata(&own).await;
        let found = found.map_err(|source| Error::LookAtReport {
            node: node.clone(),
            source: Box::new(source),
        })?;
        let stored = found.items.into_iter().next();
        let is_as_seen = stored.and_then(|report| report.metadata.resource_version) == seen;
        if is_as_seen {
            context.moments.looked_at(diagnosis, node, seen);
        }
        Ok::<bool, Error>(is_as_seen)
    };
    let looks = stream::iter(left)
        .map(look)
        .buffer_unordered(LOOKS_AT_A_TIME);
    let all: Vec<bool> = looks.try_collect().await?;
    Ok(rest.is_empty() && all.iter().all(|is_as_seen| *is_as_seen))
}

/// Carries out what was decided. `waits`: some node of the run has no part in it yet.
async fn apply(
    action: Action,
    waits: bool,
    diagnosis: &NodeNetDiagnosis,
    context: &Context,
) -> Result<(), Error> {
    let api = Api::<NodeNetDiagnosis>::all(context.client.clone());
    let name = || diagnosis.name_any();
    match action {
        Action::Nothing => {}
        Action::WriteStatus(status) | Action::WriteNumbers(status) => {
            let written = storing::store(&api, &context.older, diagnosis, &status, waits).await;
            let written = written.map_err(|source| Error::ApplyStatus {
                name: name(),
                source: Box::new(source),
            })?;
            if let Some(bytes) = written {
                context.paces.wrote(&name(), bytes);
                announce(&context.recorder, diagnosis, &status).await;
            }
        }
        Action::Delete => {
            let deleted = delete(&api, diagnosis).await;
            deleted.map_err(|source| Error::Delete {
                name: name(),
                source: Box::new(source),
            })?;
        }
    }
    Ok(())
}

/// Makes an Event of each turning point that the status just written brings. One that cannot be published is only
/// logged: the status says the same.
async fn announce(
    recorder: &Recorder,
    diagnosis: &NodeNetDiagnosis,
    written: &NodeNetDiagnosisStatus,
) {
    let (_, window_seconds) = window(&diagnosis.spec);
    for point in turning_points::between(diagnosis.status.as_ref(), written, window_seconds) {
        let event = Event {
            type_: if point.is_warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: point.reason.to_owned(),
            note: Some(phrase::cut(&point.note, LONGEST_NOTE)),
            action: "Diagnose".to_owned(),
            secondary: None,
        };
        let published = recorder.publish(&event, &diagnosis.object_ref(&())).await;
        if let Err(error) = published {
            warn!(
                object = diagnosis.name_any(),
                reason = event.reason,
                error = &error as &dyn std::error::Error,
                "Event not published"
            );
        }
    }
}

/// Deletes a diagnosis whose time is over.
async fn delete(
    api: &Api<NodeNetDiagnosis>,
    diagnosis: &NodeNetDiagnosis,
) -> Result<(), kube::Error> {
    api.delete(&diagnosis.name_any(), &delete_params(diagnosis))
        .await?;
    info!(
        object = diagnosis.name_any(),
        "Diagnosis deleted, its ttlSecondsAfterFinished is over"
    );
    Ok(())
}
