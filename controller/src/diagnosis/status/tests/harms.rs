//! The words about nodes by what their findings do: one test for each state.

use netdiag_crds::{report::Finding, severity::Severity};

use super::*;

fn with(name: &str, findings: impl IntoIterator<Item = Finding>) -> ReportBuilder {
    let findings = findings.into_iter();
    findings.fold(healthy(name), ReportBuilder::finding)
}

fn suffers(name: &str, harm: Harm, severity: &str) -> ReportBuilder {
    with(name, [harmful("LinkMtu", harm, severity)])
}

fn refused(packets: Option<i64>) -> Finding {
    Finding {
        decision: true,
        cause: "NETFILTER_DROP".into(),
        packets,
        ..harmful("OtherDrop", Harm::Loss, "Info")
    }
}

#[test]
fn each_affected_node_is_counted_once_by_the_worst_that_it_suffers() {
    let outcome = Outcome::of(vec![
        with(
            "a",
            [
                harmful("TapQueueDrop", Harm::Loss, "Critical"),
                harmful("LinkMtu", Harm::Outage, "Warning"),
            ],
        ),
        suffers("b", Harm::Loss, "Warning"),
        suffers("c", Harm::Loss, "Warning"),
        suffers("d", Harm::Delay, "Warning"),
        suffers("e", Harm::Loss, "Info"),
        suffers("f", Harm::Unknown, "Info"),
        suffers("g", Harm::Cost, "Info"),
        lldp("h"),
        healthy("i"),
        with("j", [dead_connections()]),
    ]);
    assert_eq!(
        outcome.present(),
        "True Critical: connections fail on 1 node, packets do not get through on 1, packets lost on 2, packets late \
         on 1; of the others 1 lost too few packets to act on, 1 has drops that cannot be told apart, 1 works harder \
         than it must, 1 has harmless findings, 1 none"
    );
    assert!(
        outcome
            .columns()
            .starts_with("Once|Complete|10/10|5|Critical|")
    );
}

#[test]
fn late_packets_are_not_called_lost() {
    let outcome = Outcome::of(vec![suffers("a", Harm::Delay, "Warning")]);
    assert_eq!(outcome.present(), "True Warning: packets late on 1 node");
    assert_eq!(
        outcome.columns(),
        "Once|Complete|1/1|1|Warning|LinkMtu/PeerMtuSmaller: packets above the peer's MTU dropped on 1 node, packets late"
    );
}

/// A full listener, and samples prove that connections died of it.
fn dead_connections() -> Finding {
    Finding {
        cause: "AcceptQueueFull".into(),
        connections_died: true,
        ..harmful("ListenQueue", Harm::Outage, "Critical")
    }
}

#[test]
fn connections_that_fail_are_not_called_lost_packets() {
    let outcome = Outcome::of(vec![with("a", [dead_connections()]), healthy("b")]);
    assert_eq!(
        outcome.present(),
        "True Critical: connections fail on 1 node; of the others 1 none"
    );
    assert_eq!(
        outcome.top(),
        "ListenQueue/AcceptQueueFull: new connections fail on 1 node, accept queue full"
    );
}

#[test]
fn too_little_loss_is_said_and_affects_nobody() {
    let outcome = Outcome::of(vec![
        suffers("a", Harm::Loss, "Info"),
        suffers("b", Harm::Loss, "Info"),
        suffers("c", Harm::Unknown, "Info"),
        healthy("d"),
    ]);
    assert_eq!(
        outcome.present(),
        "False NothingToActOn: 8 packets lost on 2 nodes, too few to act on; of the others 1 has drops that cannot be \
         told apart, 1 none"
    );
    assert_eq!(
        outcome.columns(),
        "Once|Complete|4/4|0|Info|LinkMtu/PeerMtuSmaller: packets above the peer's MTU dropped on 3 nodes, lost on 2, too \
         few to act on"
    );
}

#[test]
fn an_outage_towards_nobody_is_no_fault() {
    let outcome = Outcome::of(vec![suffers("a", Harm::Outage, "Info"), lldp("b")]);
    assert_eq!(
        outcome.present(),
        "False NothingToActOn: packets to absent destinations do not get through on 1 node, no fault found; of the \
         others 1 has harmless findings"
    );
    let late = Outcome::of(vec![suffers("a", Harm::Delay, "Info")]);
    assert_eq!(
        late.present(),
        "False NothingToActOn: 4 packets late on 1 node, too few to act on"
    );
}

