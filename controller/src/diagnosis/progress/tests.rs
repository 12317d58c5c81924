use super::*;
use crate::testing::{self, ReportBuilder, at};

fn run(mode: Mode) -> Run {
    let run = Run::of(&testing::started_diagnosis(), at(0));
    let window_seconds = if mode == Mode::Once { 35 } else { 300 };
    Run {
        mode,
        window_seconds,
        ..run
    }
}

fn state(run: &Run, report: &NodeNetReport, now: i64) -> String {
    let node = testing::node("a");
    let progress = of(run, at(0), &node, Some(report), at(now));
    let name = match progress.state {
        State::Pending => "pending".to_owned(),
        State::Finished(_) => "finished".to_owned(),
        State::Failed(_) => "failed".to_owned(),
        State::Unreachable(why) => why.to_string(),
        State::Refused => "refused".to_owned(),
    };
    progress.until.map_or(name.clone(), |until| {
        format!("{name} until {}", until.as_second() - at(0).as_second())
    })
}

#[test]
fn without_an_acknowledgement_a_node_is_unreachable_after_60_seconds() {
    let once = run(Mode::Once);
    let report = ReportBuilder::new("a").assigned(2).build();
    assert_eq!(state(&once, &report, 61), "pending until 62");
    assert_eq!(state(&once, &report, 62), "no agent");
    let seen_before = ReportBuilder::new("a").acknowledged().assigned(2).build();
    assert_eq!(state(&once, &seen_before, 62), "agent silent");
}

#[test]
fn a_node_that_never_got_an_assignment_is_given_up_too() {
    let report = ReportBuilder::new("a").build();
    assert_eq!(state(&run(Mode::Once), &report, 59), "pending until 60");
    assert_eq!(state(&run(Mode::Once), &report, 60), "no agent");
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
    let progress = of(&run(Mode::Once), at(0), &node, Some(&report), at(60));
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
    assert_eq!(state(&run(Mode::Once), &not_yet_resumed, 5000), "pending");
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
