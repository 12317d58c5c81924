mod edits;
mod membership;

use std::{collections::HashMap, sync::Arc};

use k8s_openapi::{
    api::core::v1::Node,
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use netdiag_crds::{
    NodeNetReport,
    conditions::{self, reasons},
    diagnosis::{Continuous, NodeSelection},
};

use super::*;
use crate::{
    run::{
        moment::{Moment, Moments},
        time::RunningTime,
    },
    testing::{self, ReportBuilder, at, node, step},
};

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
        Some(600),
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
    let world = World::new(nodes(&["a"]), assigned(&["a"]), HashMap::new());
    let moments = Moments::new(RunningTime::start());
    let plan = decide(&diagnosis, &world, &moments.of(&diagnosis));
    let Action::WriteStatus(status) = plan.action else {
        panic!("the first pass writes")
    };
    diagnosis.status = serde_json::from_value(serde_json::to_value(*status).expect("plain data"))
        .expect("its own");
    let plan = decide(&diagnosis, &world, &moments.of(&diagnosis));
    assert_eq!(plan.action, Action::Nothing);
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
    assert_eq!(plan.next, Some(1));
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