#[test]
fn what_cannot_be_told_apart_is_no_proof_of_health() {
    let outcome = Outcome::of(vec![
        suffers("a", Harm::Unknown, "Info"),
        suffers("b", Harm::Unknown, "Info"),
        lldp("c"),
        healthy("d"),
    ]);
    assert_eq!(
        outcome.present(),
        "False NoProvenLoss: no proven loss; 8 drops cannot be told apart on 2 nodes; of the others 1 has harmless \
         findings, 1 none"
    );
    assert_eq!(
        outcome.columns(),
        "Once|Complete|4/4|0|Info|no proven loss; 8 drops cannot be told apart on 2 nodes"
    );
}

#[test]
fn a_finding_that_nobody_judged_is_said_to_be_so() {
    // An older agent's state, which counts no packets.
    let outcome = Outcome::of(vec![with(
        "a",
        [finding("Promiscuity", "BridgePort", "Info")],
    )]);
    assert_eq!(
        outcome.present(),
        "False NoProvenLoss: no proven loss; findings on 1 node cannot be judged"
    );
    assert_eq!(
        outcome.top(),
        "Promiscuity/BridgePort: interface promiscuous for a bridge on 1 node, harm not known"
    );
}

#[test]
fn packets_that_are_booked_to_a_finding_of_unknown_harm_are_told_once() {
    let found = harmful("OtherDrop", Harm::Unknown, "Info");
    let row = counter("rx_dropped", 6, 2, vec![booking(&found.id, "Unknown", 4)]);
    let outcome = Outcome::of(vec![with("a", [found]).ledger(row)]);
    assert_eq!(
        outcome.top(),
        "no proven loss; 4 drops cannot be told apart on 1 node; 2 rx_dropped unexplained"
    );
}

#[test]
fn work_that_loses_nothing_is_no_loss() {
    let mut slow = harmful("SegmentOffload", Harm::Cost, "Info");
    slow.cause = "SegmentRoutingGro".into();
    let outcome = Outcome::of(vec![with("a", [slow]), healthy("b")]);
    assert_eq!(
        outcome.present(),
        "False NoLoss: slower than it must be on 1 node, no loss found; of the others 1 none"
    );
    assert_eq!(
        outcome.top(),
        "SegmentOffload/SegmentRoutingGro: SRv6 packets not merged on receipt (GRO) on 1 node, no loss by it"
    );
}

#[test]
fn unexplained_drops_leave_no_loss_unproven() {
    let row = counter("rx_dropped", 37, 37, vec![]);
    let outcome = Outcome::of(vec![lldp("a").ledger(row), healthy("b")]);
    assert_eq!(
        outcome.present(),
        "False NoProvenLoss: no proven loss; 37 rx_dropped unexplained; 1 has harmless findings, 1 none"
    );
}

#[test]
fn decisions_are_never_first_never_hidden_and_affect_nobody() {
    let quiet = Outcome::of(vec![with("a", [refused(Some(40))]), healthy("b")]);
    assert_eq!(
        quiet.columns(),
        "Once|Complete|2/2|0|Info|none: no loss in 35 s on 2 nodes; 40 packets refused as meant on 1 node"
    );
    assert_eq!(
        quiet.present(),
        "False NoLoss: no loss found on 2 nodes; 40 packets refused as meant on 1 node"
    );
    let beside_loss = Outcome::of(vec![
        critical("a").finding(refused(Some(40))),
        with("b", [refused(None)]),
    ]);
    assert_eq!(
        beside_loss.columns(),
        "Once|Complete|2/2|1|Critical|LinkMtu/PeerMtuSmaller: packets above the peer's MTU dropped on 1 node; packets \
         refused as meant on 2 nodes"
    );
    assert_eq!(
        beside_loss.present(),
        "True Critical: packets lost on 1 node; of the others 1 none; packets refused as meant on 2 nodes"
    );
    let beside_harmless = Outcome::of(vec![lldp("a"), with("b", [refused(Some(1))])]);
    assert_eq!(
        beside_harmless.top(),
        "UnhandledProtocol/NoReceiver: LLDP dropped on 1 node, harmless; 1 packet refused as meant on 1 node"
    );
}

