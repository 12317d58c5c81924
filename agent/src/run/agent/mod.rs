//! The agent's state between events: what is assigned, what was found, what runs.

use std::{
    error::Error as StdError,
    mem::take,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::{Api, core::DeserializeGuard, runtime::watcher};
use netdiag_client::watch::Step;
use netdiag_crds::{
    NodeNetReport,
    report::{Assignment, RunResult, state},
};
use netdiag_telemetry::health::Health;
use tokio::time::timeout;

use super::{
    decide::{self, RunKey, Start, decide},
    metrics::Metrics,
    settings,
    status::{self, About},
    turn::turn,
    watched::Watched,
    windows::{
        Begun, Ended, NoOutcome, Windows,
        work::{Order, Outcome, Wanted, Work},
    },
    writer::Writer,
};
use crate::{
    collect::Request,
    report::{self, time_of},
};

/// Windows that end within so short a time of each other share a write: those of diagnoses that were applied together.
const TOGETHER: Duration = Duration::from_secs(3);
/// A thread that is late with what it saw is waited for so long more.
const LATE: Duration = Duration::from_millis(500);
/// The time for which the report that a window runs waits until the window counts, so that `Running` is no promise but
/// a fact. Loading the probes takes about 0.3 s; on a machine that is much slower the node is not kept waiting for its
/// acknowledgement.
const BEGINNING: Duration = Duration::from_secs(5);
/// The number of attempts of a window that was refused.
const NEVER_BEGUN: i32 = 0;
/// The time that the agent's end waits for a last write, and then for threads that still read.
const FAREWELL: Duration = Duration::from_secs(3);

/// Everything that the program knows. Its results and windows change only through [`Agent::settle`].
pub(super) struct Agent {
    /// The running windows.
    pub windows: Windows,
    /// Writes what was found.
    pub writer: Writer,
    node: String,
    host_root: PathBuf,
    about: About,
    metrics: Metrics,
    watched: Watched,
    /// The object; `None` while it is not there.
    seen: Option<WrittenReport>,
    /// The list that the watch began with has had our object.
    listed: bool,
    assignments: Vec<Assignment>,
    results: Vec<RunResult>,
}

/// The object as it was seen last, without its assignments.
struct WrittenReport {
    uid: String,
    generation: Option<i64>,
    /// Bytes of its metadata and spec as JSON, which the status must leave room for.
    rest: usize,
}

impl Agent {
    /// An agent that knows nothing yet.
    pub(super) fn new(
        api: Api<DeserializeGuard<NodeNetReport>>,
        node: String,
        host_root: PathBuf,
        metrics: Metrics,
        health: Health,
        about: About,
        work: Arc<dyn Work>,
    ) -> Self {
        Self {
            windows: Windows::new(work),
            writer: Writer::new(api, node.clone()),
            node,
            host_root,
            about,
            metrics,
            watched: Watched::new(health),
            seen: None,
            listed: false,
            assignments: Vec::new(),
            results: Vec::new(),
        }
    }

    /// The node's name.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Takes in what the watch says.
    pub(super) fn observe(&mut self, step: Step<DeserializeGuard<NodeNetReport>>) {
        match step {
            Step::Event(event) => self.changed(event),
            Step::Served => self.watched.served(),
            Step::Interrupted(error) => {
                self.watched.interrupted(&error);
                tracing::warn!(
                    node = self.node,
                    error = &error as &dyn StdError,
                    "Lost the watch"
                );
            }
        }
    }

    fn changed(&mut self, event: watcher::Event<DeserializeGuard<NodeNetReport>>) {
        match event {
            watcher::Event::Init => self.listed = false,
            watcher::Event::InitApply(object) => {
                self.listed = true;
                self.found(object);
            }
            watcher::Event::Apply(object) => self.found(object),
            watcher::Event::Delete(_) => self.gone(),
            watcher::Event::InitDone if self.listed => {}
            watcher::Event::InitDone => self.gone(),
        }
    }

    fn found(&mut self, object: DeserializeGuard<NodeNetReport>) {
        let report = match object.0 {
            Ok(report) => report,
            Err(error) => {
                // A newer controller may have written it; what was assigned before goes on.
                tracing::error!(
                    node = self.node,
                    error = &error as &dyn StdError,
                    "Could not read the assignments"
                );
                return;
            }
        };
        let seen = WrittenReport::of(&report);
        let known = self
            .seen
            .as_ref()
            .is_some_and(|known| known.uid == seen.uid);
        if !known {
            if self.seen.is_none() && self.results.is_empty() {
                // What an earlier agent on this node wrote is all that is left of its runs.
                let status = report.status.clone().unwrap_or_default();
                self.results = decide::left_by_former(&status);
                self.about.conditions = status.conditions;
                self.about.probes = status.probes;
                self.about.facts = status.facts;
            }
            self.writer.found(report.status);
        }
        let unchanged = known && self.assignments == report.spec.assignments;
        let generation = seen.generation;
        self.seen = Some(seen);
        self.assignments = report.spec.assignments;
        if !unchanged {
            tracing::info!(
                node = self.node,
                assignments = self.assignments.len(),
                generation,
                "Assignments changed"
            );
        }
        self.settle(Duration::ZERO);
    }

    fn gone(&mut self) {
        self.seen = None;
        self.assignments.clear();
        self.settle(Duration::ZERO);
        self.writer.gone();
    }

    /// A window counts from now on, so that its result may say that it runs.
    pub(super) fn begun(&mut self, begun: &Begun) {
        let mut is_news = false;
        for result in &mut self.results {
            if begun.key.is_of(result)
                && result.state == state::RUNNING
                && let Some(window) = &mut result.window
            {
                window.start_time = time_of(begun.start_unix_ms);
                is_news = true;
            }
        }
        self.settle(Duration::ZERO);
        if is_news && !self.windows.is_beginning() {
            self.writer.hurry();
        }
    }

    /// Takes in what a window has seen.
    pub(super) fn ended(&mut self, ended: Ended) {
        let Ended {
            key,
            attempts,
            lasted,
            outcome,
        } = ended;
        let assigned = |assignment: &&Assignment| RunKey::of(assignment) == key;
        let Some(assignment) = self.assignments.iter().find(assigned).cloned() else {
            return;
        };
        let mut delay = Duration::ZERO;
        let (mut result, could_look) = match outcome {
            Ok(Outcome {
                result,
                could_look,
                probes,
                facts,
                lost,
            }) => {
                self.metrics.saw(lost, &probes);
                self.about.probes = probes;
                self.about.learned(facts, &result);
                delay = turn(&self.node, assignment.spread_seconds);
                (result, could_look)
            }
            Err(why) => {
                let reason = why.to_string();
                tracing::warn!(
                    node = self.node,
                    diagnosis = key.name,
                    reason,
                    "A window gave nothing"
                );
                let now = now();
                let result = match why {
                    NoOutcome::Stopped => decide::interrupted(&assignment, attempts, reason, now),
                    NoOutcome::Panicked { .. } | NoOutcome::Hung { .. } => {
                        decide::lost(&assignment, attempts, &reason, before(now, lasted), now)
                    }
                    NoOutcome::Refused(_) => {
                        decide::lost(&assignment, NEVER_BEGUN, &reason, now, now)
                    }
                };
                (result, false)
            }
        };
        self.remember(&mut result, &assignment, could_look);
        self.metrics.ended(&result);
        self.results.retain(|result| !key.is_of(result));
        self.results.push(result);
        let others = self.windows.last_end_within(TOGETHER);
        if others > Duration::ZERO {
            delay = delay.max(others + LATE);
        }
        self.settle(delay);
    }

    /// The main loop comes round: begins what has become due by time. True if the agent can do its work.
    pub(super) fn tick(&mut self) -> bool {
        let has_failed = |result: &RunResult| result.state == state::FAILED;
        if self.results.iter().any(has_failed) {
            self.settle(Duration::ZERO);
        }
        self.windows.can_begin()
    }

    /// Gives a result what the earlier one of its run knew.
    fn remember(&self, result: &mut RunResult, assignment: &Assignment, could_look: bool) {
        let key = RunKey::of(assignment);
        let Some(previous) = self.results.iter().find(|result| key.is_of(result)) else {
            return;
        };
        let window = result.window.as_ref();
        let end = window.and_then(|window| window.end_time.as_ref());
        let circumstances = report::Circumstances {
            could_look,
            least: assignment.min_severity,
            window_seconds: assignment.window_seconds,
            now: end.map_or_else(now, |end| end.0),
        };
        report::carry_over(result, previous, &circumstances);
    }

    /// Brings windows, results and status to what the assignments ask for.
    fn settle(&mut self, delay: Duration) {
        let mut plan = decide(
            &self.assignments,
            &self.results,
            &self.windows.keys(),
            now(),
        );
        self.windows.stop(&plan.stop);
        for assignment in &self.assignments {
            if let Ok(wanted) = settings::wanted(assignment) {
                self.windows.want(&RunKey::of(assignment), &wanted);
            }
        }
        for start in take(&mut plan.start) {
            let is_it = |assignment: &&Assignment| RunKey::of(assignment) == start.key;
            let Some(assignment) = self.assignments.iter().find(is_it) else {
                continue;
            };
            match settings::wanted(assignment) {
                Ok(wanted) => self.windows.start(self.order(assignment, start, wanted)),
                Err(error) => {
                    let now = now();
                    let failed =
                        decide::lost(assignment, start.attempts, &error.to_string(), now, now);
                    let of_run = plan.results.iter_mut().filter(|it| start.key.is_of(it));
                    of_run.for_each(|result| result.clone_from(&failed));
                }
            }
        }
        self.metrics.set_running(self.windows.keys().len());
        self.results = plan.results;
        if let Some(WrittenReport {
            generation, rest, ..
        }) = self.seen
        {
            let active = !self.windows.keys().is_empty();
            let status = status::build(&self.about, generation, &self.results, active, rest, now());
            self.about.conditions.clone_from(&status.conditions);
            let delay = if self.windows.is_beginning() {
                delay.max(BEGINNING)
            } else {
                delay
            };
            self.writer.want(status, delay);
        }
    }

    fn order(&self, assignment: &Assignment, start: Start, wanted: Wanted) -> Order {
        let seconds = u64::try_from(start.seconds).unwrap_or_default();
        tracing::debug!(
            node = self.node,
            diagnosis = start.key.name,
            seconds,
            attempts = start.attempts,
            "Beginning a window"
        );
        Order {
            key: start.key,
            attempts: start.attempts,
            request: Request {
                node: self.node.clone(),
                host_root: self.host_root.clone(),
                duration: Duration::from_secs(seconds),
                pods: assignment.pods,
            },
            wanted: Arc::new(Mutex::new(wanted)),
        }
    }

    /// Ends what runs, to be run again by the next agent. A result that waits to be written is written.
    pub(super) async fn shut_down(&mut self) {
        let keys = self.windows.keys();
        self.windows.stop(&keys);
        if timeout(FAREWELL, self.writer.write()).await.is_err() {
            tracing::warn!(node = self.node, "Left without a last write");
        }
        // A window's thread may be busy reading; the kernel detaches the probes of a process that is gone.
        let _ = timeout(FAREWELL, self.windows.wait()).await;
    }
}

impl WrittenReport {
    fn of(report: &NodeNetReport) -> Self {
        let metadata = ObjectMeta {
            managed_fields: None,
            ..report.metadata.clone()
        };
        let bytes = |json: serde_json::Result<Vec<u8>>| json.map_or(0, |json| json.len());
        Self {
            uid: report.metadata.uid.clone().unwrap_or_default(),
            generation: report.metadata.generation,
            rest: bytes(serde_json::to_vec(&metadata)) + bytes(serde_json::to_vec(&report.spec)),
        }
    }
}

fn before(now: Timestamp, lasted: Duration) -> Timestamp {
    let lasted = i64::try_from(lasted.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(now.as_second().saturating_sub(lasted)).unwrap_or(now)
}

/// Whole seconds, as the API keeps them.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
