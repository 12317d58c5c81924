//! The columns of `kubectl get nnr`.

use k8s_openapi::jiff::Timestamp;
use netdiag_crds::{
    NodeNetReportStatus,
    harm::Harm,
    report::{Finding, LedgerEntry, ReportSummary, RunResult, state, verdict},
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
        harm: Some(worst_harm(findings()).map_or("", Harm::as_str).to_owned()),
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

/// Packets that a window lost; `None` before its end, where some were lost and no finding says how many, and where none
/// was seen by an agent that could not look.
fn lost(result: &RunResult) -> Option<i64> {
    if ended(result).is_none() || result.state == state::FAILED {
        return None;
    }
    let is_loss = |finding: &&Finding| !finding.decision && finding.harm().is_loss();
    let mut losses = result.findings.iter().filter(is_loss).peekable();
    if losses.peek().is_none() {
        let is_blind = result.unchecked.iter().any(|unchecked| !unchecked.partly);
        return (!is_blind).then_some(0);
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

#[cfg(test)]
mod tests {
    use netdiag_crds::report::{Unchecked, Window};

    use super::*;

    fn finding(severity: &str, harm: Harm, packets: Option<i64>) -> Finding {
        Finding {
            severity: severity.to_owned(),
            harm: Some(harm.as_str().to_owned()),
            packets,
            ..Finding::default()
        }
    }

    fn finished(findings: Vec<Finding>) -> RunResult {
        let end = Timestamp::UNIX_EPOCH.into();
        RunResult {
            state: state::FINISHED.to_owned(),
            window: Some(Window {
                start_time: Timestamp::UNIX_EPOCH.into(),
                end_time: Some(end),
                duration_seconds: 35,
                attempts: 1,
            }),
            findings,
            ..RunResult::default()
        }
    }

    fn columns(result: RunResult) -> (String, Option<i64>) {
        let summary = summary(&NodeNetReportStatus {
            results: vec![result],
            ..NodeNetReportStatus::default()
        });
        (summary.harm.unwrap(), summary.lost)
    }

    #[test]
    fn what_asks_for_an_act_gives_the_harm_and_decisions_give_none() {
        let decision = Finding {
            decision: true,
            ..finding("Info", Harm::Outage, Some(100))
        };
        let unanswered = finding("Info", Harm::Outage, Some(5));
        let all = vec![
            decision.clone(),
            unanswered,
            finding("Warning", Harm::Loss, Some(7)),
        ];
        assert_eq!(columns(finished(all)), ("Loss".to_owned(), Some(12)));
        let cost = finding("Info", Harm::Cost, Some(9));
        assert_eq!(
            columns(finished(vec![decision.clone(), cost])),
            ("Cost".to_owned(), Some(0))
        );
        assert_eq!(columns(finished(vec![decision])), (String::new(), Some(0)));
    }

    #[test]
    fn loss_that_nobody_counted_and_windows_without_an_end_are_not_called_none() {
        let uncounted = finding("Warning", Harm::Loss, None);
        assert_eq!(
            columns(finished(vec![uncounted])),
            ("Loss".to_owned(), None)
        );
        let mut running = finished(Vec::new());
        running.window.as_mut().unwrap().end_time = None;
        assert_eq!(columns(running), (String::new(), None));
        let mut failed = finished(Vec::new());
        failed.state = state::FAILED.to_owned();
        assert_eq!(columns(failed), (String::new(), None));
        let mut blind = finished(Vec::new());
        blind.unchecked.push(Unchecked::default());
        assert_eq!(columns(blind), (String::new(), None));
    }
}
