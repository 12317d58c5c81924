//! The agent's next step, from its assignments, its results and the windows that run. Pure.
//!
//! The results carry all that survives a restart of the agent: a result in state `Running` without a running window
//! is a window that was interrupted.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netdiag_crds::{
    NodeNetReportStatus,
    report::{Assignment, Mode, RunResult, Window, state},
};

/// A window that was interrupted so often is given up: something on this node ends the agent each time. A continuous run
/// whose windows failed so often in a row ends on this node.
pub const MAX_ATTEMPTS: i32 = 3;

/// One run of one diagnosis: what a window belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The diagnosis.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its run.
    pub generation: i64,
}

impl RunKey {
    /// The run that an assignment asks for.
    pub fn of(assignment: &Assignment) -> Self {
        Self {
            name: assignment.name.clone(),
            uid: assignment.uid.clone(),
            generation: assignment.run_generation,
        }
    }

    /// True if a result is of this run.
    pub fn is_of(&self, result: &RunResult) -> bool {
        self.name == result.diagnosis
            && Some(&self.uid) == result.diagnosis_uid.as_ref()
            && self.generation == result.run_generation
    }
}

/// A window to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The owner of the window.
    pub key: RunKey,
    /// The length in seconds.
    pub seconds: i32,
    /// The number of times that it was begun, this time included.
    pub attempts: i32,
}

/// The steps to take now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Windows to end without a result.
    pub stop: Vec<RunKey>,
    /// Windows to begin.
    pub start: Vec<Start>,
    /// The results from now on, one an assignment at most, in the order of the assignments.
    pub results: Vec<RunResult>,
}

/// Compares what is assigned with what is there. Running it again on its own outcome changes nothing.
pub fn decide(
    assignments: &[Assignment],
    results: &[RunResult],
    running: &[RunKey],
    now: Timestamp,
) -> Plan {
    let mut plan = Plan {
        stop: running
            .iter()
            .filter(|key| {
                !assignments
                    .iter()
                    .any(|assignment| RunKey::of(assignment) == **key && !assignment.suspend)
            })
            .cloned()
            .collect(),
        ..Plan::default()
    };
    for assignment in assignments {
        let key = RunKey::of(assignment);
        let result = results.iter().find(|result| key.is_of(result)).cloned();
        if assignment.suspend {
            // A window without a result is nothing to keep; it begins anew, at its first attempt, when resumed.
            let kept = result.filter(|result| result.state != state::RUNNING);
            plan.results.extend(kept);
        } else if running.contains(&key) {
            plan.results.extend(result);
        } else {
            plan.resume(assignment, key, result, now);
        }
    }
    plan
}

impl Plan {
    /// An assignment that is wanted and for which no window runs.
    fn resume(
        &mut self,
        assignment: &Assignment,
        key: RunKey,
        result: Option<RunResult>,
        now: Timestamp,
    ) {
        let begun = result
            .as_ref()
            .and_then(|result| result.window.as_ref())
            .map_or(0, |window| window.attempts);
        match result {
            Some(result) if result.state == state::FINISHED => {
                if assignment.mode == Mode::Continuous {
                    self.begin(assignment, key, 1);
                }
                self.results.push(result);
            }
            Some(mut result) if result.state == state::FAILED => {
                if is_due_again(assignment, &result, now) {
                    let attempts = begun.saturating_add(1);
                    if let Some(window) = &mut result.window {
                        // An agent that does not survive the next window learns that it was begun.
                        window.attempts = attempts;
                    }
                    self.begin(assignment, key, attempts);
                }
                self.results.push(result);
            }
            Some(result) if begun >= MAX_ATTEMPTS => {
                self.results.push(given_up(result, now));
            }
            result => {
                let attempts = begun.saturating_add(1);
                self.results.push(RunResult {
                    resolved: result.map(|result| result.resolved).unwrap_or_default(),
                    ..running_result(assignment, attempts, now)
                });
                self.begin(assignment, key, attempts);
            }
        }
    }

    fn begin(&mut self, assignment: &Assignment, key: RunKey, attempts: i32) {
        self.start.push(Start {
            key,
            seconds: assignment.window_seconds,
            attempts,
        });
    }
}

/// True if a run goes on after a window that failed: a continuous one does when the failed window's time is over, until
/// too many have failed in a row. Its result stands meanwhile.
fn is_due_again(assignment: &Assignment, failed: &RunResult, now: Timestamp) -> bool {
    let Some(window) = &failed.window else {
        return false;
    };
    let next = window
        .start_time
        .0
        .as_second()
        .saturating_add(assignment.window_seconds.into());
    assignment.mode == Mode::Continuous && window.attempts < MAX_ATTEMPTS && next <= now.as_second()
}

/// The results that an earlier agent on this node has left. Of a minimal status a finished one does not say what was
/// found; its window is watched again.
pub fn left_by_former(status: &NodeNetReportStatus) -> Vec<RunResult> {
    let is_empty = |result: &RunResult| status.is_minimal() && result.state == state::FINISHED;
    let results = status.results.iter();
    results
        .filter(|result| !is_empty(result))
        .cloned()
        .collect()
}

/// The result of a window that has just begun.
fn running_result(assignment: &Assignment, attempts: i32, now: Timestamp) -> RunResult {
    RunResult {
        diagnosis: assignment.name.clone(),
        diagnosis_uid: Some(assignment.uid.clone()),
        run_generation: assignment.run_generation,
        state: state::RUNNING.to_owned(),
        window: Some(Window {
            start_time: Time::from(now),
            end_time: None,
            duration_seconds: assignment.window_seconds,
            attempts,
        }),
        ..RunResult::default()
    }
}

fn given_up(result: RunResult, now: Timestamp) -> RunResult {
    let message = result.message.clone().unwrap_or_else(|| {
        format!("the window was interrupted {MAX_ATTEMPTS} times; see why the agent restarts on this node")
    });
    failed(result, message, now)
}

/// A window failed and is not run again: it would fail again. Says so, and when the run ends on this node.
pub fn lost(
    assignment: &Assignment,
    attempts: i32,
    reason: &str,
    started: Timestamp,
    now: Timestamp,
) -> RunResult {
    let mut message = reason.to_owned();
    if assignment.mode == Mode::Continuous && attempts >= MAX_ATTEMPTS {
        message = format!(
            "{message}; {MAX_ATTEMPTS} windows in a row gave nothing, so this node is left out until the diagnosis runs anew (change spec.rerun)"
        );
    }
    failed(running_result(assignment, attempts, started), message, now)
}

/// A result that says why there is none.
fn failed(mut result: RunResult, message: String, now: Timestamp) -> RunResult {
    result.state = state::FAILED.to_owned();
    result.message = Some(message);
    if let Some(window) = &mut result.window {
        window.end_time.get_or_insert_with(|| Time::from(now));
    }
    result
}

/// A window ended without a result and not because it was told to: the result says so to the next decision.
pub fn interrupted(
    assignment: &Assignment,
    attempts: i32,
    reason: String,
    now: Timestamp,
) -> RunResult {
    RunResult {
        message: Some(reason),
        ..running_result(assignment, attempts, now)
    }
}

#[cfg(test)]
mod tests;
