//! The agent's state between events: what is assigned, what was found, what runs.

use std::{error::Error as StdError, path::PathBuf, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::{Api, core::DeserializeGuard, runtime::watcher};
use netdiag_client::watch::Step;
use netdiag_crds::{
    NodeNetReport,
    report::{Assignment, Mode, RunResult, state},
};
use netdiag_diagnosis::{EvidenceWindow, diagnose, verdict::Blind};
use netdiag_telemetry::health::Health;
use tokio::time::timeout;

use super::{
    decide::{self, RunKey, decide},
    metrics::Metrics,
    settings,
    status::{self, About},
    watched::Watched,
    windows::{Ended, Windows},
    writer::Writer,
};
use crate::{
    collect::Request,
    probes::{Kernel, give_back},
    report, self_test,
};

/// With `continuous`, reports of many nodes are spread over this part of the interval, but no longer than the other.
const JITTER_PART: u32 = 10;
const JITTER_AT_MOST: Duration = Duration::from_secs(15);
/// The time for which the report that a window runs waits until the window counts, so that `Running` is no promise but
/// a fact. Loading the probes takes about 0.3 s; on a machine that is much slower the node is not kept waiting for its
/// acknowledgement.
const BEGINNING: Duration = Duration::from_secs(5);
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
    ) -> Self {
        let kernel = Kernel::load();
        let forbidden = self_test::forbidden(&kernel);
        for sentence in &forbidden {
            tracing::warn!(node, sentence, "The node forbids what a diagnosis needs");
        }
        let about = About::new(&kernel.facts, forbidden);
        Self {
            windows: Windows::new(kernel),
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
    pub(super) fn begun(&mut self, key: &RunKey) {
        let mut is_news = false;
        for result in &mut self.results {
            if key.is_of(result)
                && result.state == state::RUNNING
                && let Some(window) = &mut result.window
            {
                window.start_time = now().into();
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
            evidence,
        } = ended;
        let assigned = |assignment: &&Assignment| RunKey::of(assignment) == key;
        let Some(assignment) = self.assignments.iter().find(assigned).cloned() else {
            return;
        };
        let mut delay = Duration::ZERO;
        let result = match evidence {
            Ok(window) => {
                self.about.saw(&window);
                self.metrics.saw(&window, &self.about.probes);
                if assignment.mode == Mode::Continuous {
                    delay = jitter(assignment.window_seconds);
                }
                self.result(&assignment, &window, attempts)
            }
            Err(interrupted) => {
                let reason = interrupted.to_string();
                tracing::warn!(
                    node = self.node,
                    diagnosis = key.name,
                    reason,
                    "A window was interrupted"
                );
                let mut result = decide::interrupted(&assignment, attempts, reason, now());
                self.remember(&mut result, &assignment, false);
                result
            }
        };
        self.metrics.ended(&result);
        self.results.retain(|result| !key.is_of(result));
        self.results.push(result);
        self.settle(delay);
        // A window's evidence takes some megabytes for a moment.
        give_back();
    }

    fn result(&self, assignment: &Assignment, window: &EvidenceWindow, attempts: i32) -> RunResult {
        let run = report::Run {
            diagnosis: &assignment.name,
            uid: Some(&assignment.uid),
            generation: assignment.run_generation,
            attempts,
        };
        let settings = match settings::of(assignment) {
            Ok(settings) => settings,
            Err(error) => {
                let begun = decide::interrupted(assignment, attempts, String::new(), now());
                return decide::failed(begun, error.to_string(), now());
            }
        };
        let diagnosis = diagnose(window, &settings);
        tracing::info!(
            node = self.node,
            diagnosis = assignment.name,
            findings = diagnosis.findings.len(),
            "A window ended"
        );
        let mut result = report::run_result(&diagnosis, window, &run);
        result
            .unchecked
            .extend(settings::unknown_checks(assignment));
        let blind = Blind::of(&diagnosis, window);
        let could_look = !blind.is_some_and(|blind| blind.is_of_the_whole_run());
        self.remember(&mut result, assignment, could_look);
        result
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
        let plan = decide(
            &self.assignments,
            &self.results,
            &self.windows.keys(),
            now(),
        );
        self.windows.stop(&plan.stop);
        for start in plan.start {
            let seconds = u64::try_from(start.seconds).unwrap_or_default();
            let pods = self
                .assignments
                .iter()
                .any(|assignment| RunKey::of(assignment) == start.key && assignment.pods);
            tracing::debug!(
                node = self.node,
                diagnosis = start.key.name,
                seconds,
                attempts = start.attempts,
                "Beginning a window"
            );
            let request = Request {
                node: self.node.clone(),
                host_root: self.host_root.clone(),
                duration: Duration::from_secs(seconds),
                pods,
            };
            self.windows.start(start, request);
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

fn jitter(window_seconds: i32) -> Duration {
    let interval = Duration::from_secs(u64::try_from(window_seconds).unwrap_or_default());
    (interval / JITTER_PART)
        .min(JITTER_AT_MOST)
        .mul_f64(fastrand::f64())
}

/// Whole seconds, as the API keeps them.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
