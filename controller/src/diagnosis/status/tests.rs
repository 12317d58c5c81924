mod harms;

use super::*;
use crate::testing::{ReportBuilder, booking, counter, finding, harmful, node, step, unready_node};
use netdiag_crds::{NodeNetReport, checks::CHECKS, diagnosis::Summary, harm::Harm};

fn lldp(name: &str) -> ReportBuilder {
    let mut found = finding("UnhandledProtocol", "NoReceiver", "Info");
    found.harm = Some("None".into());
    found.subject.protocol = Some("LLDP".into());
    let row = counter("rx_dropped", 3, 0, vec![booking(&found.id, "Benign", 3)]);
    ReportBuilder::new(name)
        .assigned(0)
        .result("Finished")
        .finding(found)
        .ledger(row)
}

fn critical(name: &str) -> ReportBuilder {
    lldp(name).finding(harmful("LinkMtu", Harm::Loss, "Critical"))
}

fn healthy(name: &str) -> ReportBuilder {
    ReportBuilder::new(name).assigned(0).result("Finished")
}

/// The columns and the messages after a run in which these nodes reported and nothing more is to come.
struct Outcome {
    status: NodeNetDiagnosisStatus,
}

impl Outcome {
    fn of(reports: Vec<ReportBuilder>) -> Self {
        Self::asked(crate::testing::diagnosis(), reports)
    }

    fn asked(mut diagnosis: NodeNetDiagnosis, reports: Vec<ReportBuilder>) -> Self {
        let reports: Vec<NodeNetReport> = reports.into_iter().map(ReportBuilder::build).collect();
        let nodes: Vec<_> = reports
            .iter()
            .map(|report| node(report.metadata.name.as_deref().expect("reports have names")))
            .collect();
        step(&mut diagnosis, &nodes, &reports, 0);
        step(&mut diagnosis, &nodes, &reports, 1000);
        Self {
            status: diagnosis.status.expect("written"),
        }
    }

    fn columns(&self) -> String {
        let Summary {
            mode,
            state,
            nodes,
            affected,
            severity,
            top_finding,
        } = self.status.summary.clone().expect("always there");
        format!("{mode}|{state}|{nodes}|{affected}|{severity}|{top_finding}")
    }

    /// TOP FINDING.
    fn top(&self) -> String {
        let columns = self.columns();
        let (_, top) = columns.rsplit_once('|').expect("columns");
        top.to_owned()
    }

    /// `FindingsPresent` as status, reason and message.
    fn present(&self) -> String {
        self.message(conditions::FINDINGS_PRESENT)
    }

    fn message(&self, type_: &str) -> String {
        let mut conditions = self.status.conditions.iter();
        let condition = conditions
            .find(|condition| condition.type_ == type_)
            .expect("always there");
        format!(
            "{} {}: {}",
            condition.status, condition.reason, condition.message
        )
    }
}

#[test]
fn loss_is_shown_with_its_worst_finding() {
    let outcome = Outcome::of(vec![critical("a"), critical("b"), lldp("c"), healthy("d")]);
    assert_eq!(
        outcome.columns(),
        "Once|Complete|4/4|2|Critical|LinkMtu/PeerMtuSmaller: packets above the peer's MTU dropped on 2 nodes"
    );
    assert_eq!(
        outcome.message(conditions::FINDINGS_PRESENT),
        "True Critical: packets lost on 2 nodes; of the others 1 has harmless findings, 1 none"
    );
    assert_eq!(
        outcome.message(conditions::COMPLETE),
        "True AllReported: 4 of 4 nodes reported in 0 s"
    );
}

#[test]
fn where_every_node_has_loss_nothing_is_said_of_others() {
    let outcome = Outcome::of(vec![critical("a")]);
    assert_eq!(
        outcome.message(conditions::FINDINGS_PRESENT),
        "True Critical: packets lost on 1 node"
    );
}

#[test]
fn harmless_drops_affect_no_node() {
    let outcome = Outcome::of(vec![lldp("a"), lldp("b")]);
    assert_eq!(
        outcome.columns(),
        "Once|Complete|2/2|0|Info|UnhandledProtocol/NoReceiver: LLDP dropped on 2 nodes, harmless"
    );
    assert_eq!(
        outcome.message(conditions::FINDINGS_PRESENT),
        "False NoLoss: no loss found on 2 nodes; 2 have harmless findings"
    );
}

#[test]
fn a_quiet_fleet_is_said_to_be_so() {
    let outcome = Outcome::of(vec![healthy("a"), healthy("b")]);
    assert_eq!(
        outcome.columns(),
        "Once|Complete|2/2|0||none: no loss in 35 s on 2 nodes"
    );
}

