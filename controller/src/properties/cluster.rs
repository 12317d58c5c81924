//! A cluster to which things happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetReport,
    report::{RunResult, Window, state},
};

use super::{Random, words};
use crate::{
    coverage::Coverage,
    report,
    run::{
        Run,
        moment::{Moment, Moments},
        time::RunningTime,
    },
    stored_report, testing,
};

/// Nobody answers sooner than this, so that a node that is blamed earlier is blamed without a reason.
const SHORTEST_DEADLINE: i64 = 60;
/// The agents get so long for what they could not write while the API server was away.
const GRACE: i64 = 60;
/// The controller asks for its lease more often than this.
const BETWEEN_ANSWERS: i64 = 10;
/// A watch of the controller.
const WATCH: &str = "reports";

/// Objects of the API server.
#[derive(Clone, Default)]
pub(super) struct Objects {
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) reports: BTreeMap<String, NodeNetReport>,
}

/// The number of times that something happened, so that a test knows its stimuli.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Outages of the API server during a run.
    pub(super) outages: u32,
    /// Passes over what was not the present state any more.
    pub(super) late_passes: u32,
    /// Passes that would have blamed a node if they had not looked at its report.
    pub(super) saved: u32,
    /// Nodes that were blamed.
    pub(super) blamed: u32,
}

impl Counted {
    /// Adds what happened elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.outages += other.outages;
        self.late_passes += other.late_passes;
        self.saved += other.saved;
        self.blamed += other.blamed;
    }
}

/// A cluster with one diagnosis, and what is true of it.
pub(super) struct Cluster {
    pub(super) random: Random,
    /// The objects as they are.
    pub(super) there: Objects,
    /// The objects as the controller knows them, where its watches are behind.
    pub(super) late: Option<Objects>,
    pub(super) diagnosis: NodeNetDiagnosis,
    /// Nodes whose report cannot be written.
    refusing: BTreeSet<String>,
    /// Nodes without an agent.
    silent: BTreeSet<String>,
    pub(super) moments: Moments,
    /// Running time of the controller's process.
    time: RunningTime,
    /// The beginning of everything.
    begin: Instant,
    /// Seconds since then.
    pub(super) seconds: i64,
    /// Nobody is to be blamed before.
    pub(super) calm_until: i64,
    /// The error of the controller's clock.
    clock: i64,
    /// Seconds for which each node has had its present assignment while the API server was there.
    assigned_for: BTreeMap<String, i64>,
    /// Nodes that were late with their present assignment at some time.
    pub(super) overdue: BTreeSet<String>,
    /// Who was selected when the run began.
    pub(super) first: Option<BTreeSet<String>>,
    pub(super) deleted: BTreeSet<String>,
    /// Writes of reports so far.
    versions: u64,
    pub(super) counted: Counted,
}

