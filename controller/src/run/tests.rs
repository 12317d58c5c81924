use netdiag_crds::{diagnosis::Continuous, severity::Severity};

use super::*;
use crate::testing;

/// True where an edit begins a new run.
fn restarts(edit: impl FnOnce(&mut NodeNetDiagnosisSpec)) -> bool {
    let mut diagnosis = testing::started_diagnosis();
    edit(&mut diagnosis.spec);
    diagnosis.metadata.generation = Some(7);
    match Run::of(&diagnosis, testing::at(500), 0).generation {
        1 => false,
        2 => true,
        other => panic!("run {other} after the first"),
    }
}

#[test]
fn edits_of_what_is_looked_at_begin_a_new_run() {
    assert!(restarts(|spec| spec.nodes.names = Some(vec!["a".into()])));
    assert!(restarts(|spec| spec.checks = Some(vec!["LinkMtu".into()])));
    assert!(restarts(
        |spec| spec.interfaces = Some(Interfaces::default())
    ));
    assert!(restarts(|spec| spec.pods = false));
    assert!(restarts(|spec| spec.once = Some(Once {
        duration_seconds: 5
    })));
    assert!(restarts(
        |spec| spec.continuous = Some(Continuous::default())
    ));
    assert!(restarts(|spec| spec.rerun = Some("again".into())));
}

#[test]
fn other_edits_do_not() {
    assert!(!restarts(|spec| spec.suspend = true));
    assert!(!restarts(|spec| spec.min_severity = Severity::Critical));
    assert!(!restarts(|spec| spec.ttl_seconds_after_finished = Some(60)));
    assert!(!restarts(|spec| spec.once = Some(Once::default())));
}

#[test]
fn the_order_of_names_does_not_matter() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.spec.nodes = NodeSelection {
        names: Some(vec!["a".into(), "b".into()]),
        ..NodeSelection::default()
    };
    let first = fingerprint(&diagnosis);
    diagnosis.spec.nodes.names = Some(vec!["b".into(), "a".into()]);
    assert_eq!(fingerprint(&diagnosis), first);
}

#[test]
fn a_new_run_starts_now_and_knows_nothing_of_the_old() {
    let mut diagnosis = testing::started_diagnosis();
    diagnosis.spec.rerun = Some("again".into());
    let run = Run::of(&diagnosis, testing::at(500), 0);
    assert_eq!(run.start, Some(testing::at(500)));
    assert_eq!(run.completion, None);
    assert_eq!(Run::stored(&diagnosis), None);
}

#[test]
fn a_suspended_diagnosis_starts_when_it_is_resumed() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.spec.suspend = true;
    assert_eq!(Run::of(&diagnosis, testing::at(500), 0).start, None);
    diagnosis.spec.suspend = false;
    assert_eq!(
        Run::of(&diagnosis, testing::at(600), 0).start,
        Some(testing::at(600))
    );
}

#[test]
fn the_hash_is_fnv() {
    // Test vectors of the FNV authors.
    assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn the_annotation_begins_a_new_run_and_numbers_never_go_back() {
    let mut diagnosis = testing::started_diagnosis();
    let numbers = ["once", "twice", "once"].map(|text| {
        let annotation = (RERUN.to_owned(), text.to_owned());
        diagnosis.metadata.annotations = Some([annotation].into());
        testing::step(&mut diagnosis, &[testing::node("a")], &[], 500);
        diagnosis
            .status
            .as_ref()
            .and_then(|status| status.run_generation)
    });
    assert_eq!(numbers, [Some(2), Some(3), Some(4)]);
}

#[test]
fn without_the_annotation_the_fingerprint_is_that_of_the_release_before() {
    let first = fingerprint(&testing::diagnosis());
    assert_eq!(first, "3461f1441993296b");
}
