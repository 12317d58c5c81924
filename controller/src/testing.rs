//! Objects for unit tests.

use std::sync::Arc;

use k8s_openapi::{
    api::core::v1::{Node, NodeCondition, NodeStatus},
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time},
    jiff::Timestamp,
};
use kube::api::ObjectMeta;
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetDiagnosisSpec, NodeNetReport, NodeNetReportSpec,
    checks::CHECKS,
    conditions,
    diagnosis::NodeSelection,
    harm::Harm,
    report::{
        AgentInfo, Assignment, Explained, Finding, LedgerEntry, Mode, Refusal, RunResult, Window,
    },
    severity::Severity,
};

use crate::{
    diagnosis::{self, World, asked::Asked, decide::Action, reporter::Reporter},
    run::{Run, moment::Moment},
    stored_report::heartbeat,
};

/// Seconds since the tests' run started.
pub fn at(seconds: i64) -> Timestamp {
    const START: i64 = 1_772_420_650;
    Timestamp::from_second(START + seconds).expect("a time of this century")
}

pub fn node(name: &str) -> Node {
    let ready = NodeCondition {
        type_: "Ready".into(),
        status: "True".into(),
        ..NodeCondition::default()
    };
    Node {
        metadata: ObjectMeta {
            name: Some(name.into()),
            uid: Some(format!("uid-of-{name}")),
            creation_timestamp: Some(Time(at(-1000))),
            ..ObjectMeta::default()
        },
        status: Some(NodeStatus {
            conditions: Some(vec![ready]),
            ..NodeStatus::default()
        }),
        ..Node::default()
    }
}

pub fn unready_node(name: &str) -> Node {
    let mut node = node(name);
    let conditions = node
        .status
        .as_mut()
        .and_then(|status| status.conditions.as_mut());
    for condition in conditions.into_iter().flatten() {
        condition.status = "Unknown".into();
    }
    node
}

/// Just applied, over all nodes.
pub fn diagnosis() -> NodeNetDiagnosis {
    let spec = NodeNetDiagnosisSpec {
        nodes: NodeSelection {
            all: Some(true),
            ..NodeSelection::default()
        },
        checks: None,
        interfaces: None,
        pods: true,
        min_severity: Severity::Info,
        once: None,
        continuous: None,
        suspend: false,
        rerun: None,
        ttl_seconds_after_finished: None,
    };
    let mut diagnosis = NodeNetDiagnosis::new("rx-dropped", spec);
    diagnosis.metadata.uid = Some("uid-1".into());
    diagnosis.metadata.generation = Some(1);
    diagnosis.metadata.resource_version = Some("1".into());
    diagnosis
}

/// Everything of this severity or worse.
pub fn asked(least: Severity) -> Asked<'static> {
    Asked {
        checks: CHECKS.into(),
        least,
        some_interfaces: false,
        pods: true,
    }
}

/// A reporter with the first result of its report.
pub fn reporter<'a>(node: &'a Node, report: &'a NodeNetReport, least: Severity) -> Reporter<'a> {
    let name = node.metadata.name.as_deref().expect("nodes have names");
    let result = &report.status.as_ref().expect("it reported").results[0];
    Reporter::new(name, node, report, result, &asked(least))
}

/// The same after its reconciler has seen it at `at(0)`, and no node has yet been assigned.
pub fn started_diagnosis() -> NodeNetDiagnosis {
    let mut diagnosis = diagnosis();
    let nodes = [node("a")];
    step(&mut diagnosis, &nodes, &[], 0);
    diagnosis
}

/// One pass of the diagnosis reconciler: writes the status into the object as the API server would.
pub fn step(
    diagnosis: &mut NodeNetDiagnosis,
    nodes: &[Node],
    reports: &[NodeNetReport],
    now: i64,
) -> diagnosis::decide::Plan {
    let heard = reports.iter().filter_map(|report| {
        let silence = now - seconds(heartbeat(report)?);
        Some((report.metadata.name.clone()?, silence))
    });
    let world = World::new(nodes.to_vec(), reports.to_vec(), heard.collect());
    let joined = nodes.iter().filter_map(|node| {
        let created = node.metadata.creation_timestamp.as_ref()?;
        Some((node.metadata.name.clone()?, seconds(created.0).max(0)))
    });
    let moment = Moment {
        unassigned_since: Arc::new(joined.collect()),
        ..moment(diagnosis, now)
    };
    let plan = diagnosis::decide::decide(diagnosis, &world, &moment);
    if let Action::WriteStatus(status) | Action::WriteNumbers(status) = &plan.action {
        diagnosis.status = Some((**status).clone());
    }
    plan
}

fn seconds(time: Timestamp) -> i64 {
    time.as_second() - at(0).as_second()
}

/// `now` by a clock that is right, when the API server has always answered and the first run began at `at(0)`.
pub fn moment(diagnosis: &NodeNetDiagnosis, now: i64) -> Moment {
    let run = Run::of(diagnosis, at(now), 0);
    let is_first = run.generation == 1;
    let start = run.start.filter(|_| !is_first).map_or(0, seconds);
    let complete = run.completion.map_or(now, seconds);
    Moment {
        now: at(now),
        elapsed: complete - start,
        complete_for: now - complete,
        unassigned_since: Arc::default(),
    }
}

pub fn finding(check: &str, cause: &str, severity: &str) -> Finding {
    Finding {
        id: format!("{check}/{cause}/eth0"),
        check: check.into(),
        cause: cause.into(),
        severity: severity.into(),
        confidence: "Certain".into(),
        summary: format!("{check} by {cause}"),
        count: 1,
        ..Finding::default()
    }
}