impl Cluster {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut diagnosis = testing::diagnosis();
        let names: Vec<String> = (0..random.below(7)).map(|n| format!("n{n}")).collect();
        if random.one_in(3) {
            diagnosis.spec.nodes.all = None;
            diagnosis.spec.nodes.names = Some(vec!["n0".into(), "n1".into(), "typo".into()]);
        }
        let nodes = names.iter().map(|name| (name.clone(), testing::node(name)));
        let begin = Instant::now();
        let time = RunningTime::start_at(begin);
        Self {
            there: Objects {
                nodes: nodes.collect(),
                reports: BTreeMap::new(),
            },
            late: None,
            silent: names.iter().filter(|_| random.one_in(6)).cloned().collect(),
            refusing: names.iter().filter(|_| random.one_in(3)).cloned().collect(),
            random,
            diagnosis,
            moments: Moments::new(time.clone()),
            time,
            begin,
            seconds: 0,
            calm_until: 0,
            clock: 0,
            assigned_for: BTreeMap::new(),
            overdue: BTreeSet::new(),
            first: None,
            deleted: BTreeSet::new(),
            versions: 0,
            counted: Counted::default(),
        }
    }

    /// Something happens.
    pub(super) fn event(&mut self) {
        let names: BTreeSet<String> = self.there.nodes.keys().cloned().collect();
        let name = self.random.pick(&names).cloned();
        match (self.random.below(15), name) {
            (0, Some(name)) => {
                self.there.nodes.remove(&name);
                self.lose_report(&name);
                self.deleted.insert(name);
            }
            (1, Some(name)) => self.lose_report(&name),
            (2, Some(name)) if !self.refusing.remove(&name) => {
                self.refusing.insert(name);
            }
            (3, _) => {
                let name = format!("n{}", self.random.below(9));
                let joined = testing::node(&name);
                self.there.nodes.entry(name).or_insert(joined);
            }
            // Another leader, which has counted nothing yet.
            (4, _) => self.restart(),
            (5, _) => self.clock = [-3600, -660, 660, 3600][self.random.below(4) as usize],
            (6, _) => self.diagnosis.spec.suspend = self.random.one_in(2),
            (7, _) => {
                let seconds = 16 + i64::try_from(self.random.below(400)).unwrap_or_default();
                self.outage(seconds);
            }
            (8 | 9, _) if self.late.is_none() => self.late = Some(self.there.clone()),
            (8 | 9, _) => self.late = None,
            _ => {
                let seconds = i64::try_from(self.random.below(45)).unwrap_or_default();
                self.time_passes(seconds);
            }
        }
    }

    fn lose_report(&mut self, name: &str) {
        self.there.reports.remove(name);
        self.assigned_for.remove(name);
        self.overdue.remove(name);
    }

    fn restart(&mut self) {
        self.time = RunningTime::start_at(self.now());
        self.moments = Moments::new(self.time.clone());
        self.late = None;
    }

    /// The API server is away: nobody writes, and nobody reads. A leader without an answer ends sometimes.
    fn outage(&mut self, seconds: i64) {
        self.seconds += seconds;
        self.time.interrupted(WATCH);
        self.time.answered_at(self.now());
        if self.random.one_in(3) {
            self.restart();
        }
        self.time.served_at(WATCH, self.now());
        self.late = None;
        self.calm_until = self.seconds + GRACE;
        self.counted.outages += u32::from(self.first.is_some());
    }

    fn now(&self) -> Instant {
        self.begin + Duration::from_secs(self.seconds.unsigned_abs())
    }

    pub(super) fn time_passes(&mut self, seconds: i64) {
        let end = self.seconds + seconds;
        while self.seconds < end {
            self.seconds = end.min(self.seconds + BETWEEN_ANSWERS);
            self.time.answered_at(self.now());
        }
        for waited in self.assigned_for.values_mut() {
            *waited += seconds;
        }
        let run = self.run();
        for (name, report) in &self.there.reports {
            let is_late = self.assigned_for.get(name) >= Some(&SHORTEST_DEADLINE);
            let result = stored_report::result(report, &run);
            if is_late && result.is_none_or(|result| result.state == state::RUNNING) {
                self.overdue.insert(name.clone());
            }
        }
    }

    /// The objects as the controller's watches have brought them.
    pub(super) fn known(&self) -> &Objects {
        self.late.as_ref().unwrap_or(&self.there)
    }

    /// The present of the run, by the controller's clock and its running time.
    pub(super) fn moment(&self, of: &NodeNetDiagnosis) -> Moment {
        let now = testing::at(self.clock + self.seconds);
        self.moments.at(of, now, self.time.seconds())
    }

    pub(super) fn run(&self) -> Run {
        Run::of(&self.diagnosis, testing::at(0), 0)
    }

    /// The report reconciler's pass over every node. A refused write leaves things as they are, and one that was decided
    /// on a former version is refused.
    pub(super) fn assign(&mut self) {
        let known = self.known().clone();
        for (name, node) in &known.nodes {
            let stored = known.reports.get(name);
            let wanted = report::decide::decide(
                node,
                stored,
                &[&self.diagnosis],
                &Coverage::default(),
                |of| self.moment(of),
            );
            let is_new = version(stored) == version(self.there.reports.get(name));
            let takes = is_new && !self.refusing.contains(name);
            let Some(wanted) = wanted.filter(|_| takes) else {
                continue;
            };
            let mut report = stored
                .cloned()
                .unwrap_or_else(|| testing::ReportBuilder::new(name).build());
            let times = |report: &NodeNetReport| {
                let all = report.spec.assignments.iter();
                all.map(|assignment| assignment.assigned_after_seconds)
                    .collect::<Vec<_>>()
            };
            let before = times(&report);
            report.spec = wanted.spec;
            report.metadata.generation = report.metadata.generation.map(|number| number + 1);
            if times(&report) != before {
                self.assigned_for.insert(name.clone(), 0);
                self.overdue.remove(name);
            }
            self.versions += 1;
            report.metadata.resource_version = Some(self.versions.to_string());
            self.there.reports.insert(name.clone(), report);
        }
    }

    /// Agents take up what is assigned and end their windows, each in its own time.
    pub(super) fn work(&mut self, haste: u64) {
        for (name, report) in &mut self.there.reports {
            if self.silent.contains(name) || !self.random.one_in(haste) {
                continue;
            }
            self.versions += 1;
            report.metadata.resource_version = Some(self.versions.to_string());
            let generation = report.metadata.generation;
            let status = report.status.get_or_insert_default();
            status.observed_generation = generation;
            let ends = self.random.one_in(2);
            let outcome = if self.random.one_in(8) {
                state::FAILED
            } else {
                state::FINISHED
            };
            let found = words::findings(&mut self.random);
            let unchecked = words::unchecked(&mut self.random);
            let results = report.spec.assignments.iter().map(|assignment| {
                let former = status.results.iter().find(|result| {
                    result.diagnosis_uid.as_ref() == Some(&assignment.uid)
                        && result.run_generation == assignment.run_generation
                });
                if let Some(former) = former.filter(|former| former.state != state::RUNNING) {
                    return former.clone();
                }
                RunResult {
                    diagnosis: assignment.name.clone(),
                    diagnosis_uid: Some(assignment.uid.clone()),
                    run_generation: assignment.run_generation,
                    state: if ends { outcome } else { state::RUNNING }.to_owned(),
                    findings: if ends { found.clone() } else { Vec::new() },
                    unchecked: unchecked.clone(),
                    window: Some(Window {
                        start_time: assignment.assigned_time.clone(),
                        end_time: None,
                        duration_seconds: assignment.window_seconds,
                        attempts: 1,
                    }),
                    ..RunResult::default()
                }
            });
            status.results = results.collect();
        }
    }
}

/// The version of a report.
pub(super) fn version(report: Option<&NodeNetReport>) -> Option<String> {
    report?.metadata.resource_version.clone()
}
