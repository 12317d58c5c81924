//! Who is woken by a change: only those whom it concerns.
//!
//! Of each object a mark is kept of what a pass reads of it. An object whose mark is as it was wakes nobody: heartbeats
//! of kubelets and agents, acknowledgements, and the controller's own writes of a status.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use futures::channel::mpsc;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Resource, ResourceExt,
    runtime::{controller::ReconcileRequest, reflector::ObjectRef},
};
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetReport, NodeNetReportStatus,
    report::{Mode, RunResult, state},
};
use serde::Serialize;

use crate::{
    coverage::Coverage,
    report::labels,
    run::{self, Run, longest_silence, selection::Selected},
    stored_report::{has_ended, served_diagnoses},
    stores::Stores,
};

/// Wakers of the two controllers. They end when the watches do.
pub struct Queues {
    /// For the diagnosis controller.
    pub diagnoses: mpsc::UnboundedReceiver<ReconcileRequest<NodeNetDiagnosis>>,
    /// For the report controller, which is keyed by node.
    pub nodes: mpsc::UnboundedReceiver<ReconcileRequest<Node>>,
}

/// Turns changes into requests to reconcile.
#[derive(Clone)]
pub struct Waker {
    stores: Stores,
    diagnoses: mpsc::UnboundedSender<ReconcileRequest<NodeNetDiagnosis>>,
    nodes: mpsc::UnboundedSender<ReconcileRequest<Node>>,
}

impl Waker {
    /// A waker, and the queues that it fills.
    pub fn new(stores: Stores) -> (Self, Queues) {
        let (diagnosis_sender, diagnoses) = mpsc::unbounded();
        let (node_sender, nodes) = mpsc::unbounded();
        let waker = Self {
            stores,
            diagnoses: diagnosis_sender,
            nodes: node_sender,
        };
        (waker, Queues { diagnoses, nodes })
    }

    fn wake_nodes(&self, concerned: impl Fn(&Node) -> bool) {
        for node in self.stores.nodes.state() {
            if concerned(&node) {
                self.wake_node(ObjectRef::from_obj(node.as_ref()));
            }
        }
    }

    fn wake_diagnoses(&self, concerned: impl Fn(&NodeNetDiagnosis) -> bool) {
        for diagnosis in self.stores.diagnoses.state() {
            if concerned(&diagnosis) {
                self.wake_diagnosis(ObjectRef::from_obj(diagnosis.as_ref()));
            }
        }
    }

    fn wake_node(&self, node: ObjectRef<Node>) {
        // A send fails only when its controller has ended, which happens at shutdown.
        let _ = self.nodes.unbounded_send(node.into());
    }

    fn wake_diagnosis(&self, diagnosis: ObjectRef<NodeNetDiagnosis>) {
        let _ = self.diagnoses.unbounded_send(diagnosis.into());
    }
}

/// The nodes as they were when they last woke somebody.
pub struct NodeChanges {
    waker: Waker,
    known: HashMap<String, u64>,
}

impl NodeChanges {
    /// No node is known yet.
    pub fn new(waker: &Waker) -> Self {
        Self {
            waker: waker.clone(),
            known: HashMap::new(),
        }
    }

    /// A node joins, leaves, changes its labels or its readiness: its report may change, and any run that goes on.
    /// After a new list, any may have.
    pub fn changed(&mut self, node: Option<&Node>) {
        let stores = &self.waker.stores;
        let Some(node) = node else {
            let nodes = stores.nodes.state();
            self.known = nodes
                .iter()
                .map(|node| (node.name_any(), node_mark(node)))
                .collect();
            self.waker.wake_nodes(|_| true);
            self.waker.wake_diagnoses(|_| true);
            return;
        };
        let object = ObjectRef::from_obj(node);
        if stores.nodes.get(&object).is_none() {
            self.known.remove(&object.name);
            self.waker.wake_node(object);
            self.waker.wake_diagnoses(|_| true);
            return;
        }
        let mark = node_mark(node);
        if self.known.insert(object.name.clone(), mark) != Some(mark) {
            self.waker.wake_node(object);
            self.waker
                .wake_diagnoses(|diagnosis| !is_finished(diagnosis));
        }
    }
}

