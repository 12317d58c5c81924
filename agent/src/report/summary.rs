//! The columns of `kubectl get nnr`.

use k8s_openapi::jiff::Timestamp;
use netdiag_crds::{
    NodeNetReportStatus,
    harm::Harm,
    report::{Finding, LedgerEntry, ReportSummary, RunResult, verdict},
    severity::Severity,
};

use crate::probes::standing::{ATTACHED, IDLE};

/// The columns, derived from the rest of a status.
pub fn summary(status: &NodeNetReportStatus) -> ReportSummary {
    let working = status
        .probes
        .iter()
        .filter(|probe| matches!(probe.state.as_str(), ATTACHED | IDLE))
        .count();
    let findings = || status.results.iter().flat_map(|result| &result.findings);
    let severity = findings()
        .map(|finding| Severity::from_status(&finding.severity))
        .max();
    // Runs overlap, so what one of them could not explain is in the others too: the newest window speaks.
    let newest = status.results.iter().max_by_key(|result| ended(result));
    ReportSummary {
        probes: format!("{working}/{}", status.probes.len()),
        harm: worst_harm(findings()).map(|harm| harm.as_str().to_owned()),
        severity: severity.map_or("", Severity::as_str).to_owned(),
        findings: sum(status.results.iter().map(count)),
        lost: newest.and_then(lost),
        unexplained: newest.map_or(0, |result| sum(result.ledger.iter().map(open))),
        last_window: newest
            .and_then(|result| result.window.as_ref())
            .and_then(|window| window.end_time.clone()),
    }
}

/// Counters may hold anything where a recording is replayed.
fn sum(counts: impl Iterator<Item = i64>) -> i64 {
    counts.fold(0, i64::saturating_add)
}

/// The harm that the first sentence is about: of what asks for an act, else of the rest; decisions aside.
fn worst_harm<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<Harm> {
    let undecided = findings.filter(|finding| !finding.decision);
    let ranked = undecided.map(|finding| {
        let asks = Severity::from_status(&finding.severity) > Severity::Info;
        (asks, finding.harm())
    });
    ranked.max().map(|(_, harm)| harm)
}

/// Packets that a window lost; `None` where some were lost and no finding says how many.
fn lost(result: &RunResult) -> Option<i64> {
    let is_loss = |finding: &&Finding| !finding.decision && finding.harm().is_loss();
    let mut losses = result.findings.iter().filter(is_loss).peekable();
    if losses.peek().is_none() {
        return Some(0);
    }
    let known = losses.filter_map(|finding| finding.packets);
    known.reduce(i64::saturating_add)
}

fn ended(result: &RunResult) -> Option<Timestamp> {
    let window = result.window.as_ref()?;
    Some(window.end_time.as_ref()?.0)
}

/// Findings of a result, those that did not fit too.
fn count(result: &RunResult) -> i64 {
    let shown = i64::try_from(result.findings.len()).unwrap_or(i64::MAX);
    let omitted = result.omitted.map_or(0, |omitted| omitted.findings);
    shown.saturating_add(omitted)
}

/// Packets of a counter of which nobody can say that they are harmless or harmful.
fn open(entry: &LedgerEntry) -> i64 {
    let unknown = entry
        .explained
        .iter()
        .filter(|booking| booking.verdict == verdict::UNKNOWN)
        .map(|booking| booking.count);
    unknown.fold(entry.unexplained, i64::saturating_add)
}
