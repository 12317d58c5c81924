//! The protocol with the controller, step by step.

use netdiag_crds::{conditions, severity::Severity};

use super::*;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn once(name: &str) -> Assignment {
    Assignment {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        run_generation: 1,
        assigned_time: Time::from(now()),
        assigned_after_seconds: 0,
        checks: Vec::new(),
        interfaces: None,
        pods: true,
        min_severity: Severity::default(),
        mode: Mode::Once,
        window_seconds: 35,
        spread_seconds: 0,
        suspend: false,
    }
}

fn continuous(name: &str) -> Assignment {
    Assignment {
        mode: Mode::Continuous,
        window_seconds: 300,
        ..once(name)
    }
}

fn result(assignment: &Assignment, state: &str, attempts: i32) -> RunResult {
    RunResult {
        state: state.to_owned(),
        ..running_result(assignment, attempts, now())
    }
}

fn attempts(results: &[RunResult]) -> Vec<(&str, i32)> {
    results
        .iter()
        .map(|result| {
            (
                result.state.as_str(),
                result.window.as_ref().map_or(0, |window| window.attempts),
            )
        })
        .collect()
}

fn begins(plan: &Plan) -> Vec<(&str, i32)> {
    plan.start
        .iter()
        .map(|start| (start.key.name.as_str(), start.attempts))
        .collect()
}

/// Carries a plan out and decides again: nothing may be left to do.
fn assert_settled(plan: &Plan, assignments: &[Assignment], running: &[RunKey]) {
    let running: Vec<RunKey> = running
        .iter()
        .filter(|key| !plan.stop.contains(key))
        .cloned()
        .chain(plan.start.iter().map(|start| start.key.clone()))
        .collect();
    let again = decide(assignments, &plan.results, &running, now());
    assert_eq!(again.results, plan.results);
    assert!(again.start.is_empty() && again.stop.is_empty(), "{again:?}");
}

#[test]
fn a_window_that_is_begun_again_keeps_what_is_over() {
    let assignments = [continuous("a")];
    let mut begun = result(&assignments[0], "Running", 1);
    begun.resolved = vec![netdiag_crds::report::ResolvedFinding::default()];
    let plan = decide(&assignments, &[begun], &[], now());
    assert_eq!(begins(&plan), [("a", 2)]);
    assert_eq!(plan.results[0].resolved.len(), 1);
}

#[test]
fn a_new_assignment_begins_a_window_and_says_so() {
    let assignments = [once("a"), continuous("b")];
    let plan = decide(&assignments, &[], &[], now());
    assert_eq!(begins(&plan), [("a", 1), ("b", 1)]);
    assert_eq!(attempts(&plan.results), [("Running", 1), ("Running", 1)]);
    assert_eq!(plan.results[0].diagnosis_uid.as_deref(), Some("uid-of-a"));
    assert_settled(&plan, &assignments, &[]);
}

#[test]
fn a_finished_run_is_run_again_when_its_findings_were_never_stored() {
    let assignments = [once("a"), once("b")];
    let full = NodeNetReportStatus {
        results: vec![
            result(&assignments[0], state::FINISHED, 1),
            result(&assignments[1], state::RUNNING, 2),
        ],
        ..NodeNetReportStatus::default()
    };
    assert_eq!(left_by_former(&full), full.results);
    let mut minimal = full;
    minimal.conditions = vec![conditions::condition(
        &[],
        conditions::READY,
        conditions::Status::False,
        conditions::reasons::SCHEMA_MISMATCH,
        "field not declared in schema",
        None,
        now(),
    )];
    let plan = decide(&assignments, &left_by_former(&minimal), &[], now());
    assert_eq!(begins(&plan), [("a", 1), ("b", 3)]);
}

#[test]
fn a_finished_run_is_not_run_again_after_a_restart() {
    let assignments = [once("a")];
    let results = [result(&assignments[0], state::FINISHED, 1)];
    let plan = decide(&assignments, &results, &[], now());
    assert!(plan.start.is_empty());
    assert_eq!(plan.results, results);
}

#[test]
fn a_continuous_run_goes_on_and_keeps_its_last_result_meanwhile() {
    let assignments = [continuous("a")];
    let results = [result(&assignments[0], state::FINISHED, 2)];
    let plan = decide(&assignments, &results, &[], now());
    assert_eq!(begins(&plan), [("a", 1)]);
    assert_eq!(plan.results, results);
    assert_settled(&plan, &assignments, &[]);
}

#[test]
fn an_interrupted_window_is_run_again_in_full_three_times_at_most() {
    let assignments = [once("a")];
    let mut results = Vec::new();
    for attempt in 1..=MAX_ATTEMPTS {
        // No window runs: the agent that ran it is gone.
        let plan = decide(&assignments, &results, &[], now());
        assert_eq!(begins(&plan), [("a", attempt)]);
        assert_eq!(plan.start[0].seconds, 35);
        assert_eq!(attempts(&plan.results), [("Running", attempt)]);
        results = plan.results;
    }
    let plan = decide(&assignments, &results, &[], now());
    assert!(plan.start.is_empty());
    assert_eq!(attempts(&plan.results), [("Failed", 3)]);
    assert!(plan.results[0].message.is_some());
    assert_settled(&plan, &assignments, &[]);
}

