//! Tests of what is kept as asked for, and of the order to read in.

use super::{diagnose, keep_wanted};
use crate::{
    causes::{Check, LINK_MTU, PROMISCUITY},
    evidence::{
        DropCount, Drops, EvidenceWindow, Link, LinkStats, Namespace, NetnsId, Observed, Pod,
    },
    finding::{Finding, Severity, Subject},
    kernel::Reason,
    settings::Settings,
    testing::{assessed, text},
};

/// A finding of this check; which of its causes does not matter.
fn finding(check: &'static Check, interface: &str, severity: Severity) -> Finding {
    let subject = Subject {
        interface: Some(interface.to_owned()),
        ..Subject::default()
    };
    Finding::new(check.causes[0], assessed(severity), subject, text())
}

fn caused_by(mut effect: Finding, cause: &Finding) -> Finding {
    effect.caused_by.push(cause.id.clone());
    effect
}

fn settings(checks: &[&str], include: &[&str], min_severity: Severity) -> Settings {
    let owned =
        |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    Settings::new(owned(checks), &owned(include), &[], true, min_severity).expect("valid settings")
}

fn names(findings: &[Finding]) -> Vec<(&str, Severity)> {
    findings
        .iter()
        .map(|finding| (finding.check().name, finding.severity()))
        .collect()
}

#[test]
fn a_pattern_that_fits_no_interface_is_said() {
    let node = Namespace {
        is_node: true,
        ..Namespace::default()
    };
    let eth0 = Link {
        name: "eth0".to_owned(),
        ..Link::default()
    };
    let window = EvidenceWindow {
        duration_ms: 60_000,
        namespaces: vec![node],
        links: Observed::Complete { value: vec![eth0] },
        drops: Observed::Complete {
            value: Drops::default(),
        },
        packet_sockets: Observed::Complete { value: Vec::new() },
        ..EvidenceWindow::default()
    };
    let with = |pattern| {
        let settings = settings(&["LinkMtu", "OtherDrop"], &[pattern], Severity::Info);
        diagnose(&window, &settings)
    };
    let there = with("eth*");
    assert_eq!((there.unchecked.len(), there.unmatched), (0, None));
    let absent = with("ens*");
    let unmatched = absent.unmatched.expect("no interface");
    assert_eq!(unmatched.include, ["ens*"]);
    let unmade: Vec<(&str, bool)> = absent
        .unchecked
        .iter()
        .map(|entry| (entry.check.name, entry.is_made()))
        .collect();
    assert_eq!(unmade, [("LinkMtu", false), ("OtherDrop", false)]);
}

#[test]
fn a_cause_keeps_its_own_severity() {
    let cause = finding(&PROMISCUITY, "br0", Severity::Info);
    let effect = caused_by(finding(&LINK_MTU, "br0", Severity::Critical), &cause);
    let again = caused_by(cause, &effect);
    let kept = keep_wanted(vec![again, effect], &settings(&[], &[], Severity::Critical));
    assert_eq!(
        names(&kept),
        [
            ("Promiscuity", Severity::Info),
            ("LinkMtu", Severity::Critical)
        ]
    );
}

#[test]
fn the_least_severity_keeps_the_causes_of_what_is_reported() {
    let cause = finding(&PROMISCUITY, "br0", Severity::Info);
    let lonely = finding(&PROMISCUITY, "br1", Severity::Info);
    let effect = caused_by(finding(&LINK_MTU, "br0", Severity::Critical), &cause);
    let kept = keep_wanted(
        vec![cause, lonely, effect],
        &settings(&[], &[], Severity::Warning),
    );
    assert_eq!(
        names(&kept),
        [
            ("Promiscuity", Severity::Info),
            ("LinkMtu", Severity::Critical)
        ]
    );
}

