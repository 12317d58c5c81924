use k8s_openapi::{
    api::core::v1::Node,
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use netdiag_crds::{
    conditions::{self, reasons},
    diagnosis::{Continuous, NodeSelection},
};

use super::*;
use crate::testing::{self, ReportBuilder, at, node, step};

fn status(diagnosis: &NodeNetDiagnosis) -> &NodeNetDiagnosisStatus {
    diagnosis.status.as_ref().expect("a pass has written it")
}

/// Status and reason of a condition.
fn condition(diagnosis: &NodeNetDiagnosis, type_: &str) -> String {
    let mut conditions = status(diagnosis).conditions.iter();
    let found = conditions.find(|condition| condition.type_ == type_);
    let found = found.expect("every condition is there from the first pass");
    format!("{} {}", found.status, found.reason)
}

fn columns(diagnosis: &NodeNetDiagnosis) -> String {
    let summary = status(diagnosis).summary.as_ref().expect("always there");
    format!("{} {} {}", summary.mode, summary.state, summary.nodes)
}

fn nodes(names: &[&str]) -> Vec<Node> {
    names.iter().map(|name| node(name)).collect()
}

fn assigned(names: &[&str]) -> Vec<NodeNetReport> {
    names
        .iter()
        .map(|name| ReportBuilder::new(name).assigned(0).build())
        .collect()
}

fn finished(name: &str) -> NodeNetReport {
    ReportBuilder::new(name)
        .assigned(0)
        .result("Finished")
        .build()
}

#[test]
fn the_first_pass_starts_a_run_and_shows_every_condition() {
    let mut diagnosis = testing::diagnosis();
    let plan = step(&mut diagnosis, &nodes(&["a", "b"]), &[], 0);
    assert_eq!(status(&diagnosis).start_time, Some(Time(at(0))));
    assert_eq!(status(&diagnosis).run_generation, Some(1));
    assert_eq!(
        condition(&diagnosis, conditions::PROGRESSING),
        "True Assigning"
    );
    assert_eq!(condition(&diagnosis, conditions::COMPLETE), "False Running");
    assert_eq!(
        condition(&diagnosis, conditions::FINDINGS_PRESENT),
        "Unknown NoReportYet"
    );
    assert_eq!(
        condition(&diagnosis, conditions::DEGRADED),
        "Unknown Running"
    );
    assert_eq!(columns(&diagnosis), "Once Running 0/2");
    assert_eq!(
        plan.next,
        Some(at(60)),
        "nodes must have their assignment by then"
    );
}

#[test]
fn nothing_is_written_when_nothing_has_changed() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &assigned(&["a"]), 0);
    let plan = step(&mut diagnosis, &nodes, &assigned(&["a"]), 30);
    assert_eq!(plan.action, Action::Nothing);
}

#[test]
fn fractions_of_a_second_are_no_change() {
    let mut diagnosis = testing::diagnosis();
    let world = World::new(nodes(&["a"]), assigned(&["a"]));
    let now = at(0) + SignedDuration::from_millis(700);
    let plan = decide(&diagnosis, &world, now);
    let Action::WriteStatus(status) = plan.action else {
        panic!("the first pass writes")
    };
    diagnosis.status = serde_json::from_value(serde_json::to_value(*status).expect("plain data"))
        .expect("its own");
    assert_eq!(decide(&diagnosis, &world, now).action, Action::Nothing);
}

#[test]
fn a_run_is_complete_when_every_node_has_reported() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &assigned(&["a", "b"]), 0);
    let plan = step(&mut diagnosis, &nodes, &[finished("a"), finished("b")], 51);
    assert_eq!(
        condition(&diagnosis, conditions::COMPLETE),
        "True AllReported"
    );
    assert_eq!(
        condition(&diagnosis, conditions::PROGRESSING),
        "False Complete"
    );
    assert_eq!(
        condition(&diagnosis, conditions::DEGRADED),
        "False AllChecked"
    );
    assert_eq!(status(&diagnosis).completion_time, Some(Time(at(51))));
    assert_eq!(columns(&diagnosis), "Once Complete 2/2");
    assert_eq!(plan.next, None);
}

#[test]
fn silent_nodes_end_a_run_at_their_deadline_and_degrade_it() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    let reports = [finished("a"), ReportBuilder::new("b").assigned(1).build()];
    let plan = step(&mut diagnosis, &nodes, &reports, 60);
    assert_eq!(plan.next, Some(at(61)));
    assert_eq!(condition(&diagnosis, conditions::COMPLETE), "False Running");
    step(&mut diagnosis, &nodes, &reports, 61);
    assert_eq!(
        condition(&diagnosis, conditions::COMPLETE),
        "True GracePeriodOver"
    );
    assert_eq!(
        condition(&diagnosis, conditions::DEGRADED),
        "True NodesUnchecked"
    );
    assert_eq!(columns(&diagnosis), "Once Degraded 1/2");
}

