//! Who takes part in a run.

use super::*;

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
