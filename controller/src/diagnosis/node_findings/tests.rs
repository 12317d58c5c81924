use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{NodeNetReport, report::Remedy};

use super::*;
use crate::testing::{self, ReportBuilder, finding};

fn fitted(nodes: &[(Node, NodeNetReport)], least: Severity) -> (Vec<NodeFindings>, usize) {
    let reporters: Vec<Reporter<'_>> = nodes
        .iter()
        .map(|(node, report)| Reporter {
            name: node.metadata.name.as_deref().expect("nodes have names"),
            node,
            report,
            result: &report.status.as_ref().expect("it reported").results[0],
        })
        .collect();
    fit(&reporters, least)
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
fn a_finding_in_short_keeps_cause_and_first_command() {
    let mut lldp = finding("UnhandledProtocol", "NoReceiver", "Info");
    let bridge = finding("Promiscuity", "BridgePort", "Info");
    lldp.caused_by = vec!["of another node".into(), bridge.id.clone()];
    lldp.remedies = vec![
        Remedy {
            command: Some("nft x".into()),
            ..Remedy::default()
        },
        Remedy::default(),
    ];
    let (nodes, _) = fitted(&[node("a", vec![lldp, bridge])], Severity::Info);
    let short = &nodes[0].findings[0];
    assert_eq!(short.caused_by.as_deref(), Some("Promiscuity/BridgePort"));
    assert_eq!(short.command.as_deref(), Some("nft x"));
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