#[test]
fn the_reason_of_the_last_interruption_is_kept_when_given_up() {
    let assignment = continuous("a");
    let results = [interrupted(
        &assignment,
        MAX_ATTEMPTS,
        "out of memory".to_owned(),
        now(),
    )];
    let plan = decide(&[assignment], &results, &[], now());
    assert_eq!(plan.results[0].state, state::FAILED);
    assert_eq!(plan.results[0].message.as_deref(), Some("out of memory"));
}

#[test]
fn a_failed_window_of_a_continuous_run_is_followed_by_the_next_when_its_time_is_over() {
    let assignments = [continuous("a"), once("b")];
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let failed = |attempts| {
        let lost = |one| lost(one, attempts, "it hung", at(0), at(9));
        assignments.each_ref().map(lost)
    };
    for attempts_before in [0, 1, 2] {
        let results = failed(attempts_before);
        assert!(
            decide(&assignments, &results, &[], at(299))
                .start
                .is_empty()
        );
        let plan = decide(&assignments, &results, &[], at(300));
        assert_eq!(begins(&plan), [("a", attempts_before + 1)], "once is once");
        assert_eq!(attempts(&plan.results)[0], ("Failed", attempts_before + 1));
        let running = [RunKey::of(&assignments[0])];
        let again = decide(&assignments, &plan.results, &running, at(300));
        assert!(again.start.is_empty());
    }
    let results = failed(MAX_ATTEMPTS);
    let plan = decide(&assignments, &results, &[], at(100_000));
    assert!(plan.start.is_empty());
    let messages = plan.results.iter().map(|result| result.message.as_deref());
    let [stopped, other] = messages.map(Option::unwrap).collect::<Vec<_>>()[..] else {
        panic!("two results");
    };
    assert!(
        stopped.contains("it hung") && stopped.contains("spec.rerun"),
        "{stopped}"
    );
    assert_eq!(other, "it hung");
}

#[test]
fn another_run_generation_or_uid_discards_window_and_result() {
    let old = once("a");
    let again = Assignment {
        run_generation: 2,
        ..old.clone()
    };
    let recreated = Assignment {
        uid: "another".to_owned(),
        ..old.clone()
    };
    for new in [again, recreated] {
        let running = [RunKey::of(&old)];
        for state in [state::RUNNING, state::FINISHED, state::FAILED] {
            let results = [result(&old, state, 3)];
            let assignments = [new.clone()];
            let plan = decide(&assignments, &results, &running, now());
            assert_eq!(plan.stop, running);
            assert_eq!(begins(&plan), [("a", 1)]);
            assert!(RunKey::of(&new).is_of(&plan.results[0]));
            assert_settled(&plan, &assignments, &running);
        }
    }
}

#[test]
fn edits_that_are_not_a_new_run_restart_nothing() {
    let old = once("a");
    let running = [RunKey::of(&old)];
    let results = [result(&old, state::RUNNING, 1)];
    let edited = Assignment {
        min_severity: Severity::Critical,
        ..old
    };
    let plan = decide(&[edited], &results, &running, now());
    assert_eq!(
        plan,
        Plan {
            results: results.to_vec(),
            ..Plan::default()
        }
    );
}

#[test]
fn suspending_ends_windows_and_keeps_results() {
    let suspended = |assignment: Assignment| Assignment {
        suspend: true,
        ..assignment
    };
    let assignments = [
        suspended(once("running")),
        suspended(once("finished")),
        suspended(continuous("between")),
    ];
    let running = [RunKey::of(&assignments[0]), RunKey::of(&assignments[2])];
    let results = [
        result(&assignments[0], state::RUNNING, 2),
        result(&assignments[1], state::FINISHED, 1),
        result(&assignments[2], state::FINISHED, 1),
    ];
    let plan = decide(&assignments, &results, &running, now());
    assert_eq!(plan.stop, running);
    assert!(plan.start.is_empty());
    assert_eq!(plan.results, results[1..]);
    assert_settled(&plan, &assignments, &running);

    // Resumed, the unfinished one begins at its first attempt, the finished one does not begin.
    let resumed = [once("running"), once("finished"), continuous("between")];
    let plan = decide(&resumed, &plan.results, &[], now());
    assert_eq!(begins(&plan), [("running", 1), ("between", 1)]);
}

#[test]
fn what_is_no_longer_assigned_is_stopped_and_dropped() {
    let gone = once("a");
    let running = [RunKey::of(&gone)];
    let results = [result(&gone, state::RUNNING, 1)];
    let plan = decide(&[], &results, &running, now());
    assert_eq!(
        plan,
        Plan {
            stop: running.to_vec(),
            ..Plan::default()
        }
    );
}
