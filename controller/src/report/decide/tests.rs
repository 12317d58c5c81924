use super::*;
use crate::testing::{self, ReportBuilder, at, moment, node, step};

/// A diagnosis over all nodes that has started, and no node has its part yet.
fn started(name: &str) -> NodeNetDiagnosis {
    let mut diagnosis = testing::diagnosis();
    diagnosis.metadata.name = Some(name.into());
    diagnosis.metadata.uid = Some(format!("uid-of-{name}"));
    step(&mut diagnosis, &[node("a"), node("b")], &[], 0);
    diagnosis
}

/// One pass; the report after it.
fn pass(
    report: Option<NodeNetReport>,
    diagnoses: &[&NodeNetDiagnosis],
    now: i64,
) -> (NodeNetReport, bool) {
    let wanted = decide(
        &node("a"),
        report.as_ref(),
        diagnoses,
        &Coverage::default(),
        |diagnosis| moment(diagnosis, now),
    );
    let written = wanted.is_some();
    let mut report = report.unwrap_or_else(|| ReportBuilder::new("a").build());
    if let Some(Wanted { spec, .. }) = wanted {
        report.spec = spec;
    }
    (report, written)
}

fn names(report: &NodeNetReport) -> Vec<&str> {
    report
        .spec
        .assignments
        .iter()
        .map(|assignment| assignment.name.as_str())
        .collect()
}

#[test]
fn a_new_node_gets_a_report_though_nothing_is_asked_of_it() {
    let (report, written) = pass(None, &[], 0);
    assert!(written);
    assert!(!pass(Some(report), &[], 1).1);
}

#[test]
fn a_started_diagnosis_is_assigned_once_with_its_settings() {
    let mut diagnosis = started("x");
    diagnosis.spec.min_severity = netdiag_crds::severity::Severity::Warning;
    let (report, _) = pass(None, &[&diagnosis], 2);
    let assignment = &report.spec.assignments[0];
    assert_eq!(assignment.assigned_time, Time(at(2)));
    assert_eq!(
        (assignment.run_generation, assignment.window_seconds),
        (1, 35)
    );
    assert_eq!(
        assignment.min_severity,
        netdiag_crds::severity::Severity::Warning
    );
    assert!(
        !pass(Some(report), &[&diagnosis], 500).1,
        "a second pass, or one after a restart, changes nothing"
    );
}

#[test]
fn nothing_is_assigned_before_the_run_is_remembered() {
    let diagnosis = testing::diagnosis();
    assert_eq!(names(&pass(None, &[&diagnosis], 0).0), Vec::<&str>::new());
    let mut edited = started("x");
    edited.spec.rerun = Some("again".into());
    assert_eq!(names(&pass(None, &[&edited], 0).0), Vec::<&str>::new());
}

#[test]
fn an_assignment_of_a_deleted_diagnosis_goes() {
    let (report, _) = pass(None, &[&started("x"), &started("y")], 0);
    assert_eq!(names(&report), ["x", "y"]);
    let (report, _) = pass(Some(report), &[&started("y")], 1);
    assert_eq!(names(&report), ["y"]);
}

#[test]
fn made_anew_under_its_name_it_is_another_assignment() {
    let (report, _) = pass(None, &[&started("x")], 0);
    let mut anew = started("x");
    anew.metadata.uid = Some("another".into());
    let (report, _) = pass(Some(report), &[&anew], 5);
    assert_eq!(names(&report), ["x"]);
    assert_eq!(report.spec.assignments[0].uid, "another");
    assert_eq!(report.spec.assignments[0].assigned_time, Time(at(5)));
}

#[test]
fn a_rerun_is_assigned_anew_and_other_edits_keep_the_time() {
    let mut diagnosis = started("x");
    let (report, _) = pass(None, &[&diagnosis], 0);
    diagnosis.spec.min_severity = netdiag_crds::severity::Severity::Critical;
    let (report, written) = pass(Some(report), &[&diagnosis], 5);
    assert!(written);
    assert_eq!(report.spec.assignments[0].assigned_time, Time(at(0)));

    diagnosis.spec.rerun = Some("again".into());
    diagnosis.metadata.generation = Some(3);
    let (report, written) = pass(Some(report), &[&diagnosis], 6);
    assert!(!written, "the new run is not remembered yet");
    step(
        &mut diagnosis,
        &[node("a")],
        std::slice::from_ref(&report),
        7,
    );
    let (report, _) = pass(Some(report), &[&diagnosis], 8);
    let assignment = &report.spec.assignments[0];
    assert_eq!(
        (assignment.run_generation, &assignment.assigned_time),
        (2, &Time(at(8)))
    );
}

