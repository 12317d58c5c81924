use k8s_openapi::api::core::v1::Node;
use netdiag_crds::NodeNetReport;

use super::*;
use crate::testing::{self, ReportBuilder, booking, counter, finding, harmful};

struct Fleet(Vec<(Node, NodeNetReport)>);

impl Fleet {
    fn reporters(&self) -> Vec<Reporter<'_>> {
        self.reporters_of(Severity::Info)
    }

    fn reporters_of(&self, least: Severity) -> Vec<Reporter<'_>> {
        let nodes = self.0.iter();
        nodes
            .map(|(node, report)| testing::reporter(node, report, least))
            .collect()
    }
}

fn finished(name: &str, findings: Vec<Finding>) -> (Node, NodeNetReport) {
    let report = ReportBuilder::new(name).assigned(0).result("Finished");
    let findings = findings.into_iter();
    let report = findings.fold(report, ReportBuilder::finding);
    (testing::node(name), report.build())
}

fn lldp_node(name: &str, frames: i64) -> (Node, NodeNetReport) {
    let mut found = finding("UnhandledProtocol", "NoReceiver", "Info");
    found.harm = Some("None".into());
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
    let found = harmful("LinkMtu", Harm::Loss, "Critical");
    let row = counter("tx_dropped", 7, 0, vec![booking(&found.id, "Harmful", 7)]);
    let mut context = finding("Promiscuity", "BridgePort", "Info");
    context.harm = Some("None".into());
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
    let (findings, left_out) = findings(&reporters, &ledger(&reporters));
    let summaries: Vec<&str> = findings
        .iter()
        .map(|rolled| rolled.finding.summary.as_str())
        .collect();
    assert_eq!(
        summaries,
        [
            "packets above the peer's MTU dropped on 1 node: 7 of the 7 tx_dropped",
            "LLDP dropped on 2 nodes, harmless: 7 of the 9 rx_dropped",
            "interface promiscuous for a bridge on 1 node, harmless",
        ]
    );
    assert_eq!(findings[1].finding.example_nodes, ["a", "b"]);
    assert_eq!(left_out, 0);
    assert_eq!(
        findings[0].headline,
        "LinkMtu/PeerMtuSmaller: packets above the peer's MTU dropped on 1 node"
    );
    assert_eq!(
        findings[1].headline,
        "UnhandledProtocol/NoReceiver: LLDP dropped on 2 nodes, harmless"
    );
}

#[test]
fn what_is_below_the_least_severity_is_left_out() {
    let fleet = Fleet(vec![lldp_node("a", 3), mtu_node("c")]);
    let reporters = fleet.reporters_of(Severity::Warning);
    let (findings, _) = findings(&reporters, &[]);
    assert_eq!(findings.len(), 1);
    assert_eq!(reporters[0].worst(), None);
    assert_eq!(reporters[1].worst(), Some(Severity::Critical));
}

/// The findings of these nodes as check, harm, severity and summary.
fn rolled_up(nodes: Vec<(Node, NodeNetReport)>) -> Vec<String> {
    let fleet = Fleet(nodes);
    let (findings, _) = findings(&fleet.reporters(), &[]);
    let lines = findings.iter().map(|rolled| {
        let found = &rolled.finding;
        let harm = found.harm.as_deref().expect("always there");
        format!(
            "{} {harm} {}: {}",
            found.check, found.severity, found.summary
        )
    });
    lines.collect()
}

#[test]
fn alike_findings_carry_the_worst_harm_of_all() {
    let lost = |harm| harmful("LinkMtu", harm, "Warning");
    let fleet = Fleet(vec![
        finished("a", vec![lost(Harm::Loss)]),
        finished("b", vec![lost(Harm::Loss), lost(Harm::Outage)]),
        finished("c", vec![lost(Harm::Loss)]),
    ]);
    let (findings, _) = findings(&fleet.reporters(), &[]);
    let found = &findings[0].finding;
    assert_eq!(found.harm.as_deref(), Some("Outage"));
    assert_eq!(
        found.summary,
        "packets above the peer's MTU dropped on 3 nodes, packets do not get through on 1: 16 packets"
    );
    assert_eq!(found.example_nodes, ["b", "a", "c"], "the worst first");
}

#[test]
fn severity_comes_first_then_harm_and_decisions_last_of_their_severity() {
    let mut rule = harmful("OtherDrop", Harm::Outage, "Info");
    rule.decision = true;
    let rows = rolled_up(vec![
        finished("a", vec![rule]),
        finished("b", vec![harmful("TapQueueDrop", Harm::None, "Info")]),
        finished("c", vec![harmful("Promiscuity", Harm::Cost, "Info")]),
        finished("d", vec![harmful("LinkMtu", Harm::Delay, "Warning")]),
        finished("e", vec![harmful("ChecksumDrop", Harm::Outage, "Warning")]),
        finished("f", vec![harmful("ReceiveOverrun", Harm::Loss, "Critical")]),
    ]);
    let checks = rows
        .iter()
        .map(|row| row.split(": ").next().unwrap_or_default());
    assert_eq!(
        checks.collect::<Vec<_>>(),
        [
            "ReceiveOverrun Loss Critical",
            "ChecksumDrop Outage Warning",
            "LinkMtu Delay Warning",
            "Promiscuity Cost Info",
            "TapQueueDrop None Info",
            "OtherDrop Outage Info",
        ]
    );
}

