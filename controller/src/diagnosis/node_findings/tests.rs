use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{NodeNetReport, report::Remedy};

use super::*;
use crate::testing::{self, ReportBuilder, finding, harmful};

fn fitted(nodes: &[(Node, NodeNetReport)], least: Severity) -> (Vec<NodeFindings>, usize) {
    let reporters = nodes.iter();
    let reporters = reporters.map(|(node, report)| testing::reporter(node, report, least));
    fit(&reporters.collect::<Vec<_>>())
}

fn node(name: &str, findings: Vec<Finding>) -> (Node, NodeNetReport) {
    let report = ReportBuilder::new(name).assigned(0).result("Finished");
    (
        testing::node(name),
        findings
            .into_iter()
            .fold(report, ReportBuilder::finding)
            .build(),
    )
}

fn names(nodes: &[NodeFindings]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

#[test]
fn nodes_come_worst_first_and_those_without_findings_not_at_all() {
    let (nodes, left_out) = fitted(
        &[
            node("a", vec![finding("Promiscuity", "BridgePort", "Info")]),
            node("b", vec![]),
            node("c", vec![finding("LinkMtu", "PeerMtuSmaller", "Critical")]),
            node("d", vec![finding("ChecksumDrop", "Corruption", "Warning")]),
        ],
        Severity::Info,
    );
    assert_eq!(names(&nodes), ["c", "d", "a"]);
    assert_eq!(left_out, 0);
}

#[test]
fn of_one_severity_the_worst_harm_comes_first_and_what_was_decided_last() {
    let with = |name: &str, harm, severity| node(name, vec![harmful("LinkMtu", harm, severity)]);
    let mut rule = harmful("OtherDrop", Harm::Outage, "Critical");
    rule.decision = true;
    let (nodes, _) = fitted(
        &[
            node(
                "a",
                vec![rule.clone(), harmful("LinkMtu", Harm::None, "Info")],
            ),
            with("b", Harm::Loss, "Warning"),
            with("c", Harm::Outage, "Warning"),
            with("d", Harm::Delay, "Critical"),
            with("e", Harm::Loss, "Info"),
            node("f", vec![rule]),
        ],
        Severity::Info,
    );
    assert_eq!(names(&nodes), ["d", "c", "b", "e", "a", "f"]);
    let of_a = nodes[4].findings.iter();
    let of_a: Vec<_> = of_a
        .map(|finding| {
            (
                finding.harm.as_deref(),
                finding.decision,
                finding.severity.as_str(),
            )
        })
        .collect();
    assert_eq!(
        of_a,
        [
            (Some("None"), false, "Info"),
            (Some("Outage"), true, "Info")
        ]
    );
}

#[test]
fn a_finding_in_short_keeps_cause_and_first_command() {
    let mut lldp = finding("UnhandledProtocol", "NoReceiver", "Info");
    let bridge = finding("Promiscuity", "BridgePort", "Info");
    lldp.caused_by = vec!["of another node".into(), bridge.id.clone()];
    lldp.remedies = vec![
        Remedy {
            command: Some("nft x".into()),
            undo: Some("nft y".into()),
            ..Remedy::default()
        },
        Remedy::default(),
    ];
    let (nodes, _) = fitted(&[node("a", vec![lldp, bridge])], Severity::Info);
    let short = &nodes[0].findings[0];
    assert_eq!(short.caused_by.as_deref(), Some("Promiscuity/BridgePort"));
    assert_eq!(short.command.as_deref(), Some("nft x"));
    assert_eq!(short.undo.as_deref(), Some("nft y"));
}

#[test]
fn at_most_500_nodes_are_listed_and_the_rest_counted() {
    let mut fleet: Vec<_> = (0..600)
        .map(|number| {
            node(
                &format!("n{number:03}"),
                vec![finding("Promiscuity", "BridgePort", "Info")],
            )
        })
        .collect();
    fleet.push(node(
        "z",
        vec![finding("LinkMtu", "PeerMtuSmaller", "Critical")],
    ));
    let (nodes, left_out) = fitted(&fleet, Severity::Info);
    assert_eq!((nodes.len(), left_out), (500, 101));
    assert_eq!(nodes[0].name, "z", "the worst is never the one left out");
}

#[test]
fn long_findings_are_fitted_by_size() {
    let mut long = finding("OtherDrop", "X", "Info");
    long.summary = "x".repeat(256);
    long.remedies = vec![Remedy {
        command: Some("c".repeat(1024)),
        ..Remedy::default()
    }];
    let fleet: Vec<_> = (0..300)
        .map(|number| node(&format!("n{number:03}"), vec![long.clone()]))
        .collect();
    let (nodes, left_out) = fitted(&fleet, Severity::Info);
    let size = serde_json::to_vec(&nodes).expect("plain data").len();
    assert!(size <= MOST_BYTES + 2, "{size} bytes");
    assert!(
        size > MOST_BYTES * 9 / 10,
        "{size} bytes: more would have fitted"
    );
    assert_eq!(nodes.len() + left_out, 300);
}

fn long(name: &str, severity: &str) -> Finding {
    let mut long = finding("OtherDrop", name, severity);
    long.summary = "x".repeat(200);
    long.remedies = vec![Remedy {
        command: Some("c".repeat(500)),
        ..Remedy::default()
    }];
    long
}

#[test]
fn every_affected_node_is_listed_before_any_info_of_any_node() {
    let info = |count: usize| (0..count).map(|_| long("Info", "Info"));
    let affected = |number: usize| {
        let mut findings: Vec<Finding> = info(20).collect();
        findings.push(long("Warned", "Warning"));
        node(&format!("a{number:03}"), findings)
    };
    let harmless = |number: usize| node(&format!("b{number:03}"), info(20).collect());
    let fleet: Vec<_> = (0..200)
        .map(affected)
        .chain((0..300).map(harmless))
        .collect();
    let (nodes, left_out) = fitted(&fleet, Severity::Info);
    let listed = nodes.iter().filter(|node| node.name.starts_with('a'));
    assert_eq!(listed.count(), 200);
    assert!(
        nodes
            .iter()
            .all(|node| node.findings[0].severity == "Warning")
    );
    let with_info = nodes.iter().filter(|node| node.findings.len() > 1).count();
    assert!(
        (1..20).contains(&with_info),
        "{with_info}: the rest of the room is for Info"
    );
    assert_eq!(left_out, 300);
    let size = serde_json::to_vec(&nodes).expect("plain data").len();
    assert!(size <= MOST_BYTES + 2, "{size} bytes");
}

#[test]
fn where_commands_do_not_fit_every_affected_node_is_still_listed() {
    let twice = |number| {
        node(
            &format!("a{number:03}"),
            vec![long("Warned", "Warning"), long("Warned", "Warning")],
        )
    };
    let fleet: Vec<_> = (0..400).map(twice).collect();
    let (nodes, left_out) = fitted(&fleet, Severity::Info);
    assert_eq!((nodes.len(), left_out), (400, 0));
    assert!(nodes.iter().all(|node| node.findings.len() == 1));
    let commands = nodes
        .iter()
        .take_while(|node| node.findings[0].command.is_some());
    let commands = commands.count();
    assert!((1..400).contains(&commands), "{commands}");
    let size = serde_json::to_vec(&nodes).expect("plain data").len();
    assert!(size <= MOST_BYTES + 2, "{size} bytes");
}
