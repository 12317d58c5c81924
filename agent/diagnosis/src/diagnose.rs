//! Runs the detectors over a window, balances the ledger and keeps what was asked for.

use serde::Serialize;

use crate::{
    detectors::{self, Outcome},
    evidence::{EvidenceWindow, Lost},
    finding::{Finding, FindingId, Severity, Unchecked},
    ledger::{self, LedgerEntry},
    settings::Settings,
};

/// Everything that is to be said about one window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Worst first, each before what it causes is not guaranteed; causes are found by id.
    pub findings: Vec<Finding>,
    /// Counters that rose.
    pub ledger: Vec<LedgerEntry>,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// What full maps and rings lost.
    pub lost: Lost,
    /// Names of the checks that were asked for.
    pub checks: Vec<&'static str>,
}

/// Turns a window's evidence into a diagnosis. Pure: the same window gives the same answer.
pub fn diagnose(window: &EvidenceWindow, settings: &Settings) -> Diagnosis {
    let mut outcome = Outcome::default();
    for detector in detectors::ALL {
        let found = detector.diagnose(window, &outcome);
        outcome.extend(found);
    }
    let ledger = ledger::balance(window, &outcome.claims);
    raise_causes(&mut outcome.findings);
    let mut findings = keep_wanted(outcome.findings, settings);
    findings.sort_by(|a, b| (b.severity, a.check, &a.id).cmp(&(a.severity, b.check, &b.id)));
    let mut unchecked: Vec<Unchecked> = outcome
        .unchecked
        .into_iter()
        .filter(|entry| settings.wants_check(entry.check))
        .collect();
    unchecked.sort();
    unchecked.dedup();
    let checks = detectors::ALL
        .iter()
        .map(|detector| detector.meta().name)
        .filter(|name| settings.wants_check(name))
        .collect();
    Diagnosis {
        findings,
        ledger,
        unchecked,
        lost: window.lost,
        checks,
    }
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
