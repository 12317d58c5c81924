//! Findings as the resources have them.

use netdiag_crds::{checks, limits, report::Omitted};
use netdiag_diagnosis::{
    EvidenceWindow,
    causes::{self, PEER_MTU_SMALLER},
    finding::{Proof, Remedy, Severity, Verdict},
};

use super::*;
use crate::report::{Run, keep_first_seen, run_result, time_of};

#[test]
fn hostile_text_is_escaped_and_cut_to_what_the_schema_takes() {
    let mut finding = fault(&PEER_MTU_SMALLER, Severity::Critical, veth(0));
    finding.text.headline = format!("\u{1b}]0;\u{7}{}", "ü".repeat(300));
    finding.remedies = vec![Remedy {
        command: Some("x".repeat(2000)),
        ..Remedy::default()
    }];
    finding.evidence = (0..40)
        .map(|number| Proof::new("fact", number, "", "netlink"))
        .collect();
    let status = status_of(vec![result_of("one", &diagnosis(vec![finding], vec![]))]);
    let finding = &status.results[0].findings[0];
    assert!(finding.summary.starts_with(r"\u{1b}]0;\u{7}üü"));
    assert_eq!(finding.summary.chars().count(), limits::LINE);
    assert_eq!(
        finding.remedies[0].command, None,
        "half a command is a wrong one"
    );
    assert_eq!(finding.evidence.len(), limits::EVIDENCE);
    let omitted = Omitted {
        evidence: 8,
        ..Omitted::default()
    };
    assert_eq!(status.results[0].omitted, Some(omitted));
}

#[test]
fn times_are_the_nodes_clock_in_whole_seconds() {
    let mut finding = fault(&PEER_MTU_SMALLER, Severity::Critical, veth(0));
    finding.first_ms = 1_700;
    finding.last_ms = 34_000;
    let result = result_of("one", &diagnosis(vec![finding], vec![]));
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["window"]["startTime"], "2026-03-02T03:04:10Z");
    assert_eq!(json["window"]["endTime"], "2026-03-02T03:04:45Z");
    assert_eq!(json["window"]["durationSeconds"], 35);
    assert_eq!(json["findings"][0]["firstSeen"], "2026-03-02T03:04:12Z");
    assert_eq!(json["findings"][0]["lastSeen"], "2026-03-02T03:04:44Z");
}

#[test]
fn a_finding_keeps_the_time_when_an_earlier_window_first_saw_it() {
    let first = |start: i64, numbers: [usize; 2]| {
        let findings =
            numbers.map(|number| fault(&PEER_MTU_SMALLER, Severity::Critical, veth(number)));
        let run = Run {
            diagnosis: "one",
            uid: None,
            generation: 1,
            attempts: 1,
        };
        let window = EvidenceWindow {
            start_unix_ms: start,
            ..EvidenceWindow::default()
        };
        run_result(&diagnosis(findings.to_vec(), vec![]), &window, &run).findings
    };
    let previous = first(1_000_000, [1, 2]);
    let mut current = first(2_000_000, [2, 3]);
    keep_first_seen(&mut current, &previous);
    assert_eq!(current[0].first_seen, previous[1].first_seen);
    assert_eq!(current[0].last_seen, Some(time_of(2_000_000)));
    assert_eq!(current[1].first_seen, Some(time_of(2_000_000)));
}

#[test]
fn custom_resources_know_exactly_the_checks_and_causes_there_are() {
    let known: Vec<&str> = causes::CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(known, checks::CHECKS);
    let causes = causes::CHECKS.iter().flat_map(|check| check.causes);
    let known: Vec<_> = causes
        .map(|cause| (cause.check.name, cause.name, cause.headlines))
        .collect();
    let listed = checks::CAUSES.map(|cause| (cause.check, cause.name, cause.headlines));
    assert_eq!(known, listed, "run cargo xtask codegen");
}

#[test]
fn more_bookings_than_the_schema_takes_are_summed_by_verdict() {
    let reasons: Vec<String> = (0..40).map(|number| format!("REASON_{number}")).collect();
    let verdicts = [Verdict::Benign, Verdict::Harmful];
    let bookings: Vec<_> = reasons
        .iter()
        .zip(verdicts.iter().cycle())
        .map(|(reason, verdict)| (reason.as_str(), *verdict, 2))
        .collect();
    let whole = diagnosis(vec![], vec![row("eth0", "rx_dropped", &bookings, 1)]);
    let status = status_of(vec![result_of("one", &whole)]);
    let entry = &status.results[0].ledger[0];
    assert!(entry.explained.len() <= limits::EXPLAINED);
    assert_balanced(entry);
    let totals = totals(&status.results[0].ledger);
    assert_eq!(totals[&("rx_dropped", "Benign")], 40);
    assert_eq!(totals[&("rx_dropped", "Harmful")], 40);
}
