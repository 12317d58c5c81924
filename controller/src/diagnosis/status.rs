//! The status of a diagnosis, from how far its nodes are.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisStatus, conditions,
    diagnosis::{Coverage, FleetFinding, Omitted},
    limits,
    report::Mode,
};

use super::{
    asked::Asked,
    degraded::Gaps,
    loose::Loose,
    members::{Member, Roster},
    node_findings,
    outcome::Outcome,
    phrase,
    progress::State,
    reporter::Reporter,
    rollup,
    standing::Standings,
    view::View,
};
use crate::run::Run;

/// The whole status.
pub fn build(
    diagnosis: &NodeNetDiagnosis,
    run: &Run,
    roster: Roster,
    members: &[Member<'_>],
    missing: &[&str],
    now: Timestamp,
) -> NodeNetDiagnosisStatus {
    let asked = Asked::from(&diagnosis.spec);
    let reporters = reporters(members, &asked);
    let ledger = rollup::ledger(&reporters);
    let (findings, findings_left_out) = rollup::findings(&reporters, &ledger);
    let (node_findings, nodes_left_out) = node_findings::fit(&reporters);
    let standings = Standings::of(&reporters);
    let loose = Loose::of(&reporters, &asked);
    let view = View {
        run,
        roster: &roster,
        members,
        asked: &asked,
        gaps: Gaps::of(&asked, &roster, members, missing),
        findings: &findings,
        outcome: Outcome::of(&standings, &loose),
        standings,
        loose,
        worst: reporters.iter().filter_map(Reporter::worst).max(),
        placed: members.iter().filter(|member| member.has_place).count(),
    };
    let previous = diagnosis
        .status
        .as_ref()
        .map_or(&[][..], |status| status.conditions.as_slice());
    let generation = diagnosis.metadata.generation;
    let conditions: Vec<Condition> = [
        (conditions::PROGRESSING, view.progressing()),
        (conditions::COMPLETE, view.complete()),
        (conditions::FINDINGS_PRESENT, view.findings_present()),
        (conditions::DEGRADED, view.degraded()),
    ]
    .into_iter()
    .map(|(type_, (status, reason, message))| {
        let message = phrase::cut(&message, limits::PARAGRAPH);
        conditions::condition(previous, type_, status, reason, message, generation, now)
    })
    .collect();
    let omitted = Omitted {
        nodes: count(nodes_left_out),
        findings: count(findings_left_out),
        members: count(roster.omitted),
    };
    let summary = view.summary(conditions::is_true(&conditions, conditions::DEGRADED));
    let counts = view.counts();
    let is_chosen = run.mode == Mode::Once && run.start.is_some();
    NodeNetDiagnosisStatus {
        observed_generation: generation,
        run_generation: Some(run.generation),
        run_inputs: Some(run.inputs.clone()),
        nodes_frozen: is_chosen,
        members: is_chosen.then_some(roster.names),
        elapsed_seconds: run.start.map(|_| run.elapsed),
        summary: Some(summary),
        nodes: Some(counts),
        coverage: (roster.left_out.coverage != Coverage::default())
            .then_some(roster.left_out.coverage),
        conditions,
        ledger,
        findings: findings.into_iter().map(|rolled| rolled.finding).collect(),
        node_findings,
        omitted: (omitted != Omitted::default()).then_some(omitted),
        start_time: run.start.map(Time),
        completion_time: run.completion.map(Time),
    }
}

/// True where the stored status says the same. The API server may keep a map list in another order. Time that goes by
/// is stored with the next change.
pub fn is_same(stored: Option<&NodeNetDiagnosisStatus>, status: &NodeNetDiagnosisStatus) -> bool {
    let sorted = |status: &NodeNetDiagnosisStatus| {
        let mut status = status.clone();
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status.node_findings.sort_by(|a, b| a.name.cmp(&b.name));
        status.elapsed_seconds = None;
        status
    };
    stored.is_some_and(|stored| sorted(stored) == sorted(status))
}

/// The difference between two statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They say the same.
    None,
    /// The same nodes suffer the same, and numbers or words are others.
    Numbers,
    /// Anything else.
    News,
}

/// The difference between the stored status and another.
pub fn difference(
    stored: Option<&NodeNetDiagnosisStatus>,
    status: &NodeNetDiagnosisStatus,
) -> Difference {
    if is_same(stored, status) {
        return Difference::None;
    }
    let is_alike = stored.is_some_and(|stored| is_same(Some(&essence(stored)), &essence(status)));
    if is_alike {
        Difference::Numbers
    } else {
        Difference::News
    }
}

/// The status without numbers of packets and the sentences that hold them.
fn essence(status: &NodeNetDiagnosisStatus) -> NodeNetDiagnosisStatus {
    let mut essence = status.clone();
    essence.ledger = Vec::new();
    if let Some(summary) = &mut essence.summary {
        summary.top_finding = String::new();
    }
    for condition in &mut essence.conditions {
        condition.message = String::new();
    }
    for finding in &mut essence.findings {
        finding.summary = String::new();
    }
    // The order of findings and of nodes depends on their numbers.
    let kind = |finding: &FleetFinding| {
        let (check, cause) = (finding.check.clone(), finding.cause.clone());
        (
            check,
            cause,
            finding.severity.clone(),
            finding.protocol.clone(),
        )
    };
    essence.findings.sort_by_key(kind);
    for finding in essence
        .node_findings
        .iter_mut()
        .flat_map(|node| &mut node.findings)
    {
        finding.summary = String::new();
        finding.command = None;
    }
    essence
}

fn reporters<'a>(members: &[Member<'a>], asked: &Asked<'_>) -> Vec<Reporter<'a>> {
    members
        .iter()
        .filter_map(|member| match member.progress.state {
            State::Finished(result) => Some(Reporter::new(
                member.name,
                member.node,
                member.report?,
                result,
                asked,
            )),
            State::Pending
            | State::Failed(_)
            | State::Unreachable(_)
            | State::Refused
            | State::NotAssigned => None,
        })
        .collect()
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