/// The reports as they were when they last woke somebody.
pub struct ReportChanges {
    waker: Waker,
    known: HashMap<String, ReportMark>,
}

/// Marks of the parts of a report that passes read.
#[derive(Debug, PartialEq, Eq)]
struct ReportMark {
    /// The pass over its node.
    of_node: u64,
    /// The pass over each diagnosis that it serves, by name.
    of_diagnoses: HashMap<String, u64>,
}

impl ReportChanges {
    /// No report is known yet.
    pub fn new(waker: &Waker) -> Self {
        Self {
            waker: waker.clone(),
            known: HashMap::new(),
        }
    }

    /// A report changes: its node's assignments may need repair, and the diagnoses that it serves roll it up. After a
    /// new list, any may have.
    pub fn changed(&mut self, report: Option<&NodeNetReport>) {
        let stores = &self.waker.stores;
        let heartbeats = &stores.heartbeats;
        let Some(report) = report else {
            let reports = stores.reports.state();
            self.known.clear();
            for report in reports {
                heartbeats.note(&report);
                self.known
                    .insert(report.name_any(), ReportMark::of(&report));
            }
            self.waker.wake_nodes(|_| true);
            self.waker.wake_diagnoses(|_| true);
            return;
        };
        let object = ObjectRef::from_obj(report);
        let name = object.name.clone();
        let mut silence = 0;
        let (before, after) = if stores.reports.get(&object).is_some() {
            silence = heartbeats.note(report);
            let mark = ReportMark::of(report);
            (self.known.get(&name), Some(mark))
        } else {
            heartbeats.forget(&name);
            (self.known.get(&name), None)
        };
        if before.map(|mark| mark.of_node) != after.as_ref().map(|mark| mark.of_node) {
            self.waker.wake_node(ObjectRef::new(&name));
        }
        let all = [before, after.as_ref()].into_iter().flatten();
        let all: BTreeSet<&String> = all.flat_map(|mark| mark.of_diagnoses.keys()).collect();
        for diagnosis in all {
            let of = |mark: Option<&ReportMark>| mark?.of_diagnoses.get(diagnosis).copied();
            if of(before) != of(after.as_ref()) || was_missed(report, diagnosis, silence) {
                self.waker.wake_diagnosis(ObjectRef::new(diagnosis));
            }
        }
        match after {
            Some(mark) => drop(self.known.insert(name, mark)),
            None => drop(self.known.remove(&name)),
        }
    }
}

impl ReportMark {
    fn of(report: &NodeNetReport) -> Self {
        let metadata = &report.metadata;
        let results = report.status.iter().flat_map(|status| &status.results);
        let is_held = report.spec.assignments.iter().any(|own| own.suspend);
        // What was held back and has its result need not be resumed.
        let settled = is_held.then(|| results.clone().filter(|result| is_told(result)).count());
        let wanted = labels::wanted(report);
        let labels = (labels::are_set(report, &wanted), wanted);
        let of_node = mark(&(
            labels,
            &metadata.uid,
            metadata.generation,
            metadata.deletion_timestamp.is_some(),
            &metadata.owner_references,
            settled,
        ));
        let about = report.status.as_ref().map(|status| NodeNetReportStatus {
            observed_generation: status.observed_generation.map(|_| 0),
            results: Vec::new(),
            // Of the node's pass only.
            summary: None,
            ..status.clone()
        });
        let about = mark(&about);
        let mut of_diagnoses = HashMap::new();
        for name in served_diagnoses(report) {
            let own = report.spec.assignments.iter().find(|own| own.name == name);
            let own = own.map(|own| (&own.uid, own.run_generation, own.suspend));
            let refused = report.spec.refused.iter().find(|own| own.name == name);
            let result = results.clone().find(|result| result.diagnosis == name);
            let result = result.filter(|result| is_told(result));
            of_diagnoses.insert(name.to_owned(), mark(&(about, own, refused, result)));
        }
        Self {
            of_node,
            of_diagnoses,
        }
    }
}

/// True where a node was silent for so long that the diagnosis calls it unreachable, though it may say the same as before.
fn was_missed(report: &NodeNetReport, diagnosis: &str, silence: i64) -> bool {
    let mut own = report.spec.assignments.iter();
    own.any(|own| {
        own.name == diagnosis
            && own.mode == Mode::Continuous
            && silence >= longest_silence(own.window_seconds)
    })
}

