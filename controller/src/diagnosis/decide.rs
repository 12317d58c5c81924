//! The decision about a diagnosis. Pure: the same objects at the same time give the same plan.

use k8s_openapi::jiff::SignedDuration;
use netdiag_crds::{NodeNetDiagnosis, NodeNetDiagnosisStatus, report::Mode};

use super::{
    World, kept,
    members::{Member, Roster, members},
    progress::State,
    status::{self, Difference},
};
use crate::run::{Run, moment::Moment, selection::Selected};

/// The thing to do, and the time to look again though nothing changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The thing to do.
    pub action: Action,
    /// Running seconds until the next deadline.
    pub next: Option<i64>,
    /// Nodes of the run that wait for their part.
    pub unassigned: Vec<String>,
    /// Nodes of an unfinished run that this plan says are unreachable, each with the version of its report.
    pub blamed: Vec<(String, Option<String>)>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The stored status is right.
    Nothing,
    /// Store this status.
    WriteStatus(Box<NodeNetDiagnosisStatus>),
    /// Store this status some time: only numbers and words are others than in the stored one.
    WriteNumbers(Box<NodeNetDiagnosisStatus>),
    /// It has been complete for as long as it asked to stay.
    Delete,
}

/// Decides about a diagnosis.
pub fn decide(diagnosis: &NodeNetDiagnosis, world: &World, moment: &Moment) -> Plan {
    let mut run = Run::of(diagnosis, moment.now, moment.elapsed);
    let lifetime = lifetime(diagnosis, &run, moment);
    if lifetime.is_some_and(|left| left <= 0) {
        return Plan {
            action: Action::Delete,
            next: None,
            unassigned: Vec::new(),
            blamed: Vec::new(),
        };
    }

    let selected = Selected::of(&diagnosis.spec.nodes, &world.coverage);
    let roster = Roster::of(diagnosis, &run, &selected, world);
    let members = members(&run, &roster, world, moment);
    if let Some(status) = kept::kept(diagnosis, &run, &members) {
        let is_same = status::is_same(diagnosis.status.as_ref(), &status);
        return Plan {
            action: if is_same {
                Action::Nothing
            } else {
                Action::WriteStatus(Box::new(status))
            },
            next: lifetime,
            unassigned: Vec::new(),
            blamed: Vec::new(),
        };
    }
    let blamed = blamed(&run, &members);
    if run.mode == Mode::Once && run.start.is_some() && run.completion.is_none() {
        let waits = |state| state == State::Pending;
        let is_settled = !members.iter().any(|member| waits(member.progress.state));
        run.completion = is_settled.then_some(moment.now);
    }
    let missing = selected.missing(|name| world.has_node(name));
    let status = status::build(diagnosis, &run, roster, &members, &missing, moment.now);

    let deadlines = members.iter().filter_map(|member| member.progress.left);
    let next = deadlines
        .chain(self::lifetime(diagnosis, &run, moment))
        .min();
    let action = match status::difference(diagnosis.status.as_ref(), &status) {
        Difference::None => Action::Nothing,
        Difference::Numbers => Action::WriteNumbers(Box::new(status)),
        Difference::News => Action::WriteStatus(Box::new(status)),
    };
    let unassigned = members.iter().filter(|member| member.waits_for_part());
    let unassigned = unassigned.map(|member| member.name.to_owned()).collect();
    Plan {
        action,
        next,
        unassigned,
        blamed,
    }
}

fn blamed(run: &Run, members: &[Member<'_>]) -> Vec<(String, Option<String>)> {
    if run.completion.is_some() {
        return Vec::new();
    }
    let is_blamed = |member: &&Member<'_>| matches!(member.progress.state, State::Unreachable(_));
    let blamed = members.iter().filter(is_blamed);
    let versions = blamed.map(|member| {
        let version = member
            .report
            .and_then(|report| report.metadata.resource_version.clone());
        (member.name.to_owned(), version)
    });
    versions.collect()
}

/// Running seconds for which a complete diagnosis is still to be kept.
///
/// They count from when this process first saw it complete: the time of its completion is of another clock. Only
/// where it has been seen complete for a day, the clocks may say that its time was over before.
fn lifetime(diagnosis: &NodeNetDiagnosis, run: &Run, moment: &Moment) -> Option<i64> {
    const DAY: i64 = 24 * 60 * 60;
    let seconds = i64::from(diagnosis.spec.ttl_seconds_after_finished?);
    let completion = run.completion?;
    let left = seconds.saturating_sub(moment.complete_for);
    let expiry = completion.saturating_add(SignedDuration::from_secs(seconds));
    let is_over = expiry.is_ok_and(|expiry| expiry <= moment.now);
    if is_over {
        return Some(left.min(DAY.saturating_sub(moment.complete_for)));
    }
    Some(left)
}

#[cfg(test)]
mod tests;
