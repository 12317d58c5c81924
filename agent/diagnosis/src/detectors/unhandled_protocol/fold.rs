//! One finding for what happens alike in many pods: a broadcast reaches every one of them and is dropped in each.

use std::collections::BTreeMap;

use super::{CHECK, NO_RECEIVER};
use crate::{
    detectors::kit::say,
    finding::{Claim, Finding, Proof, Remedy, Severity, Subject, Text, Verdict},
};

/// Alike findings that are still told one by one.
const MOST_ALIKE: usize = 8;

/// A finding with the drops that it explains.
pub(super) struct Report {
    pub(super) finding: Finding,
    pub(super) claims: Vec<Claim>,
    /// It is about the inner end of a virtual link, outside the node's own namespace.
    pub(super) is_of_guest: bool,
}

impl Report {
    fn is_harmless(&self) -> bool {
        self.finding.severity == Severity::Info
            && self.finding.caused_by.is_empty()
            && self
                .claims
                .iter()
                .all(|claim| claim.verdict == Verdict::Benign)
    }
}

/// Folds harmless findings about many guests by protocol.
pub(super) fn fold(reports: Vec<Report>) -> Vec<Report> {
    let mut alike: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    let mut folded = Vec::new();
    for report in reports {
        match &report.finding.subject.protocol {
            Some(protocol) if report.is_of_guest && report.is_harmless() => {
                alike.entry(protocol.clone()).or_default().push(report);
            }
            _ => folded.push(report),
        }
    }
    for (protocol, reports) in alike {
        if reports.len() <= MOST_ALIKE {
            folded.extend(reports);
        } else {
            folded.push(one_for_all(&protocol, &reports));
        }
    }
    folded
}

fn one_for_all(protocol: &str, reports: &[Report]) -> Report {
    let subject = Subject::default().with_protocol(protocol);
    let findings = || reports.iter().map(|report| &report.finding);
    let count = findings().fold(0, |sum, alike| alike.count.saturating_add(sum));
    let devices = reports.len();
    let text = Text {
        headline: format!(
            "{protocol} is dropped on {devices} virtual devices, harmless: nothing listens for it"
        ),
        what: format!(
            "A frame for everybody reaches every pod on its bridge. Nothing in these namespaces registered for \
             {protocol}, so each of their devices counts the frame as dropped."
        ),
        hurts: format!("None: nobody's traffic, {count} drops on {devices} devices in all."),
    };
    let mut finding = Finding::new(CHECK, NO_RECEIVER, Severity::Info, subject, text);
    finding.count = count;
    finding.first_ms = findings().map(|alike| alike.first_ms).min().unwrap_or(0);
    finding.last_ms = findings().map(|alike| alike.last_ms).max().unwrap_or(0);
    if let Some(least) = findings().map(|alike| alike.confidence).min() {
        finding.confidence = least;
    }
    let places: Vec<String> = findings()
        .map(|alike| {
            let interface = alike
                .subject
                .interface
                .as_deref()
                .unwrap_or("a vanished device");
            match alike.subject.place() {
                Some(place) => format!("{interface} of {place}"),
                None => interface.to_owned(),
            }
        })
        .collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    finding.details.push(("Where", say::list(&places)));
    if let Some(first) = findings().next() {
        finding.details.extend(first.details.iter().cloned());
        finding.evidence.extend(first.evidence.iter().cloned());
    }
    finding.evidence.push(Proof::new(
        format!("devices that dropped {protocol}"),
        devices,
        "devices",
        "kfree_skb",
    ));
    finding.remedies.push(Remedy::advice(
        "Nothing to mend: leave Benign drops out of the alert.",
    ));
    let claims = reports
        .iter()
        .flat_map(|report| report.claims.iter().cloned())
        .map(|claim| Claim {
            finding: finding.id.clone(),
            ..claim
        })
        .collect();
    Report {
        finding,
        claims,
        is_of_guest: true,
    }
}
