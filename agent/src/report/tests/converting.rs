//! Findings as the resources have them.

use netdiag_crds::{checks, limits, report::Omitted};
use netdiag_diagnosis::{
    causes::{self, PEER_MTU_SMALLER},
    finding::{Acts, Assessment, Culprit, Decision, Harm, Proof, Remedy, Severity, Verdict},
};

use super::*;

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
fn custom_resources_know_exactly_the_checks_and_causes_there_are() {
    let known: Vec<&str> = causes::CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(known, checks::CHECKS);
    let causes = causes::CHECKS.iter().flat_map(|check| check.causes);
    let known: Vec<_> = causes
        .map(|cause| {
            let by_harm = cause.by_harm.iter();
            let by_harm = by_harm.map(|(harm, words)| (harm.as_str(), *words));
            let by_harm: Vec<_> = by_harm.collect();
            (cause.check.name, cause.name, cause.headline, by_harm)
        })
        .collect();
    let listed = checks::CAUSES.map(|cause| {
        let by_harm = cause.by_harm.iter();
        let by_harm = by_harm.map(|(harm, words)| (harm.as_str(), *words));
        let by_harm: Vec<_> = by_harm.collect();
        (cause.check, cause.name, cause.headline, by_harm)
    });
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

#[test]
fn harm_and_remedies_are_in_the_report_whole() {
    let set_mtu = |mtu| Remedy::command("Set it.", &["ip", "link", "set", "mtu", mtu], &[]);
    let mut finding = fault(&PEER_MTU_SMALLER, Severity::Critical, veth(0));
    finding.assessment = Assessment::loss(50, Some(950))
        .by(Culprit::Here)
        .with_flows(vec!["10.0.0.1:1 -> 10.0.0.2:2 TCP \u{1b}".to_owned()]);
    finding.remedies = vec![
        set_mtu("1500")
            .undone_by(set_mtu("9000"))
            .lasting("the mtu of the CNI")
            .with_effect("smaller frames"),
        set_mtu("1400")
            .undone_by(set_mtu("1500"))
            .acting(Acts::Elsewhere("leaf-3a".to_owned())),
        Remedy::advice("Look at the switch."),
    ];
    let result = result_of("one", &diagnosis(vec![finding], vec![]));
    let json = serde_json::to_value(&result.findings[0]).unwrap();
    assert_eq!(json["harm"], "Loss");
    assert_eq!(json["culprit"], "Here");
    assert_eq!(json["packets"], 50);
    assert_eq!(json["flows"][0], r"10.0.0.1:1 -> 10.0.0.2:2 TCP \u{1b}");
    assert_eq!(
        json["decision"],
        serde_json::Value::Null,
        "false is left out"
    );
    assert_eq!(
        json["remedies"],
        serde_json::json!([
            {
                "kind": "Change", "text": "Set it.", "command": "ip link set mtu 1500", "where": "node-17",
                "acts": "Now", "undo": "ip link set mtu 9000", "effect": "smaller frames",
                "lasting": "the mtu of the CNI",
            },
            {
                "kind": "Change", "text": "Set it.", "command": "ip link set mtu 1400", "where": "leaf-3a",
                "acts": "Elsewhere", "undo": "ip link set mtu 1500",
            },
            {"kind": "Look", "text": "Look at the switch."},
        ])
    );
}

#[test]
fn a_decision_is_said_to_be_one() {
    let mut finding = fault(&PEER_MTU_SMALLER, Severity::Info, veth(0));
    finding.assessment = Assessment::decided(Decision::Rule, Harm::Outage, 40);
    let status = status_of(vec![result_of("one", &diagnosis(vec![finding], vec![]))]);
    let finding = &status.results[0].findings[0];
    assert!(finding.decision);
    assert_eq!(finding.decided_by.as_deref(), Some("Rule"));
    assert_eq!(finding.severity, "Info");
    let summary = summary(&status);
    assert_eq!(
        (summary.harm, summary.lost),
        (Some(String::new()), Some(0)),
        "the columns leave decisions out"
    );
}

#[test]
fn columns_are_of_the_worst_harm_that_asks_for_an_act() {
    let lost = |assessment| {
        let mut finding = fault(&PEER_MTU_SMALLER, Severity::Info, veth(0));
        finding.assessment = assessment;
        finding
    };
    let columns = |findings| {
        let status = status_of(vec![result_of("one", &diagnosis(findings, vec![]))]);
        let summary = summary(&status);
        (summary.harm, summary.lost)
    };
    let few = lost(Assessment::loss(2, Some(90_000)));
    assert_eq!(
        columns(vec![few.clone()]),
        (Some("Loss".to_owned()), Some(2))
    );
    let late = lost(Assessment {
        harm: Harm::Delay,
        ..Assessment::loss(500, Some(500))
    });
    assert_eq!(
        columns(vec![few, late]),
        (Some("Delay".to_owned()), Some(2)),
        "late segments are not lost, and few lost ones ask for nothing"
    );
}

#[test]
fn harm_and_culprit_are_the_same_words_in_both_crates() {
    use netdiag_crds::harm;
    let words = Harm::ALL.map(Harm::as_str);
    assert_eq!(words, harm::Harm::ALL.map(harm::Harm::as_str));
    let order = |one: Harm, other: Harm| {
        let read = |harm: Harm| harm::Harm::from_status(harm.as_str());
        (one.cmp(&other), read(one).cmp(&read(other)))
    };
    for one in Harm::ALL {
        for other in Harm::ALL {
            let (here, there) = order(one, other);
            assert_eq!(here, there, "{one:?} {other:?}");
        }
    }
    for culprit in [Culprit::Here, Culprit::Elsewhere, Culprit::Unknown] {
        let read = harm::Culprit::from_status(culprit.as_str());
        assert_eq!(read.as_str(), culprit.as_str());
    }
}

#[test]
fn dead_connections_are_said_to_be_proved() {
    let outage = Assessment::of(Harm::Outage).by(Culprit::Here);
    for are_flows_dead in [false, true] {
        let mut finding = fault(&PEER_MTU_SMALLER, Severity::Critical, veth(0));
        finding.assessment = Assessment {
            are_flows_dead,
            ..outage.clone()
        };
        let status = status_of(vec![result_of("one", &diagnosis(vec![finding], vec![]))]);
        let suffering = status.results[0].findings[0].suffering();
        assert_eq!(suffering.harm.as_str(), "Outage");
        assert_eq!(suffering.connections_died, are_flows_dead);
    }
}
