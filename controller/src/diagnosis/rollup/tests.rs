use k8s_openapi::api::core::v1::Node;
use netdiag_crds::NodeNetReport;

use super::*;
use crate::testing::{self, ReportBuilder, booking, counter, finding};

struct Fleet(Vec<(Node, NodeNetReport)>);

impl Fleet {
    fn reporters(&self) -> Vec<Reporter<'_>> {
        self.0
            .iter()
            .map(|(node, report)| Reporter {
                name: node.metadata.name.as_deref().expect("nodes have names"),
                node,
                report,
                result: &report.status.as_ref().expect("it reported").results[0],
            })
            .collect()
    }
}

fn lldp_node(name: &str, frames: i64) -> (Node, NodeNetReport) {
    let mut found = finding("UnhandledProtocol", "NoReceiver", "Info");
    found.subject.protocol = Some("LLDP".into());
    let row = counter(
        "rx_dropped",
        frames + 1,
        1,
        vec![booking(&found.id, "Benign", frames)],
    );
    let report = ReportBuilder::new(name)
        .assigned(0)
        .result("Finished")
        .finding(found)
        .ledger(row)
        .build();
    (testing::node(name), report)
}

fn mtu_node(name: &str) -> (Node, NodeNetReport) {
    let found = finding("LinkMtu", "PeerMtuSmaller", "Critical");
    let row = counter("tx_dropped", 7, 0, vec![booking(&found.id, "Harmful", 7)]);
    let context = finding("Promiscuity", "BridgePort", "Info");
    let report = ReportBuilder::new(name)
        .assigned(0)
        .result("Finished")
        .finding(found)
        .finding(context)
        .ledger(row)
        .build();
    (testing::node(name), report)
}

#[test]
fn counters_are_summed_and_balance() {
    let fleet = Fleet(vec![lldp_node("a", 3), lldp_node("b", 4), mtu_node("c")]);
    let ledger = ledger(&fleet.reporters());
    let rows: Vec<String> = ledger
        .iter()
        .map(|row| {
            format!(
                "{} {} = {} + {} + {} + {}",
                row.counter, row.increase, row.benign, row.harmful, row.unknown, row.unexplained
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "tx_dropped 7 = 0 + 7 + 0 + 0",
            "rx_dropped 9 = 7 + 0 + 0 + 2"
        ]
    );
}

#[test]
fn an_unknown_verdict_and_wrong_counts_never_hide_or_wrap() {
    let rows = vec![
        counter(
            "rx_dropped",
            i64::MAX,
            0,
            vec![booking("x", "Novel", i64::MAX)],
        ),
        counter("rx_dropped", 5, -3, vec![]),
    ];
    let report = rows
        .into_iter()
        .fold(
            ReportBuilder::new("a").assigned(0).result("Finished"),
            ReportBuilder::ledger,
        )
        .build();
    let fleet = Fleet(vec![(testing::node("a"), report)]);
    let row = ledger(&fleet.reporters()).remove(0);
    assert_eq!(
        (row.increase, row.unknown, row.unexplained),
        (i64::MAX, i64::MAX, 0)
    );
}

#[test]
fn alike_findings_are_counted_worst_first() {
    let fleet = Fleet(vec![lldp_node("a", 3), lldp_node("b", 4), mtu_node("c")]);
    let reporters = fleet.reporters();
    let (findings, left_out) = findings(&reporters, Severity::Info, &ledger(&reporters));
    let summaries: Vec<&str> = findings
        .iter()
        .map(|finding| finding.summary.as_str())
        .collect();
    assert_eq!(
        summaries,
        [
            "packets above the peer's MTU dropped on 1 node: 7 of the 7 tx_dropped",
            "LLDP dropped on 2 nodes, harmless: 7 of the 9 rx_dropped",
            "interface promiscuous for a bridge on 1 node, harmless",
        ]
    );
    assert_eq!(findings[1].example_nodes, ["a", "b"]);
    assert_eq!(left_out, 0);
    assert_eq!(
        headline(&findings[0]),
        "LinkMtu: packets above the peer's MTU dropped on 1 node"
    );
    assert_eq!(headline(&findings[1]), "LLDP dropped on 2 nodes, harmless");
}

#[test]
fn what_is_below_the_least_severity_is_left_out() {
    let fleet = Fleet(vec![lldp_node("a", 3), mtu_node("c")]);
    let reporters = fleet.reporters();
    let (findings, _) = findings(&reporters, Severity::Warning, &[]);
    assert_eq!(findings.len(), 1);
    assert_eq!(reporters[0].worst(Severity::Warning), None);
    assert_eq!(
        reporters[1].worst(Severity::Warning),
        Some(Severity::Critical)
    );
}

#[test]
fn kinds_beyond_the_limit_are_counted() {
    let mut builder = ReportBuilder::new("a").assigned(0).result("Finished");
    for number in 0..130 {
        builder = builder.finding(finding("OtherDrop", &format!("REASON_{number}"), "Info"));
    }
    let fleet = Fleet(vec![(testing::node("a"), builder.build())]);
    let (findings, left_out) = findings(&fleet.reporters(), Severity::Info, &[]);
    assert_eq!((findings.len(), left_out), (100, 30));
}

#[test]
fn affected_nodes_of_one_pool_are_told_apart() {
    let mut fleet = Vec::new();
    for number in 0..4 {
        let (mut node, report) = mtu_node(&format!("small-{number}"));
        node.metadata.labels = Some([("pool".to_owned(), "small".to_owned())].into());
        fleet.push((node, report));
    }
    fleet.extend((0..40).map(|number| lldp_node(&format!("big-{number}"), 1)));
    let fleet = Fleet(fleet);
    let (findings, _) = findings(&fleet.reporters(), Severity::Info, &[]);
    let factor = &findings[0].common_factors[0];
    assert_eq!(
        (
            factor.factor.as_str(),
            factor.affected.as_str(),
            factor.unaffected.as_str()
        ),
        ("node label pool=small", "4/4", "0/40")
    );
    assert!(
        findings[1].common_factors.is_empty(),
        "harmless findings are not compared"
    );
}