#[test]
fn a_late_result_is_counted_after_completion() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a"]);
    step(&mut diagnosis, &nodes, &assigned(&["a"]), 0);
    step(&mut diagnosis, &nodes, &assigned(&["a"]), 60);
    assert_eq!(columns(&diagnosis), "Once Degraded 0/1");
    step(&mut diagnosis, &nodes, &[finished("a")], 200);
    assert_eq!(columns(&diagnosis), "Once Complete 1/1");
    assert_eq!(
        status(&diagnosis).completion_time,
        Some(Time(at(60))),
        "it was complete before"
    );
}

#[test]
fn a_node_that_joins_after_the_start_is_not_part_of_the_run() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &nodes(&["a"]), &[], 10);
    let mut late = node("late");
    late.metadata.creation_timestamp = Some(Time(at(11)));
    step(&mut diagnosis, &[node("a"), late], &[], 12);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
}

#[test]
fn a_node_that_gets_the_label_after_all_are_assigned_is_not_part_of_the_run() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &nodes(&["a"]), &assigned(&["a"]), 0);
    assert!(status(&diagnosis).nodes_frozen);
    step(&mut diagnosis, &nodes(&["a", "b"]), &assigned(&["a"]), 5);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
}

#[test]
fn a_deleted_node_leaves_the_run() {
    let mut diagnosis = testing::diagnosis();
    step(
        &mut diagnosis,
        &nodes(&["a", "b"]),
        &assigned(&["a", "b"]),
        0,
    );
    step(
        &mut diagnosis,
        &nodes(&["a"]),
        &[finished("a"), ReportBuilder::new("b").assigned(0).build()],
        20,
    );
    assert_eq!(columns(&diagnosis), "Once Complete 1/1");
}

#[test]
fn the_report_of_a_former_node_of_the_same_name_does_not_count() {
    let mut diagnosis = testing::diagnosis();
    let mut report = finished("a");
    report.metadata.owner_references = Some(vec![OwnerReference {
        kind: "Node".into(),
        name: "a".into(),
        uid: "of the former".into(),
        ..OwnerReference::default()
    }]);
    step(&mut diagnosis, &nodes(&["a"]), &[report], 20);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
}

#[test]
fn no_selected_node_is_complete_at_once() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &[], &[], 0);
    assert_eq!(
        condition(&diagnosis, conditions::COMPLETE),
        "True NoNodesSelected"
    );
    assert_eq!(columns(&diagnosis), "Once Complete 0/0");
}

#[test]
fn names_that_no_node_has_degrade_and_are_named() {
    let mut diagnosis = testing::diagnosis();
    let names = vec!["a".to_owned(), "typo".to_owned()];
    diagnosis.spec.nodes = NodeSelection {
        names: Some(names),
        ..NodeSelection::default()
    };
    step(&mut diagnosis, &nodes(&["a", "b"]), &[finished("a")], 0);
    assert_eq!(columns(&diagnosis), "Once Degraded 1/1");
    let degraded = status(&diagnosis)
        .conditions
        .iter()
        .find(|condition| condition.type_ == conditions::DEGRADED);
    let degraded = degraded.expect("always there");
    assert_eq!(degraded.reason, reasons::NODES_NOT_FOUND);
    assert_eq!(degraded.message, "no node is named typo");
}

#[test]
fn a_full_node_is_refused_by_name() {
    let mut diagnosis = testing::diagnosis();
    let reports = [finished("a"), ReportBuilder::new("b").refused().build()];
    step(&mut diagnosis, &nodes(&["a", "b"]), &reports, 20);
    assert_eq!(
        condition(&diagnosis, conditions::DEGRADED),
        "True TooManyDiagnoses"
    );
    assert_eq!(
        condition(&diagnosis, conditions::COMPLETE),
        "True GracePeriodOver"
    );
    assert_eq!(
        status(&diagnosis)
            .nodes
            .as_ref()
            .map(|counts| counts.refused),
        Some(1)
    );
}

#[test]
fn a_rerun_begins_anew_and_ignores_old_results() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a"]);
    step(&mut diagnosis, &nodes, &[finished("a")], 40);
    assert_eq!(columns(&diagnosis), "Once Complete 1/1");
    diagnosis.spec.rerun = Some("again".into());
    diagnosis.metadata.generation = Some(2);
    step(&mut diagnosis, &nodes, &[finished("a")], 100);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
    let status = status(&diagnosis);
    assert_eq!(
        (status.run_generation, status.observed_generation),
        (Some(2), Some(2))
    );
    assert_eq!(
        (status.start_time.clone(), status.completion_time.clone()),
        (Some(Time(at(100))), None)
    );
}

#[test]
fn an_edit_that_restarts_nothing_keeps_the_run() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a"]);
    step(&mut diagnosis, &nodes, &[finished("a")], 40);
    diagnosis.spec.ttl_seconds_after_finished = Some(600);
    diagnosis.metadata.generation = Some(2);
    let plan = step(&mut diagnosis, &nodes, &[finished("a")], 50);
    assert_eq!(columns(&diagnosis), "Once Complete 1/1");
    let status = status(&diagnosis);
    assert_eq!(
        (status.run_generation, status.observed_generation),
        (Some(1), Some(2))
    );
    assert_eq!(plan.next, Some(at(640)));
}

