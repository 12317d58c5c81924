use super::*;
use crate::testing::{self, ReportBuilder, at};

fn run(mode: Mode) -> Run {
    let run = Run::of(&testing::started_diagnosis(), at(0), 0);
    let window_seconds = if mode == Mode::Once { 35 } else { 300 };
    Run {
        mode,
        window_seconds,
        ..run
    }
}

/// The node's state when the run has been going on for `now` seconds.
fn state(run: &Run, report: &NodeNetReport, now: i64) -> String {
    let node = testing::node("a");
    let run = Run {
        elapsed: now,
        ..run.clone()
    };
    let silence =
        stored_report::heartbeat(report).map_or(0, |heard| now - (heard - at(0)).get_seconds());
    let waited = Waited {
        silence,
        unassigned: now,
    };
    let progress = of(&run, &node, Some(report), &waited);
    let name = match progress.state {
        State::Pending => "pending".to_owned(),
        State::Finished(_) => "finished".to_owned(),
        State::Failed(_) => "failed".to_owned(),
        State::Unreachable(why) => why.to_string(),
        State::Refused => "refused".to_owned(),
        State::NotAssigned => "not assigned".to_owned(),
    };
    let Some(left) = progress.left else {
        return name;
    };
    format!("{name} until {}", now + left)
}

#[test]
fn without_an_acknowledgement_a_node_is_unreachable_after_60_seconds() {
    let once = run(Mode::Once);
    let report = ReportBuilder::new("a").assigned(2).build();
    assert_eq!(state(&once, &report, 61), "pending until 62");
    assert_eq!(state(&once, &report, 62), "no agent");
    let seen_before = ReportBuilder::new("a").acknowledged().assigned(2).build();
    assert_eq!(state(&once, &seen_before, 62), "pending until 122");
    assert_eq!(state(&once, &seen_before, 122), "agent silent");
}

#[test]
fn a_node_that_got_no_assignment_is_tried_for_ten_minutes_and_is_not_blamed() {
    let report = ReportBuilder::new("a").acknowledged().build();
    assert_eq!(state(&run(Mode::Once), &report, 599), "pending until 600");
    assert_eq!(state(&run(Mode::Once), &report, 600), "not assigned");
    let complete = Run {
        completion: Some(at(200)),
        ..run(Mode::Once)
    };
    assert_eq!(state(&complete, &report, 210), "not assigned");
    let suspended = Run {
        suspended: true,
        ..run(Mode::Once)
    };
    assert_eq!(state(&suspended, &report, 5000), "pending");
}

#[test]
fn a_continuous_run_says_so_too_and_goes_on_trying() {
    let continuous = run(Mode::Continuous);
    let report = ReportBuilder::new("a").build();
    assert_eq!(state(&continuous, &report, 599), "pending until 600");
    assert_eq!(state(&continuous, &report, 600), "not assigned");
    let assigned = ReportBuilder::new("a").assigned(700).build();
    assert_eq!(state(&continuous, &assigned, 710), "pending until 760");
}

#[test]
fn time_that_a_restart_forgot_is_given_again() {
    let report = ReportBuilder::new("a").assigned(300).build();
    assert_eq!(state(&run(Mode::Once), &report, 10), "pending until 360");
}

#[test]
fn a_result_is_due_a_minute_after_the_window_for_each_attempt() {
    let once = run(Mode::Once);
    let report = ReportBuilder::new("a").assigned(0).acknowledged().build();
    assert_eq!(state(&once, &report, 94), "pending until 95");
    assert_eq!(state(&once, &report, 95), "agent silent");
    let second = ReportBuilder::new("a")
        .assigned(0)
        .result("Running")
        .attempts(2)
        .build();
    assert_eq!(state(&once, &second, 189), "pending until 190");
    assert_eq!(state(&once, &second, 190), "agent silent");
    let absurd = ReportBuilder::new("a")
        .assigned(0)
        .result("Running")
        .attempts(i32::MAX)
        .build();
    assert_eq!(state(&once, &absurd, 285), "agent silent");
    let negative = ReportBuilder::new("a")
        .assigned(0)
        .result("Running")
        .attempts(-4)
        .build();
    assert_eq!(state(&once, &negative, 94), "pending until 95");
}