#[test]
fn unexplained_drops_are_never_called_health() {
    let open = healthy("a").ledger(counter(
        "rx_dropped",
        37,
        30,
        vec![booking("", "Unknown", 7)],
    ));
    assert_eq!(
        Outcome::of(vec![open]).columns(),
        "Once|Complete|1/1|0||no proven loss; 37 rx_dropped unexplained"
    );
    let beside_harmless = lldp("a").ledger(counter("tx_dropped", 5, 5, vec![]));
    assert_eq!(
        Outcome::of(vec![beside_harmless]).columns(),
        "Once|Complete|1/1|0|Info|UnhandledProtocol/NoReceiver: LLDP dropped on 1 node, harmless; 5 tx_dropped unexplained"
    );
}

#[test]
fn nodes_that_could_not_look_give_no_verdict_of_health() {
    let outcome = Outcome::of(vec![healthy("a").unchecked("LinkMtu", false)]);
    assert_eq!(
        outcome.columns(),
        "Once|Degraded|1/1|0||not known: no node could be checked in full (a: no BTF)"
    );
    assert_eq!(
        outcome.message(conditions::FINDINGS_PRESENT),
        "Unknown NodesUnchecked: no verdict: no node could be checked in full (a: no BTF)"
    );
    assert_eq!(
        outcome.message(conditions::DEGRADED),
        format!(
            "True NodesUnchecked: 1 checked in part (a {} of {})",
            CHECKS.len() - 1,
            CHECKS.len()
        )
    );
}

#[test]
fn a_check_made_in_part_degrades_but_is_no_blindness() {
    let outcome = Outcome::of(vec![healthy("a").unchecked("LinkMtu", true)]);
    assert_eq!(
        outcome.columns(),
        "Once|Degraded|1/1|0||none: no loss in 35 s on 1 node"
    );
}

#[test]
fn a_window_that_is_short_degrades_nothing() {
    let outcome = Outcome::of(vec![healthy("a").short("LinkMtu")]);
    assert_eq!(
        outcome.columns(),
        "Once|Complete|1/1|0||none: no loss in 35 s on 1 node"
    );
    let everything = CHECKS.iter();
    let outcome = Outcome::of(vec![
        everything.fold(healthy("a"), |report, check| report.short(check)),
    ]);
    assert!(outcome.present().starts_with("False NoLoss: "));
}

#[test]
fn nodes_of_which_nothing_is_known_are_named_with_the_reason() {
    let mut diagnosis = crate::testing::diagnosis();
    let nodes = [
        node("a"),
        unready_node("b"),
        node("c"),
        node("d"),
        node("e"),
    ];
    let reports = [
        lldp("a").build(),
        ReportBuilder::new("b").assigned(0).build(),
        ReportBuilder::new("c").assigned(0).build(),
        ReportBuilder::new("d").assigned(0).acknowledged().build(),
        ReportBuilder::new("e").assigned(0).result("Failed").build(),
    ];
    step(&mut diagnosis, &nodes, &reports, 1000);
    let outcome = Outcome {
        status: diagnosis.status.expect("written"),
    };
    assert_eq!(
        outcome.columns(),
        "Once|Degraded|2/5|0|Info|UnhandledProtocol/NoReceiver: LLDP dropped on 1 node, harmless"
    );
    assert_eq!(
        outcome.message(conditions::DEGRADED),
        "True NodesUnchecked: 3 unreachable (b NotReady; c no agent; d agent silent); 1 failed (e)"
    );
    assert_eq!(
        outcome.message(conditions::COMPLETE),
        "True GracePeriodOver: 1 of 5 nodes reported; nothing is known of the other 4"
    );
}

#[test]
fn when_no_node_answers_nothing_is_claimed() {
    let outcome = Outcome::of(vec![ReportBuilder::new("a").assigned(0)]);
    assert_eq!(
        outcome.columns(),
        "Once|Degraded|0/1|||not known: no node reported"
    );
}

#[test]
fn while_it_runs_nothing_is_forecast() {
    let mut diagnosis = crate::testing::diagnosis();
    let nodes = [node("a"), node("b")];
    let reports = [
        healthy("a").build(),
        ReportBuilder::new("b").assigned(0).build(),
    ];
    step(&mut diagnosis, &nodes, &reports, 10);
    let outcome = Outcome {
        status: diagnosis.status.expect("written"),
    };
    assert_eq!(outcome.columns(), "Once|Running|1/2|0||");
    assert_eq!(
        outcome.message(conditions::FINDINGS_PRESENT),
        "Unknown Running: no loss found on 1 node, so far"
    );
}

#[test]
fn the_order_in_which_the_api_server_keeps_lists_is_no_change() {
    let status = Outcome::of(vec![critical("a"), lldp("b")]).status;
    let mut stored = status.clone();
    stored.conditions.reverse();
    stored.node_findings.reverse();
    assert!(is_same(Some(&stored), &status));
    stored.node_findings.pop();
    assert!(!is_same(Some(&stored), &status));
    assert!(!is_same(None, &status));
}
