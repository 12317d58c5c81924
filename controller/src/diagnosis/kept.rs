//! The status of a finished run that is not decided again: a later run has the place of its results on some node.

use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisStatus,
    conditions::{self, reasons},
    limits,
    report::Mode,
};

use super::{members::Member, phrase};
use crate::run::Run;

/// The words that follow the message of `Complete`.
const RESULTS_GONE: &str =
    "; this stands as it was then, because a later run has the place of its results on some nodes";

/// The stored status, which says from then on that the details are gone.
pub fn kept(
    diagnosis: &NodeNetDiagnosis,
    run: &Run,
    members: &[Member<'_>],
) -> Option<NodeNetDiagnosisStatus> {
    let is_over = run.mode == Mode::Once && run.completion.is_some();
    let stored = diagnosis.status.as_ref().filter(|_| is_over)?;
    let is_said = conditions::has_reason(
        &stored.conditions,
        conditions::COMPLETE,
        reasons::RESULTS_GONE,
    );
    if !is_said && !members.iter().any(has_given_way) {
        return None;
    }
    let mut kept = stored.clone();
    kept.observed_generation = diagnosis.metadata.generation;
    for condition in &mut kept.conditions {
        condition.observed_generation = diagnosis.metadata.generation;
        if condition.type_ == conditions::COMPLETE && !is_said {
            reasons::RESULTS_GONE.clone_into(&mut condition.reason);
            let most = limits::PARAGRAPH - RESULTS_GONE.len();
            condition.message = phrase::cut(&condition.message, most) + RESULTS_GONE;
        }
    }
    Some(kept)
}

/// True where other runs have every place of a node, and this one has none.
fn has_given_way(member: &Member<'_>) -> bool {
    let assignments = member.report.map(|report| report.spec.assignments.len());
    !member.has_place && assignments >= Some(limits::ASSIGNMENTS)
}