#[test]
fn a_node_that_came_later_gets_no_part_of_a_single_run() {
    let diagnosis = started("x");
    let late = node("late");
    let wanted = decide(&late, None, &[&diagnosis], &Coverage::default(), |of| {
        moment(of, 2)
    })
    .expect("a report is made");
    assert_eq!(wanted.spec.assignments, []);
}

#[test]
fn a_node_that_loses_its_label_keeps_its_part_of_a_single_run() {
    let mut diagnosis = started("x");
    let (report, _) = pass(None, &[&diagnosis], 0);
    step(
        &mut diagnosis,
        &[node("a")],
        std::slice::from_ref(&report),
        1,
    );
    let selection = netdiag_crds::diagnosis::NodeSelection::default();
    // As if the label had been taken from the node: the spec, and with it the run, stay the same.
    diagnosis.spec.nodes = selection;
    diagnosis.status.as_mut().expect("written").run_inputs =
        Some(Run::of(&diagnosis, at(0), 0).inputs);
    assert_eq!(names(&pass(Some(report), &[&diagnosis], 2).0), ["x"]);
}

#[test]
fn a_node_that_lost_its_report_gets_its_part_again_until_the_run_is_complete() {
    let mut diagnosis = started("x");
    let (report, _) = pass(None, &[&diagnosis], 0);
    step(&mut diagnosis, &[node("a"), node("b")], &[report], 1);
    let (again, _) = pass(None, &[&diagnosis], 100);
    assert_eq!(names(&again), ["x"]);
    assert_eq!(again.spec.assignments[0].assigned_after_seconds, 100);

    let status = diagnosis.status.as_mut().expect("written");
    status.completion_time = Some(Time(at(200)));
    assert_eq!(names(&pass(None, &[&diagnosis], 300).0), Vec::<&str>::new());
    assert_eq!(names(&pass(Some(again), &[&diagnosis], 300).0), ["x"]);
}

#[test]
fn the_ninth_diagnosis_is_refused_and_takes_nobodys_place() {
    let eight: Vec<NodeNetDiagnosis> = (1..=8)
        .map(|number| started(&format!("n{number}")))
        .collect();
    let first: Vec<&NodeNetDiagnosis> = eight.iter().collect();
    let (report, _) = pass(None, &first, 0);
    assert_eq!(report.spec.assignments.len(), 8);

    let ninth = started("a-ninth");
    let all: Vec<&NodeNetDiagnosis> = std::iter::once(&ninth).chain(first).collect();
    let (report, _) = pass(Some(report), &all, 1);
    assert!(!names(&report).contains(&"a-ninth"));
    assert_eq!(report.spec.refused[0].uid, "uid-of-a-ninth");
    assert!(!pass(Some(report.clone()), &all, 2).1);

    let with_room: Vec<&NodeNetDiagnosis> = all.iter().copied().skip(2).chain([&ninth]).collect();
    let (report, _) = pass(Some(report), &with_room, 3);
    assert_eq!(
        report.spec.assignments.len(),
        7,
        "a single run that was refused stays so"
    );
    let mut again = ninth.clone();
    again.spec.rerun = Some("there is room now".into());
    again.metadata.generation = Some(2);
    step(&mut again, &[node("a")], std::slice::from_ref(&report), 4);
    let rerun: Vec<&NodeNetDiagnosis> = all.iter().copied().skip(2).chain([&again]).collect();
    assert!(names(&pass(Some(report), &rerun, 5).0).contains(&"a-ninth"));
}

/// The same after its run has ended.
fn ended(name: &str, seconds: i64) -> NodeNetDiagnosis {
    let mut diagnosis = started(name);
    let status = diagnosis.status.as_mut().expect("started");
    status.completion_time = Some(Time(at(seconds)));
    diagnosis
}