/// A window that runs changes only a deadline, and who is past it is looked at again.
fn is_told(result: &RunResult) -> bool {
    result.state != state::RUNNING || has_ended(result)
}

/// The diagnoses as they were when they last woke somebody.
pub struct DiagnosisChanges {
    waker: Waker,
    known: HashMap<String, DiagnosisMark>,
}

/// Marks of the parts of a diagnosis that passes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DiagnosisMark {
    own: u64,
    of_nodes: u64,
}

impl DiagnosisChanges {
    /// No diagnosis is known yet.
    pub fn new(waker: &Waker) -> Self {
        Self {
            waker: waker.clone(),
            known: HashMap::new(),
        }
    }

    /// A diagnosis changes: its nodes may gain or lose an assignment. After a new list, any may have.
    pub fn changed(&mut self, diagnosis: Option<&NodeNetDiagnosis>) {
        let stores = &self.waker.stores;
        let Some(diagnosis) = diagnosis else {
            let diagnoses = stores.diagnoses.state();
            self.known = diagnoses
                .iter()
                .map(|diagnosis| (diagnosis.name_any(), DiagnosisMark::of(diagnosis)))
                .collect();
            self.waker.wake_diagnoses(|_| true);
            self.waker.wake_nodes(|_| true);
            return;
        };
        let object = ObjectRef::from_obj(diagnosis);
        let name = object.name.clone();
        if stores.diagnoses.get(&object).is_none() {
            self.known.remove(&name);
            self.waker.wake_diagnosis(object);
            self.wake_nodes_of(diagnosis);
            return;
        }
        let mark = DiagnosisMark::of(diagnosis);
        let before = self.known.insert(name, mark);
        if before.map(|before| before.own) != Some(mark.own) {
            self.waker.wake_diagnosis(object);
        }
        if before.map(|before| before.of_nodes) != Some(mark.of_nodes) {
            self.wake_nodes_of(diagnosis);
        }
    }

    /// Wakes the nodes that have a part in the diagnosis, or are to get one.
    fn wake_nodes_of(&self, diagnosis: &NodeNetDiagnosis) {
        let name = diagnosis.name_any();
        let reports = &self.waker.stores.reports;
        // Rules of a DaemonSet only narrow this.
        let anywhere = Coverage::default();
        let selected = Selected::of(&diagnosis.spec.nodes, &anywhere);
        let status = diagnosis.status.as_ref();
        let members = status.and_then(|status| status.members.as_deref());
        self.waker.wake_nodes(|node| {
            let node_name = node.name_any();
            let report = reports.get(&ObjectRef::new(&node_name));
            let report = report.as_deref();
            report.is_some_and(|report| served_diagnoses(report).any(|served| served == name))
                || members.map_or_else(
                    || selected.contains(node, report),
                    |members| run::has_member(members, &node_name),
                )
        });
    }
}

impl DiagnosisMark {
    fn of(diagnosis: &NodeNetDiagnosis) -> Self {
        let metadata = &diagnosis.metadata;
        let run = Run::stored(diagnosis).map(|run| {
            let begun = (run.generation, run.start.is_some());
            (run.inputs, begun, run.completion.is_some())
        });
        let status = diagnosis.status.as_ref();
        let members = status.map(|status| (status.nodes_frozen, &status.members));
        let asked = (&metadata.uid, &diagnosis.spec, diagnosis.annotations());
        Self {
            own: mark(&(&asked, &run, metadata.deletion_timestamp.is_some())),
            of_nodes: mark(&(&asked, &run, members)),
        }
    }
}

/// A run that is over waits only for late results.
fn is_finished(diagnosis: &NodeNetDiagnosis) -> bool {
    Run::stored(diagnosis).is_some_and(|run| run.completion.is_some())
}

/// The cache holds of a node what passes read, and its version.
fn node_mark(node: &Node) -> u64 {
    let mut node = node.clone();
    node.meta_mut().resource_version = None;
    mark(&node)
}

/// A number that differs where a part differs. It is compared within one process only.
fn mark(parts: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Plain data always serialises; what did not would only wake nobody.
    serde_json::to_vec(parts)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