#[test]
fn a_late_result_counts() {
    let report = ReportBuilder::new("a")
        .assigned(0)
        .result("Finished")
        .build();
    assert_eq!(state(&run(Mode::Once), &report, 100_000), "finished");
    let complete = Run {
        completion: Some(at(200)),
        ..run(Mode::Once)
    };
    assert_eq!(state(&complete, &report, 100_000), "finished");
}

#[test]
fn a_failed_window_is_an_answer() {
    let report = ReportBuilder::new("a").assigned(0).result("Failed").build();
    assert_eq!(state(&run(Mode::Once), &report, 50), "failed");
}

#[test]
fn a_result_whose_findings_the_api_server_refused_is_no_sign_of_health() {
    let report = ReportBuilder::new("a").assigned(0).result("Finished");
    assert_eq!(
        state(&run(Mode::Once), &report.minimal().build(), 50),
        "failed"
    );
}

#[test]
fn a_continuous_run_that_has_failed_is_not_called_silent_later() {
    let report = ReportBuilder::new("a")
        .assigned(0)
        .result("Failed")
        .written(1000)
        .build();
    assert_eq!(state(&run(Mode::Continuous), &report, 5000), "failed");
}

#[test]
fn results_of_another_run_or_uid_do_not_count() {
    let once = run(Mode::Once);
    let old = ReportBuilder::new("a")
        .assigned(0)
        .result("Finished")
        .of_run(0)
        .build();
    assert_eq!(state(&once, &old, 10), "pending until 95");
    let recreated = ReportBuilder::new("a")
        .assigned(0)
        .result("Finished")
        .of_uid("before")
        .build();
    assert_eq!(state(&once, &recreated, 10), "pending until 95");
}

#[test]
fn a_node_that_is_not_ready_says_so() {
    let node = testing::unready_node("a");
    let report = ReportBuilder::new("a").assigned(0).build();
    let late = Run {
        elapsed: 60,
        ..run(Mode::Once)
    };
    let progress = of(&late, &node, Some(&report), &Waited::default());
    assert_eq!(progress.state, State::Unreachable(Why::NotReady));
}

#[test]
fn no_deadline_passes_while_suspended() {
    let suspended = Run {
        suspended: true,
        ..run(Mode::Once)
    };
    let report = ReportBuilder::new("a").assigned(0).build();
    assert_eq!(state(&suspended, &report, 5000), "pending");
    let not_yet_resumed = ReportBuilder::new("a").assigned(0).suspended().build();
    assert_eq!(
        state(&run(Mode::Once), &not_yet_resumed, 500),
        "pending until 600"
    );
    assert_eq!(
        state(&run(Mode::Once), &not_yet_resumed, 600),
        "not assigned"
    );
}

#[test]
fn after_completion_a_node_stays_unreachable_whatever_its_deadline() {
    let complete = Run {
        completion: Some(at(200)),
        ..run(Mode::Once)
    };
    let report = ReportBuilder::new("a").assigned(1000).build();
    assert_eq!(state(&complete, &report, 1001), "no agent");
}

#[test]
fn a_continuous_result_is_stale_after_two_intervals_and_a_minute() {
    let continuous = run(Mode::Continuous);
    let report = ReportBuilder::new("a")
        .assigned(0)
        .result("Finished")
        .written(1000)
        .build();
    assert_eq!(state(&continuous, &report, 1659), "finished until 1660");
    assert_eq!(state(&continuous, &report, 1660), "agent silent");
}

#[test]
fn the_first_continuous_window_has_the_deadline_of_a_single_one() {
    let continuous = run(Mode::Continuous);
    let report = ReportBuilder::new("a")
        .assigned(0)
        .result("Running")
        .build();
    assert_eq!(state(&continuous, &report, 359), "pending until 360");
    assert_eq!(state(&continuous, &report, 360), "agent silent");
}

#[test]
fn a_node_without_room_is_refused() {
    let report = ReportBuilder::new("a").refused().build();
    assert_eq!(state(&run(Mode::Once), &report, 5000), "refused");
}