/// A finding with its harm, about packets whose number is known.
pub fn harmful(check: &str, harm: Harm, severity: &str) -> Finding {
    Finding {
        harm: Some(harm.as_str().into()),
        packets: Some(4),
        ..finding(check, "PeerMtuSmaller", severity)
    }
}

pub fn counter(
    name: &str,
    increase: i64,
    unexplained: i64,
    explained: Vec<Explained>,
) -> LedgerEntry {
    LedgerEntry {
        counter: name.into(),
        increase,
        unexplained,
        explained,
        ..LedgerEntry::default()
    }
}

pub fn booking(finding: &str, verdict: &str, count: i64) -> Explained {
    Explained {
        reason: "UNHANDLED_PROTO".into(),
        count,
        verdict: verdict.into(),
        finding: Some(finding.into()),
        ..Explained::default()
    }
}

/// A node's report in the run of [`started_diagnosis`].
pub struct ReportBuilder(NodeNetReport);

impl ReportBuilder {
    pub fn new(node: &str) -> Self {
        let mut report = NodeNetReport::new(node, NodeNetReportSpec::default());
        report.metadata.generation = Some(1);
        report.metadata.resource_version = Some("1".into());
        Self(report)
    }

    pub fn assigned(self, seconds: i64) -> Self {
        self.assigned_for("rx-dropped", "uid-1", seconds)
    }

    pub fn assigned_for(mut self, name: &str, uid: &str, seconds: i64) -> Self {
        let generation = self.0.metadata.generation.get_or_insert_default();
        *generation += 1;
        self.0.spec.assignments.push(Assignment {
            name: name.into(),
            uid: uid.into(),
            run_generation: 1,
            assigned_time: Time(at(seconds)),
            assigned_after_seconds: seconds,
            checks: Vec::new(),
            interfaces: None,
            pods: true,
            min_severity: Severity::Info,
            mode: Mode::Once,
            window_seconds: 35,
            spread_seconds: 0,
            suspend: false,
        });
        self
    }

    pub fn suspended(mut self) -> Self {
        for assignment in &mut self.0.spec.assignments {
            assignment.suspend = true;
        }
        self
    }

    pub fn refused(mut self) -> Self {
        self.0.spec.refused.push(Refusal {
            name: "rx-dropped".into(),
            uid: "uid-1".into(),
            run_generation: 1,
        });
        self
    }

    pub fn acknowledged(mut self) -> Self {
        let generation = self.0.metadata.generation;
        self.0.status.get_or_insert_default().observed_generation = generation;
        self
    }

    pub fn kernel(mut self, kernel: &str) -> Self {
        let agent = AgentInfo {
            kernel: kernel.into(),
            ..AgentInfo::default()
        };
        self.0.status.get_or_insert_default().agent = Some(agent);
        self
    }

    /// A result of the run in this state, acknowledged.
    pub fn result(self, state: &str) -> Self {
        let mut builder = self.acknowledged();
        let result = RunResult {
            diagnosis: "rx-dropped".into(),
            diagnosis_uid: Some("uid-1".into()),
            run_generation: 1,
            state: state.into(),
            window: Some(Window {
                start_time: Time(at(1)),
                end_time: (state != "Running").then(|| Time(at(36))),
                duration_seconds: 35,
                attempts: 1,
            }),
            ..RunResult::default()
        };
        builder
            .0
            .status
            .get_or_insert_default()
            .results
            .push(result);
        builder
    }

    fn edit_result(mut self, edit: impl FnOnce(&mut RunResult)) -> Self {
        let status = self.0.status.get_or_insert_default();
        edit(status.results.last_mut().expect("result() comes first"));
        self
    }

    pub fn attempts(self, attempts: i32) -> Self {
        self.edit_result(|result| {
            result
                .window
                .as_mut()
                .expect("results have windows")
                .attempts = attempts;
        })
    }

    pub fn of_run(self, generation: i64) -> Self {
        self.edit_result(|result| result.run_generation = generation)
    }

    pub fn of_uid(self, uid: &str) -> Self {
        self.edit_result(|result| result.diagnosis_uid = Some(uid.into()))
    }

    pub fn finding(self, finding: Finding) -> Self {
        self.edit_result(|result| result.findings.push(finding))
    }

    pub fn ledger(self, entry: LedgerEntry) -> Self {
        self.edit_result(|result| result.ledger.push(entry))
    }

    pub fn unchecked(self, check: &str, partly: bool) -> Self {
        self.edit_result(|result| {
            result.unchecked.push(netdiag_crds::report::Unchecked {
                check: check.into(),
                partly,
                too_rare: false,
                reason: "no BTF".into(),
            });
        })
    }

    /// The window was too short for all that the check looks for.
    pub fn short(self, check: &str) -> Self {
        self.unchecked(check, true).edit_result(|result| {
            for entry in &mut result.unchecked {
                entry.too_rare = true;
            }
        })
    }

    /// The API server refused everything except the least of the status.
    pub fn minimal(mut self) -> Self {
        let status = self.0.status.get_or_insert_default();
        status.conditions = vec![conditions::condition(
            &[],
            conditions::READY,
            conditions::Status::False,
            conditions::reasons::SCHEMA_MISMATCH,
            "field not declared in schema",
            None,
            at(0),
        )];
        self
    }

    /// The agent's last write.
    pub fn written(mut self, seconds: i64) -> Self {
        self.0.metadata.managed_fields = Some(vec![ManagedFieldsEntry {
            subresource: Some("status".into()),
            time: Some(Time(at(seconds))),
            ..ManagedFieldsEntry::default()
        }]);
        self
    }

    pub fn build(self) -> NodeNetReport {
        self.0
    }
}