#[test]
fn a_cause_is_kept_on_an_interface_and_of_a_check_that_were_not_asked_for() {
    let cause = finding(&PROMISCUITY, "br0", Severity::Info);
    let effect = caused_by(finding(&LINK_MTU, "bond0", Severity::Info), &cause);
    let aside = finding(&LINK_MTU, "eth7", Severity::Critical);
    let kept = keep_wanted(
        vec![cause, effect, aside],
        &settings(&["LinkMtu"], &["bond*"], Severity::Info),
    );
    let interfaces: Vec<Option<&str>> = kept
        .iter()
        .map(|finding| finding.subject.interface.as_deref())
        .collect();
    assert_eq!(interfaces, [Some("br0"), Some("bond0")]);
}

/// Drops of a full queue on the node's tap0 and tap1, and on a pod's tap0.
fn full_queues() -> EvidenceWindow {
    let (node, pod) = (NetnsId(1), NetnsId(2));
    let places = [(node, 2, "tap0"), (node, 3, "tap1"), (pod, 2, "tap0")];
    let links = places.map(|(netns, ifindex, name)| Link {
        netns,
        ifindex,
        name: name.to_owned(),
        stats_before: Some(LinkStats::default()),
        stats: LinkStats {
            tx_dropped: 50,
            ..LinkStats::default()
        },
        ..Link::default()
    });
    let counts = places.map(|(netns, ifindex, _)| DropCount {
        netns: Some(netns),
        ifindex,
        ethertype: 0x0800,
        reason: Reason::FULL_RING,
        location: "tun_net_xmit".into(),
        at_least: 50,
        count: 50,
        ..DropCount::default()
    });
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: vec![
            Namespace {
                id: node,
                is_node: true,
                ..Namespace::default()
            },
            Namespace {
                id: pod,
                pod: Some(Pod::default()),
                ..Namespace::default()
            },
        ],
        links: Observed::Complete {
            value: links.to_vec(),
        },
        drops: Observed::Complete {
            value: Drops {
                counts: counts.to_vec(),
                has_reasons: true,
                has_locations: true,
                ..Drops::default()
            },
        },
        ..EvidenceWindow::default()
    }
}

#[test]
fn every_counter_that_rose_is_explained_by_a_reported_finding() {
    let diagnosis = diagnose(&full_queues(), &Settings::default());
    assert_eq!(diagnosis.ledger.len(), 3);
    for entry in &diagnosis.ledger {
        assert_eq!((entry.increase, entry.unexplained), (50, 0));
        let id = entry.explained[0].finding.as_ref().expect("explained");
        assert!(diagnosis.findings.iter().any(|finding| finding.id == *id));
    }
    assert!(
        diagnosis
            .findings
            .iter()
            .all(|finding| finding.severity() == Severity::Warning)
    );
}

#[test]
fn interfaces_and_pods_narrow_findings_and_ledger_alike() {
    let mut settings = settings(&[], &["tap1"], Severity::Info);
    settings.pods = false;
    let diagnosis = diagnose(&full_queues(), &settings);
    let ledger: Vec<Option<&str>> = diagnosis
        .ledger
        .iter()
        .map(|entry| entry.interface.as_deref())
        .collect();
    assert_eq!(ledger, [Some("tap1")]);
    let findings: Vec<Option<&str>> = diagnosis
        .findings
        .iter()
        .map(|finding| finding.subject.interface.as_deref())
        .collect();
    assert_eq!(findings, [Some("tap1")]);
}

#[test]
fn a_ledger_entry_points_at_no_finding_that_is_left_out() {
    let settings = settings(&["LinkMtu"], &[], Severity::Info);
    let diagnosis = diagnose(&full_queues(), &settings);
    assert_eq!(diagnosis.findings, []);
    assert_eq!(diagnosis.ledger.len(), 3);
    for entry in &diagnosis.ledger {
        assert_eq!(entry.explained[0].count, 50);
        assert_eq!(entry.explained[0].finding, None);
    }
}
