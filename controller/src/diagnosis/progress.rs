//! How far one node is with a run.
//!
//! Deadlines count from what the controller itself has stored (`startTime`, `assignedTime`) or the API server has
//! stamped (the agent's last write), never from a node's clock, so a restart of the controller moves none of them.

use k8s_openapi::{
    api::core::v1::Node,
    jiff::{SignedDuration, Timestamp},
};
use netdiag_crds::{
    NodeNetReport, NodeNetReportStatus,
    report::{Assignment, Mode, RunResult, state},
};

use super::run::Run;
use crate::report;

/// Time for an agent to see its assignment, and for a result to arrive after its window.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

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
        // The API server did not take what was found, so nothing is known of it.
        state::FINISHED if is_minimal(report) => Some(State::Failed(result)),
        state::FINISHED => Some(State::Finished(result)),
        state::FAILED => Some(State::Failed(result)),
        // The first window of several has ended: its numbers stand while the next one runs.
        _ if run.mode == Mode::Continuous && has_ended(result) => Some(State::Finished(result)),
        _ => None,
    });
    let deadline = match (reported, run.mode) {
        // Who has failed is not waited for: it may begin no other window, and so never write again.
        (Some(state @ State::Failed(_)), _) | (Some(state), Mode::Once) => {
            return Progress::settled(state);
        }
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

fn is_minimal(report: Option<&NodeNetReport>) -> bool {
    report
        .and_then(|report| report.status.as_ref())
        .is_some_and(NodeNetReportStatus::is_minimal)
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
pub fn is_ready(node: &Node) -> bool {
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
mod tests;
