//! Recordings whose samples are taken away, wholly and by half: a drop of which no packet was seen is not judged milder,
//! and its finding says so.

use std::path::Path;

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow, Settings, diagnose,
    evidence::Observed,
    finding::{Finding, Severity},
};

use super::testdata::recordings;

/// Says of the nth sample whether it is kept.
type Keeps = fn(usize) -> bool;

/// The samples of a recording that are kept.
const KEPT: [(&str, Keeps); 3] = [
    ("none", |_| false),
    ("each second", |number| number % 2 == 0),
    ("each other second", |number| number % 2 == 1),
];

fn with_samples(evidence: &EvidenceWindow, keeps: fn(usize) -> bool) -> EvidenceWindow {
    let mut evidence = evidence.clone();
    if let Observed::Complete { value } | Observed::Partial { value, .. } = &mut evidence.drops {
        let mut number = 0;
        value.samples.retain(|_| {
            number += 1;
            keeps(number - 1)
        });
    }
    evidence
}

fn warns(finding: &&Finding) -> bool {
    finding.severity() > Severity::Info
}

/// The drops that findings of this urgency speak for.
fn count(findings: &[Finding], severity: Severity) -> u64 {
    let findings = findings.iter().filter(|one| one.severity() >= severity);
    findings.map(|one| one.count).sum()
}

fn says_unseen(finding: &Finding) -> bool {
    finding
        .details
        .iter()
        .any(|(label, _)| *label == "Not seen")
}

/// The way in which a warning of the whole recording became milder, or another cause without a word.
fn milder(whole: &Diagnosis, less: &Diagnosis) -> Option<String> {
    for finding in whole.findings.iter().filter(warns) {
        let severity = finding.severity();
        let same = less.findings.iter().find(|one| one.id == finding.id);
        if same.is_some_and(|one| one.severity() >= severity && one.count >= finding.count) {
            continue;
        }
        let enough = count(&less.findings, severity) >= finding.count;
        let told = less
            .findings
            .iter()
            .any(|one| one.severity() >= severity && says_unseen(one));
        if !enough || !told {
            return Some(format!(
                "{} {severity:?} {}",
                finding.id.as_str(),
                finding.count
            ));
        }
    }
    None
}

/// A finding that blames a mechanism which the whole recording does not show.
fn invented<'a>(whole: &Diagnosis, less: &'a Diagnosis) -> Option<&'a Finding> {
    let known = |one: &&Finding| {
        let mut causes = whole.findings.iter().map(|other| other.cause.to_string());
        let cause = one.cause.to_string();
        causes.any(|other| other == cause) || one.check().name == "OtherDrop" || cause == "Unseen"
    };
    less.findings.iter().filter(warns).find(|one| !known(one))
}

fn show(diagnosis: &Diagnosis) -> String {
    let line = |one: &Finding| {
        let (id, severity) = (one.id.as_str(), one.severity());
        format!("    {id} {severity:?} {} {:?}", one.count, one.details)
    };
    let warnings = diagnosis.findings.iter().filter(warns);
    warnings.map(line).collect::<Vec<_>>().join("\n")
}

fn name(file: &Path) -> String {
    let parts: Vec<_> = file
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy())
        .collect();
    parts.join(" on ")
}

#[test]
fn without_samples_no_verdict_gets_milder() {
    let mut wrong = Vec::new();
    for (file, recording) in recordings() {
        let whole = diagnose(&recording.evidence, &Settings::default());
        for (kept, keeps) in KEPT {
            let less = with_samples(&recording.evidence, keeps);
            let less = diagnose(&less, &Settings::default());
            let invented =
                invented(&whole, &less).map(|one| format!("invents {}", one.id.as_str()));
            if let Some(what) = milder(&whole, &less).or(invented) {
                wrong.push(format!("{}, {kept}: {what}\n{}", name(&file), show(&less)));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
