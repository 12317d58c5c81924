//! A node's object stays small, and nothing that matters goes missing.

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::report::RunResult;
use netdiag_diagnosis::causes::{CORRUPTION, NO_RECEIVER, PEER_MTU_SMALLER, UNEXPLAINED};
use netdiag_diagnosis::finding::{self, Severity, Verdict};

use super::*;

#[test]
fn a_report_that_fits_is_left_alone() {
    let findings = (0..3).map(|number| fault(&PEER_MTU_SMALLER, Severity::Critical, veth(number)));
    let status = status_of(vec![result_of(
        "one",
        &diagnosis(findings.collect(), vec![]),
    )]);
    assert_eq!(fitted(&status), status);
}

#[test]
fn two_hundred_faults_on_one_node_fit_and_none_goes_missing() {
    let findings =
        (0..200).map(|number| fault(&PEER_MTU_SMALLER, Severity::Critical, veth(number)));
    let ledger = (0..400).map(|number| {
        row(
            &format!("veth{number:08x}"),
            "rx_dropped",
            &[("PKT_TOO_BIG", Verdict::Harmful, 7)],
            1,
        )
    });
    let whole = status_of(vec![result_of(
        "one",
        &diagnosis(findings.collect(), ledger.collect()),
    )]);
    let status = fitted(&whole);

    assert!(REST + bytes(&status) < OBJECT_BYTES, "{}", bytes(&status));
    let result = &status.results[0];
    assert_eq!(
        faults(&result.findings),
        BTreeMap::from([(("LinkMtu", "PeerMtuSmaller", "Critical"), 200)])
    );
    assert_eq!(
        result.findings[0], whole.results[0].findings[0],
        "the worst stays in full"
    );
    let folded = result.findings.last().unwrap();
    assert!(
        folded
            .summary
            .contains("alike, such as shop/checkout-7d9c6b5f4-"),
        "{}",
        folded.summary
    );
    assert!(folded.folded.is_some_and(|number| number > 1));
    assert_eq!(folded.remedies[0].text, "Give both ends one MTU.");
    assert_eq!(
        folded.remedies[0].command, None,
        "a command names one interface of many"
    );

    result.ledger.iter().for_each(assert_balanced);
    assert_eq!(totals(&result.ledger), totals(&whole.results[0].ledger));
    let omitted = result.omitted.unwrap();
    assert_eq!(
        omitted.findings + i64::try_from(result.findings.len()).unwrap(),
        200
    );
    assert_eq!(
        omitted.ledger + i64::try_from(result.ledger.len()).unwrap(),
        400
    );
    assert_eq!(summary(&status).findings, 200);
}

#[test]
fn evidence_goes_before_explanation_and_harmless_findings_before_faults() {
    let mut findings = vec![fault(&PEER_MTU_SMALLER, Severity::Critical, veth(0))];
    findings.extend((1..12).map(|number| fault(&CORRUPTION, Severity::Warning, veth(number))));
    findings.extend((12..90).map(|number| fault(&NO_RECEIVER, Severity::Info, veth(number))));
    let status = fitted(&status_of(vec![result_of(
        "one",
        &diagnosis(findings, vec![]),
    )]));
    let findings = &status.results[0].findings;
    let warnings = findings.iter().filter(is_worse).count();
    assert_eq!(warnings, 12, "each fault is there by itself");
    assert!(findings.len() < 90);
    let omitted = status.results[0].omitted.unwrap();
    assert_eq!(
        omitted.findings,
        90 - i64::try_from(findings.len()).unwrap()
    );
    assert!(omitted.evidence > 0);
    for finding in findings {
        assert!(finding.evidence.is_empty() || finding.explanation.is_some());
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.remedies[0].command.is_some())
    );
}

#[test]
fn references_follow_a_finding_that_was_folded() {
    let causes: Vec<finding::Finding> = (0..100)
        .map(|number| fault(&UNEXPLAINED, Severity::Warning, veth(number)))
        .collect();
    let mut effect = fault(&NO_RECEIVER, Severity::Critical, veth(500));
    effect.caused_by = vec![causes[98].id.clone(), causes[99].id.clone()];
    let mut entry = row(
        "eth0",
        "rx_dropped",
        &[("UNHANDLED_PROTO", Verdict::Harmful, 3)],
        0,
    );
    entry.explained[0].finding = Some(causes[99].id.clone());
    let mut findings = vec![effect];
    findings.extend(causes);
    let status = fitted(&status_of(vec![result_of(
        "one",
        &diagnosis(findings, vec![entry]),
    )]));
    let result = &status.results[0];
    let ids: BTreeSet<&str> = result
        .findings
        .iter()
        .map(|finding| finding.id.as_str())
        .collect();
    let [cause] = result.findings[0].caused_by.as_slice() else {
        panic!(
            "both causes are in one finding now: {:?}",
            result.findings[0].caused_by
        );
    };
    assert!(ids.contains(cause.as_str()));
    assert_eq!(result.ledger[0].explained[0].finding.as_ref(), Some(cause));
}

#[test]
fn eight_results_share_the_object_and_a_small_one_leaves_room() {
    let large = |count: usize| {
        let findings =
            (0..count).map(|number| fault(&PEER_MTU_SMALLER, Severity::Critical, veth(number)));
        diagnosis(findings.collect(), vec![])
    };
    let results = (0..8)
        .map(|number| result_of(&format!("diagnosis-{number}"), &large(100)))
        .collect();
    let status = fitted(&status_of(results));
    assert!(REST + bytes(&status) < OBJECT_BYTES);
    for result in &status.results {
        let expected = [(("LinkMtu", "PeerMtuSmaller", "Critical"), 100)];
        assert_eq!(faults(&result.findings), BTreeMap::from(expected));
    }

    let names = ["empty-0", "empty-1", "empty-2"];
    let mut results: Vec<RunResult> = names
        .iter()
        .map(|name| result_of(name, &large(0)))
        .collect();
    results.insert(0, result_of("large", &large(100)));
    let status = fitted(&status_of(results));
    assert_eq!(
        status.results[0].diagnosis, "large",
        "results keep their order"
    );
    assert!(bytes(&status.results[0]) > OBJECT_BYTES / 2);
}

#[test]
fn fitting_what_was_fitted_loses_nothing_more() {
    let findings =
        (0..200).map(|number| fault(&PEER_MTU_SMALLER, Severity::Critical, veth(number)));
    let once = fitted(&status_of(vec![result_of(
        "one",
        &diagnosis(findings.collect(), vec![]),
    )]));
    assert_eq!(fitted(&once), once);

    // Another diagnosis comes and takes half of the room.
    let mut shared = once.clone();
    shared.results.push(RunResult {
        diagnosis: "two".to_owned(),
        ..once.results[0].clone()
    });
    let shared = fitted(&shared);
    for result in &shared.results {
        assert_eq!(faults(&result.findings).values().sum::<i64>(), 200);
        let shown = i64::try_from(result.findings.len()).unwrap();
        assert_eq!(result.omitted.unwrap().findings + shown, 200);
    }
}
