//! Who takes part in a run.

use super::*;

#[test]
fn a_node_that_joins_after_the_start_is_not_part_of_the_run() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &nodes(&["a"]), &[], 10);
    let mut late = node("late");
    // By a clock that is an hour behind the controller's.
    late.metadata.creation_timestamp = Some(Time(at(-3600)));
    step(&mut diagnosis, &[node("a"), late], &[], 12);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
}

#[test]
fn a_node_that_gets_the_label_after_the_start_is_not_part_of_the_run() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &nodes(&["a"]), &[], 0);
    assert!(status(&diagnosis).nodes_frozen);
    step(&mut diagnosis, &nodes(&["a", "b"]), &assigned(&["a"]), 5);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
}

#[test]
fn a_node_whose_report_is_deleted_is_still_part_of_the_run_and_is_waited_for() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &assigned(&["a", "b"]), 0);
    let plan = step(&mut diagnosis, &nodes, &[finished("a")], 40);
    assert_eq!(columns(&diagnosis), "Once Running 1/2");
    assert_eq!(plan.next, Some(560));
}

#[test]
fn a_node_that_could_not_be_assigned_ends_so_and_is_never_called_checked() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &[], 0);
    step(&mut diagnosis, &nodes, &[finished("a")], 599);
    assert_eq!(columns(&diagnosis), "Once Running 1/2");
    step(&mut diagnosis, &nodes, &[finished("a")], 600);
    assert_eq!(columns(&diagnosis), "Once Degraded 1/2");
    assert_eq!(
        condition(&diagnosis, conditions::DEGRADED),
        "True NodesNotAssigned"
    );
    let counts = status(&diagnosis).nodes.as_ref().expect("always there");
    assert_eq!((counts.not_assigned, counts.unreachable), (1, 0));
}

#[test]
fn a_report_deleted_after_the_end_takes_its_node_out_of_the_checked_ones() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &[finished("a"), finished("b")], 40);
    assert_eq!(columns(&diagnosis), "Once Complete 2/2");
    step(&mut diagnosis, &nodes, &[finished("a")], 50);
    assert_eq!(columns(&diagnosis), "Once Degraded 1/2");
    assert_eq!(status(&diagnosis).completion_time, Some(Time(at(40))));
}

#[test]
fn a_finished_run_whose_place_was_taken_stands_as_it_was() {
    let mut diagnosis = testing::diagnosis();
    let nodes = nodes(&["a", "b"]);
    step(&mut diagnosis, &nodes, &[finished("a"), finished("b")], 40);
    let before = status(&diagnosis).clone();
    // Eight later runs have every place on one of the nodes.
    let mut full = ReportBuilder::new("b");
    for number in 0..8 {
        full = full.assigned_for(
            &format!("later-{number}"),
            &format!("uid-of-later-{number}"),
            50,
        );
    }
    let full = full.acknowledged().build();
    step(&mut diagnosis, &nodes, &[finished("a"), full], 50);
    assert_eq!(columns(&diagnosis), "Once Complete 2/2");
    assert_eq!(
        condition(&diagnosis, conditions::COMPLETE),
        "True ResultsGone"
    );
    let told = &status(&diagnosis).conditions[1].message;
    assert!(
        told.starts_with("2 of 2 nodes reported in 40 s; this stands"),
        "{told}"
    );
    assert_eq!(status(&diagnosis).node_findings, before.node_findings);
    // Whatever happens to the reports afterwards.
    let after = status(&diagnosis).clone();
    step(&mut diagnosis, &nodes, &[finished("a")], 60);
    assert_eq!(status(&diagnosis), &after);
    // A rerun is another run.
    diagnosis.spec.rerun = Some("again".into());
    step(&mut diagnosis, &nodes, &[], 70);
    assert_eq!(columns(&diagnosis), "Once Running 0/2");
}

#[test]
fn a_run_whose_nodes_were_all_deleted_has_not_selected_none() {
    let mut diagnosis = testing::diagnosis();
    step(&mut diagnosis, &nodes(&["a"]), &[], 0);
    step(&mut diagnosis, &[], &[], 5);
    assert_eq!(
        condition(&diagnosis, conditions::COMPLETE),
        "True NodesDeleted"
    );
    assert_eq!(columns(&diagnosis), "Once Complete 0/0");
}

#[test]
fn a_node_made_anew_after_it_was_deleted_is_no_member() {
    let mut diagnosis = testing::diagnosis();
    let both = nodes(&["a", "b"]);
    step(&mut diagnosis, &both, &[finished("a"), finished("b")], 40);
    step(&mut diagnosis, &nodes(&["a"]), &[finished("a")], 50);
    step(&mut diagnosis, &both, &[finished("a")], 60);
    assert_eq!(columns(&diagnosis), "Once Complete 1/1");
}

#[test]
fn nodes_beyond_what_a_run_can_have_are_counted_as_not_assigned() {
    let mut diagnosis = testing::diagnosis();
    let names: Vec<String> = (0..5001).map(|number| format!("n{number:04}")).collect();
    let fleet: Vec<Node> = names.iter().map(|name| node(name)).collect();
    let reports: Vec<NodeNetReport> = names[..5000].iter().map(|name| finished(name)).collect();
    step(&mut diagnosis, &fleet, &[], 0);
    step(&mut diagnosis, &fleet, &reports, 40);
    assert_eq!(columns(&diagnosis), "Once Degraded 5000/5001");
    let counts = status(&diagnosis).nodes.as_ref().expect("always there");
    assert_eq!(counts.not_assigned, 1);
}

#[test]
fn five_thousand_nodes_with_long_names_are_remembered_and_longer_ones_counted() {
    let remembered = |suffix: &str| {
        let mut diagnosis = testing::diagnosis();
        let names = (0..5000).map(|number| format!("ip-192-168-{number:04}.{suffix}"));
        let fleet: Vec<Node> = names.map(|name| node(&name)).collect();
        step(&mut diagnosis, &fleet, &[], 0);
        let status = status(&diagnosis);
        let members = status.members.as_ref().expect("remembered");
        let bytes = serde_json::to_vec(members).expect("plain data").len();
        assert!(bytes <= 256 * 1024, "{bytes} bytes");
        let omitted = status.omitted.as_ref();
        let omitted = omitted.map_or(0, |omitted| omitted.members);
        (members.len(), omitted)
    };
    assert_eq!(remembered("ap-southeast-1.compute.internal"), (5000, 0));
    let (kept, omitted) = remembered(&"long.".repeat(20));
    assert!(kept > 2000 && omitted > 2000, "{kept}, {omitted}");
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
    assert_eq!(plan.next, Some(310 + 660 - 320));
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
