//! Properties of a run that hold whatever happens: both `decide` functions are applied to their own output, over
//! generated fleets, clocks, refused writes, deletions and restarts.

mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisStatus, NodeNetReport,
    conditions::{self, reasons},
    report::{RunResult, Window, state},
};

use crate::{
    coverage::Coverage,
    diagnosis::{
        World,
        decide::{self, Action},
    },
    report,
    run::{Run, moment::Moments, selection::Selected, time::RunningTime},
    stored_report, testing,
};

/// Fleets that are tried.
const SEEDS: u64 = 120;
/// Nobody answers sooner than this, so that a node that is blamed earlier is blamed without a reason.
const SHORTEST_DEADLINE: i64 = 60;
/// Enough for ten minutes without assignment, three attempts of a window and the grace after a restart.
const LONGEST_RUN: i64 = 1200;

/// Xorshift: the same fleets on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, names: &'a BTreeSet<String>) -> Option<&'a String> {
        let size = u64::try_from(names.len()).ok().filter(|size| *size > 0)?;
        names.iter().nth(usize::try_from(self.below(size)).ok()?)
    }
}

/// A cluster with one diagnosis, and what is true of it.
struct Cluster {
    random: Random,
    nodes: BTreeMap<String, Node>,
    reports: BTreeMap<String, NodeNetReport>,
    diagnosis: NodeNetDiagnosis,
    /// Nodes whose report cannot be written.
    refusing: BTreeSet<String>,
    /// Nodes without an agent.
    silent: BTreeSet<String>,
    moments: Moments,
    /// Running seconds of the controller's process.
    seconds: i64,
    /// The error of its clock.
    clock: i64,
    /// Running seconds for which each node has had its present assignment, over all processes.
    assigned_for: BTreeMap<String, i64>,
    /// Who was selected when the run began.
    first: Option<BTreeSet<String>>,
    deleted: BTreeSet<String>,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut diagnosis = testing::diagnosis();
        let names: Vec<String> = (0..random.below(7)).map(|n| format!("n{n}")).collect();
        if random.one_in(3) {
            diagnosis.spec.nodes.all = None;
            diagnosis.spec.nodes.names = Some(vec!["n0".into(), "n1".into(), "typo".into()]);
        }
        let nodes = names.iter().map(|name| (name.clone(), testing::node(name)));
        Self {
            nodes: nodes.collect(),
            silent: names.iter().filter(|_| random.one_in(6)).cloned().collect(),
            refusing: names.iter().filter(|_| random.one_in(3)).cloned().collect(),
            random,
            reports: BTreeMap::new(),
            diagnosis,
            moments: Moments::new(RunningTime::start()),
            seconds: 0,
            clock: 0,
            assigned_for: BTreeMap::new(),
            first: None,
            deleted: BTreeSet::new(),
        }
    }

    /// Something happens.
    fn event(&mut self) {
        let names: BTreeSet<String> = self.nodes.keys().cloned().collect();
        let name = self.random.pick(&names).cloned();
        match (self.random.below(12), name) {
            (0, Some(name)) => {
                self.nodes.remove(&name);
                self.reports.remove(&name);
                self.assigned_for.remove(&name);
                self.deleted.insert(name);
            }
            (1, Some(name)) => {
                self.reports.remove(&name);
                self.assigned_for.remove(&name);
            }
            (2, Some(name)) if !self.refusing.remove(&name) => {
                self.refusing.insert(name);
            }
            (3, _) => {
                let name = format!("n{}", self.random.below(9));
                let joined = testing::node(&name);
                self.nodes.entry(name).or_insert(joined);
            }
            (4, _) => {
                // Another leader, which has counted nothing yet.
                self.moments = Moments::new(RunningTime::start());
                self.seconds = 0;
            }
            // A clock that jumps, or an API server that is away.
            (5, _) => self.clock = [-3600, -660, 660, 3600][self.random.below(4) as usize],
            (6, _) => self.diagnosis.spec.suspend = self.random.one_in(2),
            _ => {
                let seconds = i64::try_from(self.random.below(45)).unwrap_or_default();
                self.time_passes(seconds);
            }
        }
    }

    fn time_passes(&mut self, seconds: i64) {
        self.seconds += seconds;
        for waited in self.assigned_for.values_mut() {
            *waited += seconds;
        }
    }

    fn run(&self) -> Run {
        Run::of(&self.diagnosis, testing::at(0), 0)
    }

    /// The report reconciler's pass over every node. A refused write leaves things as they are.
    fn assign(&mut self) {
        for (name, node) in &self.nodes {
            let stored = self.reports.get(name);
            let now = testing::at(self.clock + self.seconds);
            let moment = |of: &NodeNetDiagnosis| self.moments.at(of, now, self.seconds);
            let wanted = report::decide::decide(
                node,
                stored,
                &[&self.diagnosis],
                &Coverage::default(),
                moment,
            );
            let Some(wanted) = wanted.filter(|_| !self.refusing.contains(name)) else {
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
            }
            self.reports.insert(name.clone(), report);
        }
    }

    /// Agents take up what is assigned and end their windows, each in its own time.
    fn work(&mut self, haste: u64) {
        for (name, report) in &mut self.reports {
            if self.silent.contains(name) || !self.random.one_in(haste) {
                continue;
            }
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

    /// The diagnosis reconciler's pass, and all that must hold of what it writes.
    fn pass(&mut self) {
        let now = testing::at(self.clock + self.seconds);
        let world = World::new(
            self.nodes.values().cloned(),
            self.reports.values().cloned(),
            HashMap::new(),
        );
        let moment = self.moments.at(&self.diagnosis, now, self.seconds);
        let plan = decide::decide(&self.diagnosis, &world, &moment);
        self.moments
            .unassigned(&self.diagnosis, &moment, plan.unassigned);
        let status = match plan.action {
            Action::Nothing => return,
            Action::Delete => panic!("nobody asked for it"),
            Action::WriteStatus(status) | Action::WriteNumbers(status) => *status,
        };
        if status.start_time.is_some() && self.first.is_none() {
            let names = world_selection(&self.diagnosis, &self.nodes);
            self.deleted.clear();
            self.first = Some(names);
        }
        self.check(&status);
        self.check_words(&status);
        self.diagnosis.status = Some(status);
        let again = decide::decide(&self.diagnosis, &world, &moment);
        assert_eq!(again.action, Action::Nothing, "it does not stand still");
    }

    fn check(&self, status: &NodeNetDiagnosisStatus) {
        let Some(first) = &self.first else { return };
        let counts = status.nodes.clone().expect("always there");
        let lasting = first.difference(&self.deleted);
        let size = |count: usize| i32::try_from(count).expect("small");
        assert!(
            counts.selected >= size(lasting.clone().count()),
            "{counts:?}"
        );
        assert!(counts.selected <= size(first.len()), "{counts:?}");

        let is_complete = conditions::is_true(&status.conditions, conditions::COMPLETE);
        let was_complete =
            self.diagnosis.status.as_ref().is_some_and(|before| {
                conditions::is_true(&before.conditions, conditions::COMPLETE)
            });
        assert!(is_complete || !was_complete, "what was complete is so");
        let settled = counts.reported + counts.unreachable + counts.refused + counts.not_assigned;
        if is_complete {
            assert_eq!(
                settled, counts.selected,
                "somebody is waited for: {counts:?}"
            );
        }
        let reason = |type_, reason| conditions::has_reason(&status.conditions, type_, reason);
        if reason(conditions::COMPLETE, reasons::NO_NODES_SELECTED) {
            assert!(first.is_empty());
        }
        let run = self.run();
        let result = |name: &String| stored_report::result(self.reports.get(name)?, &run);
        if reason(conditions::DEGRADED, reasons::ALL_CHECKED) {
            for name in lasting {
                let state = result(name).map(|result| result.state.as_str());
                assert_eq!(state, Some(state::FINISHED), "{name} was not checked");
            }
        }
        let overdue = self.nodes.keys().filter(|name| {
            let waited = self.assigned_for.get(*name).copied();
            let is_assigned = self
                .reports
                .get(*name)
                .is_some_and(|report| stored_report::assignment(report, &run).is_some());
            is_assigned && waited >= Some(SHORTEST_DEADLINE)
        });
        assert!(counts.unreachable <= size(overdue.count()), "{counts:?}");
        if !was_complete {
            let unassigned = self.diagnosis.status.is_none();
            assert!(
                !unassigned || counts.not_assigned == 0,
                "it was never tried"
            );
        }
    }
}

fn world_selection(
    diagnosis: &NodeNetDiagnosis,
    nodes: &BTreeMap<String, Node>,
) -> BTreeSet<String> {
    let coverage = Coverage::default();
    let selected = Selected::of(&diagnosis.spec.nodes, &coverage);
    let chosen = nodes.values().filter(|node| selected.contains(node, None));
    chosen.map(ResourceExt::name_any).collect()
}

#[test]
fn no_run_claims_more_than_is_known_and_every_run_ends() {
    let mut ends = BTreeMap::<String, u32>::new();
    for seed in 1..=SEEDS {
        let mut cluster = Cluster::new(seed);
        for _ in 0..cluster.random.below(60) {
            cluster.event();
            if cluster.random.one_in(2) {
                cluster.assign();
            }
            cluster.work(4);
            if cluster.random.one_in(2) {
                cluster.pass();
            }
        }
        cluster.diagnosis.spec.suspend = false;
        for _ in 0..LONGEST_RUN / 10 {
            cluster.assign();
            cluster.pass();
            cluster.work(2);
            cluster.time_passes(10);
        }
        let status = cluster.diagnosis.status.as_ref().expect("written");
        let complete = conditions::is_true(&status.conditions, conditions::COMPLETE);
        assert!(complete, "seed {seed} is not complete: {:?}", status.nodes);
        for condition in &status.conditions {
            *ends.entry(condition.reason.clone()).or_default() += 1;
        }
    }
    // The fleets are such that every end occurs, or the assertions above have seen nothing.
    for reason in [
        reasons::ALL_REPORTED,
        reasons::ALL_CHECKED,
        reasons::GRACE_PERIOD_OVER,
        reasons::NO_NODES_SELECTED,
        reasons::NODES_DELETED,
        reasons::NODES_NOT_ASSIGNED,
        reasons::NODES_UNCHECKED,
        reasons::CRITICAL,
        reasons::NO_LOSS,
        reasons::NO_PROVEN_LOSS,
        reasons::NOTHING_TO_ACT_ON,
    ] {
        assert!(
            ends.contains_key(reason),
            "{reason} never occurred: {ends:?}"
        );
    }
}
