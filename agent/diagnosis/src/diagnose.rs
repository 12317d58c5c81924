//! Runs the detectors over a window, balances the ledger and keeps what was asked for.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use crate::{
    Window,
    causes::{Check, OTHER_DROP},
    detectors,
    evidence::{EvidenceWindow, Lost},
    explained_retransmissions,
    finding::{Confidence, Finding, FindingId, Harm, Outcome, Severity, Unchecked, Unmade},
    ledger::{self, LedgerEntry},
    settings::{Settings, Unmatched},
    unseen,
};

/// Everything that is to be said about one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// Worst first; the causes that one names may stand before or behind it and are found by id.
    pub findings: Vec<Finding>,
    /// Counters that rose, of the interfaces that were asked for.
    pub ledger: Vec<LedgerEntry>,
    /// The checks that could not be made, or only in part.
    pub unchecked: Vec<Unchecked>,
    /// The counts and samples that full maps and rings lost.
    pub lost: Lost,
    /// The checks that were asked for.
    pub checks: Vec<&'static Check>,
    /// The interfaces that were asked for, when the node has none of them.
    pub unmatched: Option<Unmatched>,
    /// The end that the window should have had, in milliseconds, when a person ended it before.
    pub ended_before_ms: Option<u64>,
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
    unseen::tell(window, &mut outcome);
    let mut ledger = ledger::balance(window, &outcome.claims);
    let mut findings = keep_wanted(outcome.findings, settings);
    ledger.retain(|entry| settings.wants_entry(entry));
    forget_unreported(&mut ledger, &findings);
    let booked: HashSet<&FindingId> = booked(&ledger).collect();
    findings.sort_by_cached_key(|finding| reading_order(finding, &booked));
    let mut unchecked: Vec<Unchecked> = outcome
        .unchecked
        .into_iter()
        .filter(|entry| settings.wants_check(entry.check))
        .collect();
    let unmatched = Unmatched::of(settings, window);
    if unmatched.is_some() {
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
        unmatched,
        ended_before_ms: None,
    }
}

/// A pattern that fits no interface must not read as "nothing found there": no check was made of what was asked for.
fn outside(settings: &Settings) -> impl Iterator<Item = Unchecked> {
    settings.checks().map(|check| Unchecked {
        check,
        unmade: Unmade::All,
        reason: "no interface of the node has a name that was asked for".to_owned(),
    })
}

/// The key of the order in which findings are read.
type ReadingOrder = (
    Reverse<(bool, Harm, Severity, Confidence)>,
    bool,
    bool,
    &'static Check,
    FindingId,
);

/// Sorts the findings: those that ask for an act first, by harm and severity, and the surest first; of equals, those
/// that explain a counter before those that are context for it, and those of no known check last.
fn reading_order(finding: &Finding, booked: &HashSet<&FindingId>) -> ReadingOrder {
    let is_left_over = *finding.check() == OTHER_DROP;
    let severity = finding.severity();
    let harm = match finding.assessment.is_decision() {
        true => Harm::None,
        false => finding.assessment.harm,
    };
    let asks = severity > Severity::Info;
    (
        Reverse((asks, harm, severity, finding.confidence)),
        !booked.contains(&finding.id),
        is_left_over,
        finding.check(),
        finding.id.clone(),
    )
}

/// The findings that explain a counter.
fn booked(ledger: &[LedgerEntry]) -> impl Iterator<Item = &FindingId> {
    let bookings = ledger.iter().flat_map(|entry| &entry.explained);
    bookings.filter_map(|booking| booking.finding.as_ref())
}

/// The places of findings in a list.
fn places(findings: &[Finding]) -> HashMap<FindingId, usize> {
    let ids = findings.iter().map(|finding| finding.id.clone());
    ids.zip(0..).collect()
}

/// A booking points at no finding that the reader cannot look up.
fn forget_unreported(ledger: &mut [LedgerEntry], findings: &[Finding]) {
    let reported: HashSet<&FindingId> = findings.iter().map(|finding| &finding.id).collect();
    for booking in ledger.iter_mut().flat_map(|entry| &mut entry.explained) {
        booking.finding = booking.finding.take().filter(|id| reported.contains(id));
    }
}

/// Keeps the findings that were asked for, and their causes, however far back.
fn keep_wanted(mut findings: Vec<Finding>, settings: &Settings) -> Vec<Finding> {
    let places = places(&findings);
    let mut is_kept = vec![false; findings.len()];
    let wanted = findings.iter().enumerate();
    let wanted = wanted.filter(|(_, finding)| settings.wants(finding));
    let mut waiting: Vec<usize> = wanted.map(|(place, _)| place).collect();
    while let Some(place) = waiting.pop() {
        if !is_kept[place] {
            is_kept[place] = true;
            let causes = findings[place].caused_by.iter();
            waiting.extend(causes.filter_map(|cause| places.get(cause)));
        }
    }
    let mut is_kept = is_kept.into_iter();
    findings.retain(|_| is_kept.next() == Some(true));
    findings
}

#[cfg(test)]
mod tests;