#[test]
fn made_anew_under_its_name_it_knows_no_former_result() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.metadata.uid = Some("uid-2".into());
    step(&mut diagnosis, &nodes(&["a"]), &[finished("a")], 40);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
}

#[test]
fn conditions_keep_their_time_until_they_flip() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &assigned(&["a", "b"]), 0);
    step(
        &mut diagnosis,
        &nodes,
        &[finished("a"), ReportBuilder::new("b").assigned(0).build()],
        40,
    );
    step(&mut diagnosis, &nodes, &[finished("a"), finished("b")], 50);
    let times: Vec<i64> = status(&diagnosis)
        .conditions
        .iter()
        .map(|condition| condition.last_transition_time.0.as_second() - at(0).as_second())
        .collect();
    // Progressing and Complete flip at the end; FindingsPresent was Unknown until every node had reported.
    assert_eq!(times, [50, 50, 50, 50]);
    step(
        &mut diagnosis,
        &nodes,
        &[finished("a"), finished("b"), finished("c")],
        90,
    );
    let complete = &status(&diagnosis).conditions[1];
    assert_eq!(complete.last_transition_time, Time(at(50)));
}

#[test]
fn suspending_stops_the_clock_and_keeps_results() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    let reports = [finished("a"), ReportBuilder::new("b").assigned(0).build()];
    step(&mut diagnosis, &nodes, &reports, 10);
    diagnosis.spec.suspend = true;
    let plan = step(&mut diagnosis, &nodes, &reports, 5000);
    assert_eq!(columns(&diagnosis), "Once Suspended 1/2");
    assert_eq!(
        condition(&diagnosis, conditions::PROGRESSING),
        "False Suspended"
    );
    assert_eq!(plan.next, None);
    diagnosis.spec.suspend = false;
    let resumed = [
        finished("a"),
        ReportBuilder::new("b").assigned(6000).build(),
    ];
    let plan = step(&mut diagnosis, &nodes, &resumed, 6001);
    assert_eq!(columns(&diagnosis), "Once Running 1/2");
    assert_eq!(plan.next, Some(at(6060)));
}

#[test]
fn suspended_from_the_first_it_does_not_start() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.spec.suspend = true;
    step(&mut diagnosis, &nodes(&["a"]), &[], 0);
    assert_eq!(columns(&diagnosis), "Once Suspended 0/1");
    assert_eq!(status(&diagnosis).start_time, None);
    diagnosis.spec.suspend = false;
    step(&mut diagnosis, &nodes(&["a"]), &[], 30);
    assert_eq!(status(&diagnosis).start_time, Some(Time(at(30))));
}

#[test]
fn suspending_a_complete_run_changes_nothing() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &nodes(&["a"]), &[finished("a")], 40);
    diagnosis.spec.suspend = true;
    step(&mut diagnosis, &nodes(&["a"]), &[finished("a")], 50);
    assert_eq!(columns(&diagnosis), "Once Complete 1/1");
}

#[test]
fn it_is_deleted_when_its_time_after_completion_is_over() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.spec.ttl_seconds_after_finished = Some(60);
    let nodes = nodes(&["a"]);
    let plan = step(&mut diagnosis, &nodes, &[finished("a")], 40);
    assert_eq!(plan.next, Some(at(100)));
    let plan = step(&mut diagnosis, &nodes, &[finished("a")], 99);
    assert_eq!((plan.action, plan.next), (Action::Nothing, Some(at(100))));
    assert_eq!(
        step(&mut diagnosis, &nodes, &[finished("a")], 100).action,
        Action::Delete
    );
}

#[test]
fn a_continuous_diagnosis_follows_its_nodes_and_never_completes() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.spec.continuous = Some(Continuous {
        interval_seconds: 300,
    });
    let written = |name: &str, seconds| {
        ReportBuilder::new(name)
            .assigned(0)
            .result("Finished")
            .written(seconds)
            .build()
    };
    let plan = step(&mut diagnosis, &nodes(&["a"]), &[written("a", 310)], 320);
    assert_eq!(columns(&diagnosis), "Continuous Running 1/1");
    assert_eq!(condition(&diagnosis, conditions::COMPLETE), "False Running");
    assert_eq!(
        condition(&diagnosis, conditions::FINDINGS_PRESENT),
        "False NoLoss"
    );
    assert_eq!(plan.next, Some(at(310 + 660)));
    let mut joined = node("b");
    joined.metadata.creation_timestamp = Some(Time(at(400)));
    step(
        &mut diagnosis,
        &[node("a"), joined.clone()],
        &[written("a", 610)],
        620,
    );
    assert_eq!(columns(&diagnosis), "Continuous Running 1/2");
    step(
        &mut diagnosis,
        &[node("a"), joined],
        &[written("a", 610), written("b", 1200)],
        1270,
    );
    assert_eq!(columns(&diagnosis), "Continuous Degraded 1/2", "a is stale");
}
