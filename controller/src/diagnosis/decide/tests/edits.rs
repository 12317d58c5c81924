//! Edits of a diagnosis: they run anew, suspend, expire.

use super::*;

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
    assert_eq!(plan.next, Some(590));
}

#[test]
fn made_anew_under_its_name_it_knows_no_former_result() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.metadata.uid = Some("uid-2".into());
    step(&mut diagnosis, &nodes(&["a"]), &[finished("a")], 40);
    assert_eq!(columns(&diagnosis), "Once Running 0/1");
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
    assert_eq!(plan.next, Some(59));
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
    assert_eq!(plan.next, Some(60));
    let plan = step(&mut diagnosis, &nodes, &[finished("a")], 99);
    assert_eq!((plan.action, plan.next), (Action::Nothing, Some(1)));
    assert_eq!(
        step(&mut diagnosis, &nodes, &[finished("a")], 100).action,
        Action::Delete
    );
}

#[test]
fn no_clock_deletes_what_this_process_has_just_seen_complete() {
    let mut diagnosis = testing::diagnosis();
    diagnosis.spec.ttl_seconds_after_finished = Some(600);
    let nodes = nodes(&["a"]);
    step(&mut diagnosis, &nodes, &[finished("a")], 40);
    let world = World::new(nodes, [finished("a")], HashMap::new());
    let action = |hours: i64, complete_for| {
        let moment = Moment {
            now: at(40 + hours * 3600),
            elapsed: 40,
            complete_for,
            unassigned_since: Arc::default(),
        };
        decide(&diagnosis, &world, &moment).action
    };
    for hours in [-1, 0, 1, 24 * 365] {
        assert_eq!(action(hours, 599), Action::Nothing, "{hours} hours off");
        assert_eq!(action(hours, 600), Action::Delete, "{hours} hours off");
    }
}

#[test]
fn a_long_time_after_completion_survives_a_restart() {
    let mut diagnosis = testing::diagnosis();
    let day = 24 * 3600;
    diagnosis.spec.ttl_seconds_after_finished = Some(30 * 24 * 3600);
    let nodes = nodes(&["a"]);
    step(&mut diagnosis, &nodes, &[finished("a")], 0);
    let world = World::new(nodes, [finished("a")], HashMap::new());
    let at_day = |days: i64, complete_for| {
        let moment = Moment {
            now: at(days * day),
            elapsed: 0,
            complete_for,
            unassigned_since: Arc::default(),
        };
        decide(&diagnosis, &world, &moment).action
    };
    assert_eq!(at_day(29, day), Action::Nothing);
    assert_eq!(at_day(31, day - 1), Action::Nothing);
    assert_eq!(at_day(31, day), Action::Delete);
}