#[test]
fn the_ninth_takes_the_place_of_the_run_that_ended_first() {
    let eight: Vec<String> = (0..8).map(|number| format!("d{number}")).collect();
    let running: Vec<_> = eight.iter().map(|name| started(name)).collect();
    let (report, _) = pass(None, &running.iter().collect::<Vec<_>>(), 0);
    // d5 ends before d2; the others go on.
    let mut diagnoses = running;
    diagnoses[2] = ended("d2", 50);
    diagnoses[5] = ended("d5", 40);
    diagnoses.push(started("ninth"));
    let (report, _) = pass(Some(report), &diagnoses.iter().collect::<Vec<_>>(), 60);
    let expected = ["d0", "d1", "d2", "d3", "d4", "d6", "d7", "ninth"];
    assert_eq!(names(&report), expected);
    assert_eq!(report.spec.refused, [], "it was not refused, it has ended");
    let (report, written) = pass(Some(report), &diagnoses.iter().collect::<Vec<_>>(), 61);
    assert!(!written, "it does not ask for its place again");
    // With room again, what is gone stays gone: the node could only give another answer.
    let (report, _) = pass(
        Some(report),
        &diagnoses.iter().skip(1).collect::<Vec<_>>(),
        62,
    );
    assert_eq!(names(&report), expected[1..]);
}

#[test]
fn nodes_of_a_large_run_are_to_spread_their_results() {
    let mut diagnosis = started("x");
    let mut spread = |selected| {
        let status = diagnosis.status.as_mut().expect("started");
        status.nodes.as_mut().expect("started").selected = selected;
        let (report, _) = pass(None, &[&diagnosis], 0);
        report.spec.assignments[0].spread_seconds
    };
    assert_eq!(
        [2, 199, 1000, 5000, 100_000].map(&mut spread),
        [0, 0, 5, 25, 30]
    );
    // An assignment that stands is not written again because the fleet grows.
    let (report, _) = pass(None, &[&diagnosis], 0);
    let status = diagnosis.status.as_mut().expect("started");
    status.nodes.as_mut().expect("started").selected = 1000;
    assert!(!pass(Some(report), &[&diagnosis], 1).1);
}

#[test]
fn suspending_reaches_the_node_and_resuming_gives_a_new_time() {
    let mut diagnosis = started("x");
    let (report, _) = pass(None, &[&diagnosis], 0);
    diagnosis.spec.suspend = true;
    let (report, _) = pass(Some(report), &[&diagnosis], 10);
    assert!(report.spec.assignments[0].suspend);
    assert_eq!(report.spec.assignments[0].assigned_time, Time(at(0)));
    diagnosis.spec.suspend = false;
    let (report, _) = pass(Some(report), &[&diagnosis], 500);
    let assignment = &report.spec.assignments[0];
    assert_eq!(
        (assignment.suspend, &assignment.assigned_time),
        (false, &Time(at(500)))
    );
}

#[test]
fn resuming_does_not_touch_the_time_of_what_is_finished() {
    let mut diagnosis = testing::started_diagnosis();
    diagnosis.spec.suspend = false;
    let report = ReportBuilder::new("a")
        .assigned(0)
        .suspended()
        .result("Finished")
        .build();
    let (report, _) = pass(Some(report), &[&diagnosis], 500);
    assert_eq!(report.spec.assignments[0].assigned_time, Time(at(0)));
}

#[test]
fn a_continuous_diagnosis_is_joined_and_left_with_the_label() {
    let mut diagnosis = started("x");
    diagnosis.spec.continuous = Some(netdiag_crds::diagnosis::Continuous {
        interval_seconds: 300,
    });
    let label = ("pool".to_owned(), "small".to_owned());
    diagnosis.spec.nodes = netdiag_crds::diagnosis::NodeSelection {
        selector: Some(netdiag_crds::selector::NodeSelector {
            match_labels: [label.clone()].into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    step(&mut diagnosis, &[node("a")], &[], 0);

    let (report, _) = pass(None, &[&diagnosis], 1);
    assert_eq!(names(&report), Vec::<&str>::new());
    let mut labelled = node("a");
    labelled.metadata.labels = Some([label].into());
    let Wanted { spec, .. } = decide(
        &labelled,
        Some(&report),
        &[&diagnosis],
        &Coverage::default(),
        |of| moment(of, 100),
    )
    .expect("it joins");
    assert_eq!(spec.assignments[0].mode, Mode::Continuous);
    let report = NodeNetReport { spec, ..report };
    assert_eq!(
        names(&pass(Some(report), &[&diagnosis], 200).0),
        Vec::<&str>::new()
    );
}
