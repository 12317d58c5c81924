//! Runs the detectors over a window, balances the ledger and keeps what was asked for.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::{
    Window,
    causes::{Check, OTHER_DROP},
    detectors,
    evidence::{EvidenceWindow, Lost},
    explained_retransmissions,
    finding::{Confidence, Finding, FindingId, Outcome, Severity, Unchecked},
    ledger::{self, LedgerEntry},
    settings::Settings,
};

/// Everything that is to be said about one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Worst first; the causes that one names may stand before or behind it and are found by id.
    pub findings: Vec<Finding>,
    /// Counters that rose, of the interfaces that were asked for.
    pub ledger: Vec<LedgerEntry>,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// What full maps and rings lost.
    pub lost: Lost,
    /// The checks that were asked for.
    pub checks: Vec<&'static Check>,
}

/// Turns a window's evidence into a diagnosis. Pure: the same window gives the same answer.
pub fn diagnose(evidence: &EvidenceWindow, settings: &Settings) -> Diagnosis {
    let window = &Window::of(evidence);
    let mut outcome = Outcome::default();
    for detector in detectors::ALL {
        let found = detector.diagnose(window, &outcome);
        outcome.extend(found);
    }
    explained_retransmissions::prove(window, &mut outcome);
    let mut ledger = ledger::balance(window, &outcome.claims);
    raise_causes(&mut outcome.findings);
    let mut findings = keep_wanted(outcome.findings, settings);
    ledger.retain(|entry| settings.wants_entry(entry));
    forget_unreported(&mut ledger, &findings);
    findings.sort_by_cached_key(|finding| reading_order(finding, &ledger));
    let mut unchecked: Vec<Unchecked> = outcome
        .unchecked
        .into_iter()
        .filter(|entry| settings.wants_check(entry.check))
        .collect();
    if !settings.any_interface_wanted(window) {
        unchecked.extend(outside(settings));
    }
    unchecked.sort();
    unchecked.dedup();
    let checks = settings.checks().collect();
    Diagnosis {
        findings,
        ledger,
        unchecked,
        lost: window.lost,
        checks,
    }
}

/// A pattern that fits no interface must not read as "nothing found there".
fn outside(settings: &Settings) -> impl Iterator<Item = Unchecked> {
    settings.checks().map(|check| {
        Unchecked::in_part(
            check,
            "no interface of the node has a name that was asked for",
        )
    })
}

/// Worst first and surest first; of equals, what explains a counter comes before what is context for it, and what no
/// check knew comes last.
fn reading_order(
    finding: &Finding,
    ledger: &[LedgerEntry],
) -> (
    Reverse<(Severity, Confidence)>,
    bool,
    bool,
    &'static Check,
    FindingId,
) {
    let mut booked = ledger.iter().flat_map(|entry| &entry.explained);
    let explains = booked.any(|booking| booking.finding.as_ref() == Some(&finding.id));
    let is_left_over = *finding.check() == OTHER_DROP;
    (
        Reverse((finding.severity, finding.confidence)),
        !explains,
        is_left_over,
        finding.check(),
        finding.id.clone(),
    )
}

/// A finding that another names in `caused_by` takes the worst severity of what it causes, along the whole chain.
fn raise_causes(findings: &mut [Finding]) {
    // Each pass carries severities one link further; a chain is never longer than the list.
    for _ in 0..findings.len() {
        let raised: Vec<(FindingId, Severity)> = findings
            .iter()
            .flat_map(|finding| {
                finding
                    .caused_by
                    .iter()
                    .map(|cause| (cause.clone(), finding.severity))
            })
            .collect();
        let mut changed = false;
        for finding in findings.iter_mut() {
            let worst = raised
                .iter()
                .filter(|(id, _)| *id == finding.id)
                .map(|(_, severity)| *severity)
                .max();
            if let Some(severity) = worst.filter(|severity| *severity > finding.severity) {
                finding.severity = severity;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
}

/// A booking points at no finding that the reader cannot look up.
fn forget_unreported(ledger: &mut [LedgerEntry], findings: &[Finding]) {
    let reported: BTreeSet<&FindingId> = findings.iter().map(|finding| &finding.id).collect();
    for booking in ledger.iter_mut().flat_map(|entry| &mut entry.explained) {
        booking.finding = booking.finding.take().filter(|id| reported.contains(id));
    }
}

/// What was asked for, and the causes of it, however far back.
fn keep_wanted(findings: Vec<Finding>, settings: &Settings) -> Vec<Finding> {
    let mut kept: Vec<FindingId> = findings
        .iter()
        .filter(|finding| settings.wants(finding))
        .map(|finding| finding.id.clone())
        .collect();
    let mut next = 0;
    while let Some(id) = kept.get(next).cloned() {
        next += 1;
        let causes = findings
            .iter()
            .filter(|finding| finding.id == id)
            .flat_map(|finding| &finding.caused_by);
        for cause in causes {
            if !kept.contains(cause) {
                kept.push(cause.clone());
            }
        }
    }
    findings
        .into_iter()
        .filter(|finding| kept.contains(&finding.id))
        .collect()
}

#[cfg(test)]
mod tests;
