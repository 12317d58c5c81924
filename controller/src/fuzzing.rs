//! The door through which the crate `fuzz/` reaches the decisions.

use std::collections::HashMap;

use k8s_openapi::{
    api::core::v1::{Node, NodeCondition, NodeStatus},
    jiff::Timestamp,
};
use kube::api::ObjectMeta;
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport, report::Assignment};

use crate::{
    coverage::Coverage,
    diagnosis::{
        World,
        decide::{self, Action},
    },
    report,
    run::{moment::Moments, time::RunningTime},
};

/// Passes of both controllers. After three of them a run may be complete.
const PASSES: i64 = 4;

/// Follows a diagnosis over nodes with these reports, whose results are taken for its own, and gives what the nodes were
/// assigned.
pub fn run(mut diagnosis: NodeNetDiagnosis, mut reports: Vec<NodeNetReport>) -> Vec<Assignment> {
    let moments = Moments::new(RunningTime::start());
    let nodes: Vec<Node> = (0..reports.len()).map(node).collect();
    for (node, report) in nodes.iter().zip(&mut reports) {
        report.metadata.name.clone_from(&node.metadata.name);
    }
    for pass in 0..PASSES {
        let now = Timestamp::from_second(1_772_420_650 + pass).unwrap_or_default();
        let world = World::new(nodes.clone(), reports.clone(), HashMap::new());
        let moment = moments.at(&diagnosis, now, pass);
        let plan = decide::decide(&diagnosis, &world, &moment);
        match plan.action {
            Action::WriteStatus(status) | Action::WriteNumbers(status) => {
                diagnosis.status = Some(*status);
            }
            Action::Nothing => {}
            Action::Delete => break,
        }
        for (node, report) in nodes.iter().zip(&mut reports) {
            let moment = |diagnosis: &NodeNetDiagnosis| moments.at(diagnosis, now, pass);
            let diagnoses = [&diagnosis];
            let coverage = Coverage::default();
            if let Some(wanted) =
                report::decide::decide(node, Some(report), &diagnoses, &coverage, moment)
            {
                report.spec = wanted.spec;
            }
            answer(report);
        }
    }
    let specs = reports.into_iter().map(|report| report.spec.assignments);
    specs.flatten().collect()
}

/// As an agent would: its results belong to what it was assigned.
fn answer(report: &mut NodeNetReport) {
    let Some(assignment) = report.spec.assignments.first() else {
        return;
    };
    let results = report
        .status
        .iter_mut()
        .flat_map(|status| &mut status.results);
    for result in results {
        result.diagnosis_uid = Some(assignment.uid.clone());
        result.run_generation = assignment.run_generation;
    }
}

fn node(number: usize) -> Node {
    let ready = NodeCondition {
        type_: "Ready".into(),
        status: "True".into(),
        ..NodeCondition::default()
    };
    Node {
        metadata: ObjectMeta {
            name: Some(format!("n{number}")),
            uid: Some(format!("uid-{number}")),
            labels: Some([("a".to_owned(), "b".to_owned())].into()),
            ..ObjectMeta::default()
        },
        status: Some(NodeStatus {
            conditions: Some(vec![ready]),
            ..NodeStatus::default()
        }),
        ..Node::default()
    }
}