#[test]
fn what_a_decision_dropped_is_not_called_unexplained() {
    let rule = refused(Some(4));
    let row = counter("rx_dropped", 4, 0, vec![booking(&rule.id, "Unknown", 4)]);
    let outcome = Outcome::of(vec![with("a", [rule]).ledger(row)]);
    assert_eq!(
        outcome.top(),
        "none: no loss in 35 s on 1 node; 4 packets refused as meant on 1 node"
    );
}

#[test]
fn a_critical_finding_of_an_unknown_word_hides_nothing() {
    let mut newer = harmful("LinkMtu", Harm::Loss, "Critical");
    newer.harm = Some("Catastrophe".into());
    let outcome = Outcome::of(vec![with("a", [newer])]);
    assert_eq!(outcome.present(), "True Critical: harm not known on 1 node");
    assert!(
        outcome
            .columns()
            .starts_with("Once|Complete|1/1|1|Critical|")
    );
}

#[test]
fn an_older_agents_severity_is_honoured() {
    let old = finding("LinkMtu", "PeerMtuSmaller", "Critical");
    let outcome = Outcome::of(vec![with("a", [old])]);
    assert_eq!(outcome.present(), "True Critical: packets lost on 1 node");
}

#[test]
fn where_some_nodes_could_not_look_there_is_no_verdict_of_health() {
    let blind = || healthy("d").unchecked("LinkMtu", false);
    let quiet = Outcome::of(vec![healthy("a"), healthy("b"), blind()]);
    assert_eq!(
        quiet.columns(),
        "Once|Degraded|3/3|0||none found on 2 nodes; 1 node could not look in full"
    );
    assert_eq!(
        quiet.present(),
        "Unknown NodesUnchecked: no loss found on 2 nodes; 1 node could not look in full (d: no BTF)"
    );
    let harmless = Outcome::of(vec![lldp("a"), blind()]);
    assert_eq!(
        harmless.top(),
        "UnhandledProtocol/NoReceiver: LLDP dropped on 1 node, harmless; 1 node could not look in full"
    );
    let lossy = Outcome::of(vec![critical("a"), blind()]);
    assert_eq!(
        lossy.present(),
        "True Critical: packets lost on 1 node; 1 node could not look in full (d: no BTF)"
    );
}

#[test]
fn a_node_without_any_interface_that_was_asked_for_could_not_look() {
    // As the agent says it: each check was made in part, for one reason.
    let outside = CHECKS
        .iter()
        .fold(healthy("a"), |report, check| report.unchecked(check, true));
    let all = Outcome::of(vec![outside]);
    assert_eq!(
        all.columns(),
        "Once|Degraded|1/1|0||not known: no node could be checked in full (a: no BTF)"
    );
    assert!(
        all.present()
            .starts_with("Unknown NodesUnchecked: no verdict: ")
    );
}

#[test]
fn of_nodes_that_did_not_report_nothing_is_claimed() {
    let outcome = Outcome::of(vec![healthy("a"), ReportBuilder::new("b").assigned(0)]);
    assert_eq!(
        outcome.present(),
        "Unknown NodesUnchecked: no loss found on 1 node; nothing is known of 1 node"
    );
}

#[test]
fn an_answer_is_an_answer_to_what_was_asked() {
    let mut diagnosis = crate::testing::diagnosis();
    diagnosis.spec.checks = Some(vec!["LinkMtu".into()]);
    diagnosis.spec.min_severity = Severity::Warning;
    let scope = format!("(1 of {} checks, Warning or worse)", CHECKS.len());
    let quiet = Outcome::asked(diagnosis.clone(), vec![healthy("a")]);
    assert_eq!(
        quiet.top(),
        format!("none: no loss in 35 s on 1 node {scope}")
    );
    assert_eq!(
        quiet.present(),
        format!("False NoLoss: no loss found on 1 node {scope}")
    );
    let mut lost = booking("", "Harmful", 7);
    lost.finding = None;
    let row = || counter("tx_dropped", 7, 0, vec![lost.clone()]);
    let outside = Outcome::asked(diagnosis, vec![healthy("a").ledger(row())]);
    assert_eq!(
        outside.top(),
        "7 tx_dropped lost, outside of what was asked for"
    );
    assert_eq!(
        outside.present(),
        "False NotAskedFor: 7 tx_dropped lost, outside of what was asked for"
    );
    let summed = Outcome::of(vec![critical("a").ledger(row())]);
    assert!(!summed.present().contains("asked for"));
}
