//! Each node's findings in short, fitted into the status.

use netdiag_crds::{
    diagnosis::{NodeFinding, NodeFindings},
    limits,
    report::Finding,
    severity::Severity,
};

use super::{
    phrase,
    rollup::{Reporter, severity},
};

/// Bytes of JSON that all nodes' findings may take. An object may have 1.5 MiB in etcd; every watcher of diagnoses
/// gets the whole of it with each change.
pub const MOST_BYTES: usize = 200 * 1024;

/// Findings by node, worst first, as many nodes as fit; and how many nodes with findings did not.
pub fn fit(reporters: &[Reporter<'_>], least: Severity) -> (Vec<NodeFindings>, usize) {
    let mut nodes: Vec<(Severity, &Reporter<'_>)> = reporters
        .iter()
        .filter_map(|reporter| Some((reporter.worst(least)?, reporter)))
        .collect();
    nodes.sort_by(|(a, in_a), (b, in_b)| b.cmp(a).then_with(|| in_a.name.cmp(in_b.name)));
    let all = nodes.len();
    let mut bytes = 0;
    let fitting: Vec<NodeFindings> = nodes
        .into_iter()
        .take(limits::NODE_FINDINGS)
        .map(|(_, reporter)| in_short(reporter, least))
        .take_while(|node| {
            bytes += serialised_size(node);
            bytes <= MOST_BYTES
        })
        .collect();
    let left_out = all - fitting.len();
    (fitting, left_out)
}

fn serialised_size(node: &NodeFindings) -> usize {
    // Plain strings always serialise; one that did not would not fit either.
    let separator = 1;
    serde_json::to_vec(node).map_or(MOST_BYTES, |json| json.len()) + separator
}

fn in_short(reporter: &Reporter<'_>, least: Severity) -> NodeFindings {
    let mut findings: Vec<&Finding> = reporter.findings(least).collect();
    // Stable: the agent has put them into order among equals.
    findings.sort_by_key(|finding| std::cmp::Reverse(severity(finding)));
    NodeFindings {
        name: reporter.name.to_owned(),
        findings: findings
            .into_iter()
            .take(limits::FINDINGS_PER_NODE)
            .map(|finding| shorten(finding, &reporter.result.findings))
            .collect(),
    }
}

fn shorten(finding: &Finding, all: &[Finding]) -> NodeFinding {
    let cause = finding
        .caused_by
        .iter()
        .find_map(|id| all.iter().find(|other| other.id == *id))
        .map(|cause| phrase::cut(&format!("{}/{}", cause.check, cause.cause), limits::LINE));
    let subject = &finding.subject;
    NodeFinding {
        check: finding.check.clone(),
        cause: finding.cause.clone(),
        severity: finding.severity.clone(),
        interface: subject.interface.clone(),
        pod: subject
            .pod
            .as_ref()
            .map(|pod| format!("{}/{}", pod.namespace, pod.name)),
        protocol: subject.protocol.clone(),
        summary: finding.summary.clone(),
        caused_by: cause,
        command: finding
            .remedies
            .first()
            .and_then(|remedy| remedy.command.clone()),
    }
}

#[cfg(test)]
mod tests {
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
}
