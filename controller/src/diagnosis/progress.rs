//! How far one node is with a run.
//!
//! Deadlines count from what the controller itself has stored (`startTime`, `assignedTime`) or the API server has
//! stamped (the agent's last write), never from a node's clock, so a restart of the controller moves none of them.

use k8s_openapi::{
    api::core::v1::Node,
    jiff::{SignedDuration, Timestamp},
};
use netdiag_crds::{
    NodeNetReport,
    report::{Assignment, Mode, RunResult},
};

use super::run::Run;
use crate::report;

/// Time for an agent to see its assignment, and for a result to arrive after its window.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// State of a window that has ended with a result.
pub const FINISHED: &str = "Finished";
/// State of a window that could not be watched to its end.
pub const FAILED: &str = "Failed";

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State<'a> {
    /// No result yet, and there is still time.
    Pending,
    /// It has reported.
    Finished(&'a RunResult),
    /// It has reported that it could not.
    Failed(&'a RunResult),
    /// It did not answer in time.
    Unreachable(Why),
    /// It already has as many diagnoses as a node takes.
    Refused,
}

/// Why nothing is heard from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its kubelet does not report it ready.
    NotReady,
    /// No agent has ever written its report.
    NoAgent,
    /// An agent has been there, and does not answer.
    Silent,
}

impl std::fmt::Display for Why {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NotReady => "NotReady",
            Self::NoAgent => "no agent",
            Self::Silent => "agent silent",
        })
    }
}

/// A node's state, and when it changes by the clock alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// How far the node is.
    pub state: State<'a>,
    /// When this has to be looked at again.
    pub until: Option<Timestamp>,
}

impl<'a> Progress<'a> {
    fn settled(state: State<'a>) -> Self {
        Self { state, until: None }
    }
}

/// How far `node` is with `run`, which started at `start`.
pub fn of<'a>(
    run: &Run,
    start: Timestamp,
    node: &Node,
    report: Option<&'a NodeNetReport>,
    now: Timestamp,
) -> Progress<'a> {
    let assignment = report.and_then(|report| report::assignment(report, run));
    let result = report.and_then(|report| report::result(report, run));
    let reported = result.and_then(|result| match result.state.as_str() {
        FINISHED => Some(State::Finished(result)),
        FAILED => Some(State::Failed(result)),
        // The first window of several has ended: its numbers stand while the next one runs.
        _ if run.mode == Mode::Continuous && has_ended(result) => Some(State::Finished(result)),
        _ => None,
    });
    let deadline = match (reported, run.mode) {
        (Some(state), Mode::Once) => return Progress::settled(state),
        (Some(_), Mode::Continuous) => heartbeat_deadline(run, start, report, assignment),
        (None, _) => {
            if report.is_some_and(|report| report::is_refused(report, run)) {
                return Progress::settled(State::Refused);
            }
            // It has joined just now, or its label came just now: nothing tells since when it waits.
            if run.mode == Mode::Continuous && assignment.is_none() {
                return Progress::settled(State::Pending);
            }
            first_deadline(run, start, report, assignment, result)
        }
    };
    let in_time = reported.unwrap_or(State::Pending);
    if run.completion.is_some() {
        return Progress::settled(State::Unreachable(why(node, report)));
    }
    // Windows that are not to run cannot be late. An assignment that is still suspended gets a new time when it is
    // resumed.
    if run.suspended || assignment.is_some_and(|assignment| assignment.suspend) {
        return Progress::settled(in_time);
    }
    if now < deadline {
        return Progress {
            state: in_time,
            until: Some(deadline),
        };
    }
    Progress::settled(State::Unreachable(why(node, report)))
}

fn has_ended(result: &RunResult) -> bool {
    result
        .window
        .as_ref()
        .is_some_and(|window| window.end_time.is_some())
}

/// Until when a node that has not reported must do the next thing.
fn first_deadline(
    run: &Run,
    start: Timestamp,
    report: Option<&NodeNetReport>,
    assignment: Option<&Assignment>,
    result: Option<&RunResult>,
) -> Timestamp {
    let Some(assignment) = assignment else {
        return after(start, GRACE);
    };
    let assigned = assignment.assigned_time.0;
    let acknowledged = result.is_some() || report.is_some_and(report::is_acknowledged);
    if !acknowledged {
        return after(assigned, GRACE);
    }
    let attempts = result
        .and_then(|result| result.window.as_ref())
        .map_or(1, |window| window.attempts.clamp(1, MOST_ATTEMPTS));
    let window = SignedDuration::from_secs(i64::from(run.window_seconds)) + GRACE;
    after(assigned, window.saturating_mul(attempts))
}

/// An agent gives up after so many; a report that claims more gets no more time for it.
const MOST_ATTEMPTS: i32 = 3;

/// Until when a node that reports window after window must write again: two intervals and the grace.
fn heartbeat_deadline(
    run: &Run,
    start: Timestamp,
    report: Option<&NodeNetReport>,
    assignment: Option<&Assignment>,
) -> Timestamp {
    let assigned = assignment.map_or(start, |assignment| assignment.assigned_time.0);
    let heard = report
        .and_then(report::heartbeat)
        .map_or(assigned, |heard| heard.max(assigned));
    let interval = SignedDuration::from_secs(i64::from(run.window_seconds));
    after(heard, interval.saturating_mul(2).saturating_add(GRACE))
}

fn after(time: Timestamp, wait: SignedDuration) -> Timestamp {
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

fn why(node: &Node, report: Option<&NodeNetReport>) -> Why {
    if !is_ready(node) {
        return Why::NotReady;
    }
    let was_there = report
        .and_then(|report| report.status.as_ref())
        .is_some_and(|status| status.observed_generation.is_some());
    if was_there { Why::Silent } else { Why::NoAgent }
}

/// Whether the kubelet reports the node ready. A node without conditions has no kubelet that could deny it.
fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready")
        .is_none_or(|condition| condition.status == "True")
}

#[cfg(test)]
mod tests {
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
}
