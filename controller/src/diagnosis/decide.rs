//! What to do about a diagnosis. Pure: the same objects at the same time give the same plan.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use netdiag_crds::{NodeNetDiagnosis, NodeNetDiagnosisStatus, report::Mode};

use super::{World, members::members, progress::State, run::Run, selection::Selected, status};

/// What to do, and when to look again though nothing changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What to do.
    pub action: Action,
    /// The next deadline.
    pub next: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The stored status is right.
    Nothing,
    /// Store this status.
    WriteStatus(Box<NodeNetDiagnosisStatus>),
    /// It has been complete for as long as it asked to stay.
    Delete,
}

/// Decides about a diagnosis.
pub fn decide(diagnosis: &NodeNetDiagnosis, world: &World, now: Timestamp) -> Plan {
    // The API keeps whole seconds; with fractions every status would differ from the stored one.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let mut run = Run::of(diagnosis, now);
    let expiry = expiry(diagnosis, &run);
    if expiry.is_some_and(|expiry| expiry <= now) {
        return Plan {
            action: Action::Delete,
            next: None,
        };
    }

    let selected = Selected::from(&diagnosis.spec.nodes);
    let members = members(&run, &selected, world, now);
    if run.mode == Mode::Once && run.start.is_some() {
        let settled = members
            .iter()
            .all(|member| member.progress.state != State::Pending);
        let placed = members.iter().all(|member| member.has_place);
        run.frozen |= placed || settled;
        run.completion = run.completion.or(settled.then_some(now));
    }
    let missing = selected.missing(|name| world.has_node(name));
    let status = status::build(diagnosis, &run, &members, &missing, now);

    let deadlines = members.iter().filter_map(|member| member.progress.until);
    let next = deadlines.chain(self::expiry(diagnosis, &run)).min();
    let action = if status::is_same(diagnosis.status.as_ref(), &status) {
        Action::Nothing
    } else {
        Action::WriteStatus(Box::new(status))
    };
    Plan { action, next }
}

/// When a complete diagnosis is to be deleted.
fn expiry(diagnosis: &NodeNetDiagnosis, run: &Run) -> Option<Timestamp> {
    let seconds = diagnosis.spec.ttl_seconds_after_finished?;
    let lifetime = SignedDuration::from_secs(i64::from(seconds));
    run.completion?.saturating_add(lifetime).ok()
}

#[cfg(test)]
mod tests;
