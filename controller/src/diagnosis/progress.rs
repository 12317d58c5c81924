//! The progress of one node with a run.
//!
//! Deadlines are counted in the run's own running time: from what the controller has stored (`assignedAfterSeconds`),
//! or from when this process saw the agent's last write. No clock is compared with another.

use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{
    NodeNetReport, NodeNetReportStatus,
    report::{Mode, RunResult, state},
};

use crate::{
    run::{GRACE, Run, longest_silence},
    stored_report,
};

/// Seconds for an agent that has acknowledged before to see its assignment: one that is known to be there may have to
/// open its watch anew, which it notices after 75 s.
const GRACE_OF_KNOWN: i64 = 120;
/// Seconds in which the controller tries to give a node its part.
pub const ASSIGNING: i64 = 600;

/// The progress of a node.
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
    /// The controller could not give it its part, or the part was lost with its report after the run was complete.
    NotAssigned,
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

/// A node's state, and the time at which it changes though nothing happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// The node's progress.
    pub state: State<'a>,
    /// Running seconds after which this has to be looked at again.
    pub left: Option<i64>,
    /// The controller has still to give it its part.
    pub waits_for_part: bool,
}

/// For how many running seconds something has not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waited {
    /// The agent's next write.
    pub silence: i64,
    /// The node's part in the run.
    pub unassigned: i64,
}

impl<'a> Progress<'a> {
    /// Nothing changes it but news.
    pub fn settled(state: State<'a>) -> Self {
        Self {
            state,
            left: None,
            waits_for_part: false,
        }
    }
}

/// The progress of `node` with `run`.
pub fn of<'a>(
    run: &Run,
    node: &Node,
    report: Option<&'a NodeNetReport>,
    waited: &Waited,
) -> Progress<'a> {
    let result = report.and_then(|report| stored_report::result(report, run));
    let reported = result.and_then(|result| match result.state.as_str() {
        // The API server did not take what was found, so nothing is known of it.
        state::FINISHED if is_minimal(report) => Some(State::Failed(result)),
        state::FINISHED => Some(State::Finished(result)),
        state::FAILED => Some(State::Failed(result)),
        // The first window of several has ended: its numbers stand while the next one runs.
        _ if run.mode == Mode::Continuous && stored_report::has_ended(result) => {
            Some(State::Finished(result))
        }
        _ => None,
    });
    match (reported, run.mode) {
        // Who has failed is not waited for: it may begin no other window, and so never write again.
        (Some(state @ State::Failed(_)), _) | (Some(state), Mode::Once) => {
            return Progress::settled(state);
        }
        (None, _) if report.is_some_and(|report| stored_report::is_refused(report, run)) => {
            return Progress::settled(State::Refused);
        }
        _ => {}
    }
    let in_time = reported.unwrap_or(State::Pending);
    let Some(assignment) = report.and_then(|report| stored_report::assignment(report, run)) else {
        return unassigned(run, in_time, waited.unassigned);
    };
    // Windows that are not to run cannot be late.
    if run.suspended {
        return Progress::settled(in_time);
    }
    // The node still has to learn that the run was resumed, and then counts anew.
    if assignment.suspend {
        return unassigned(run, in_time, waited.unassigned);
    }
    if run.completion.is_some() {
        return Progress::settled(State::Unreachable(why(node, report)));
    }
    let since_assigned = run
        .elapsed
        .saturating_sub(assignment.assigned_after_seconds);
    let (waited, limit) = match reported {
        Some(_) => (
            waited.silence.min(since_assigned),
            longest_silence(run.window_seconds),
        ),
        None => (since_assigned, first_deadline(run, report, result)),
    };
    let left = limit.saturating_sub(waited);
    if left > 0 {
        Progress {
            state: in_time,
            left: Some(left),
            waits_for_part: false,
        }
    } else {
        Progress::settled(State::Unreachable(why(node, report)))
    }
}

/// The progress of a node that has no part in the run yet, or has lost it with its report, for `waited` running
/// seconds.
fn unassigned<'a>(run: &Run, in_time: State<'a>, waited: i64) -> Progress<'a> {
    if run.suspended {
        return Progress::settled(in_time);
    }
    let left = ASSIGNING.saturating_sub(waited);
    if run.completion.is_some() || left <= 0 {
        return Progress {
            waits_for_part: run.completion.is_none(),
            ..Progress::settled(State::NotAssigned)
        };
    }
    Progress {
        state: in_time,
        left: Some(left),
        waits_for_part: true,
    }
}

fn is_minimal(report: Option<&NodeNetReport>) -> bool {
    report
        .and_then(|report| report.status.as_ref())
        .is_some_and(NodeNetReportStatus::is_minimal)
}

/// Seconds after its assignment within which a node that has not reported must do the next thing.
fn first_deadline(run: &Run, report: Option<&NodeNetReport>, result: Option<&RunResult>) -> i64 {
    if result.is_none() && !report.is_some_and(stored_report::is_acknowledged) {
        return if was_heard(report) {
            GRACE_OF_KNOWN
        } else {
            GRACE
        };
    }
    let attempts = result
        .and_then(|result| result.window.as_ref())
        .map_or(1, |window| window.attempts.clamp(1, MOST_ATTEMPTS));
    let turn = report.and_then(|report| stored_report::assignment(report, run));
    let turn = turn.map_or(0, |assignment| i64::from(assignment.spread_seconds));
    (i64::from(run.window_seconds) + GRACE).saturating_mul(attempts.into()) + turn
}

/// An agent gives up after so many; a report that claims more gets no more time for it.
const MOST_ATTEMPTS: i32 = 3;

/// True where an agent has ever acknowledged assignments on this node.
fn was_heard(report: Option<&NodeNetReport>) -> bool {
    report
        .and_then(|report| report.status.as_ref())
        .is_some_and(|status| status.observed_generation.is_some())
}

fn why(node: &Node, report: Option<&NodeNetReport>) -> Why {
    if !is_ready(node) {
        Why::NotReady
    } else if was_heard(report) {
        Why::Silent
    } else {
        Why::NoAgent
    }
}

/// True where the kubelet reports the node ready. A node without conditions has no kubelet that could deny it.
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