#[test]
fn what_was_decided_is_not_counted_with_what_was_not() {
    let filtered = |decision| Finding {
        decision,
        ..harmful("OtherDrop", Harm::Unknown, "Info")
    };
    let rows = rolled_up(vec![
        finished("a", vec![filtered(true)]),
        finished("b", vec![filtered(true)]),
        finished("c", vec![filtered(false)]),
    ]);
    assert_eq!(
        rows,
        [
            "OtherDrop Unknown Info: packets dropped (PeerMtuSmaller) on 1 node, harm not known: 4 packets",
            "OtherDrop Unknown Info: packets dropped (PeerMtuSmaller) on 2 nodes, refused as meant: 8 packets",
        ]
    );
}

#[test]
fn a_decision_is_info_whatever_its_agent_says() {
    let mut rule = harmful("OtherDrop", Harm::Outage, "Critical");
    rule.decision = true;
    let fleet = Fleet(vec![finished("a", vec![rule])]);
    assert_eq!(fleet.reporters()[0].worst(), Some(Severity::Info));
    let (findings, _) = findings(&fleet.reporters(), &[]);
    assert_eq!(
        (
            findings[0].finding.severity.as_str(),
            findings[0].finding.decision
        ),
        ("Info", true)
    );
}

#[test]
fn an_older_agents_findings_are_loss_where_they_ask_for_an_act() {
    let rows = rolled_up(vec![
        finished("a", vec![finding("LinkMtu", "PeerMtuSmaller", "Critical")]),
        finished(
            "b",
            vec![finding("TapQueueDrop", "ReceiveQueueFull", "Info")],
        ),
    ]);
    assert_eq!(
        rows,
        [
            "LinkMtu Loss Critical: packets above the peer's MTU dropped on 1 node",
            "TapQueueDrop Unknown Info: VM queue full on 1 node, harm not known",
        ]
    );
}

#[test]
fn kinds_beyond_the_limit_are_counted() {
    let mut builder = ReportBuilder::new("a").assigned(0).result("Finished");
    for number in 0..130 {
        builder = builder.finding(finding("OtherDrop", &format!("REASON_{number}"), "Info"));
    }
    let fleet = Fleet(vec![(testing::node("a"), builder.build())]);
    let (findings, left_out) = findings(&fleet.reporters(), &[]);
    assert_eq!((findings.len(), left_out), (100, 30));
}

#[test]
fn one_node_that_invents_kinds_and_counters_leaves_room_for_the_others() {
    let mut liar = ReportBuilder::new("liar").assigned(0).result("Finished");
    for number in 0..250 {
        liar = liar.finding(finding("Invented", &format!("CAUSE_{number}"), "Critical"));
        let name = format!("invented_{number}");
        let count = crate::stored_report::shrink::MOST_PACKETS;
        liar = liar.ledger(counter(
            &name,
            count,
            0,
            vec![booking("x", "Harmful", count)],
        ));
    }
    let mut fleet = vec![(testing::node("liar"), liar.build())];
    for number in 0..60 {
        let name = format!("n{number:02}");
        let cause = format!("REASON_{number}");
        let booked = vec![booking("x", "Benign", 1)];
        let report = ReportBuilder::new(&name).assigned(0).result("Finished");
        let report = report
            .finding(finding("OtherDrop", &cause, "Warning"))
            .ledger(counter("rx_dropped", 1, 0, booked));
        fleet.push((testing::node(&name), report.build()));
    }
    let fleet = Fleet(fleet);
    let totals = ledger(&fleet.reporters());
    let own = totals.iter().find(|total| total.counter == "rx_dropped");
    assert_eq!(own.map(|total| total.increase), Some(60));
    let (findings, left_out) = findings(&fleet.reporters(), &totals);
    let warnings = findings
        .iter()
        .filter(|rolled| rolled.finding.severity == "Warning");
    assert_eq!(warnings.count(), 60, "every other node's Warning is there");
    assert_eq!((findings.len(), left_out), (68, 242));
}

#[test]
fn sums_of_the_largest_run_do_not_wrap() {
    let most = crate::stored_report::shrink::MOST_PACKETS;
    let nodes = i64::try_from(limits::MEMBERS).expect("small");
    assert!(most.checked_mul(nodes).is_some());
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
    let (findings, _) = findings(&fleet.reporters(), &[]);
    let factor = &findings[0].finding.common_factors[0];
    assert_eq!(
        (
            factor.factor.as_str(),
            factor.affected.as_str(),
            factor.unaffected.as_str()
        ),
        ("node label pool=small", "4/4", "0/40")
    );
    assert!(
        findings[1].finding.common_factors.is_empty(),
        "harmless findings are not compared"
    );
}

#[test]
fn a_kernels_own_name_is_told_by_the_words_of_its_agents() {
    let memory = |symptom: Option<&str>| Finding {
        cause: "PROTO_MEM".into(),
        symptom: symptom.map(str::to_owned),
        ..harmful("OtherDrop", Harm::Loss, "Warning")
    };
    let headline = |symptoms: [Option<&str>; 2]| {
        let [a, b] = symptoms.map(memory);
        let fleet = Fleet(vec![finished("a", vec![a]), finished("b", vec![b])]);
        let (findings, _) = findings(&fleet.reporters(), &[]);
        findings[0].headline.clone()
    };
    let used_up = "packets were dropped because the memory for sockets was used up";
    assert_eq!(
        headline([Some(used_up); 2]),
        format!("OtherDrop: {used_up} on 2 nodes")
    );
    // An older agent has no words, and does not contradict those of a newer one.
    assert_eq!(
        headline([None, Some(used_up)]),
        format!("OtherDrop: {used_up} on 2 nodes")
    );
    let unknown = "OtherDrop: packets dropped (PROTO_MEM) on 2 nodes, packets lost";
    assert_eq!(headline([None, None]), unknown);
    assert_eq!(headline([Some("one thing"), Some("another")]), unknown);
}
