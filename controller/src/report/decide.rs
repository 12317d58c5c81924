//! The work of a node: from all diagnoses and its present report to the complete list of its assignments. Pure.

use std::{borrow::Borrow, cmp::Reverse};

use k8s_openapi::{api::core::v1::Node, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt;
use netdiag_crds::{
    NodeNetDiagnosis, NodeNetReport, NodeNetReportSpec, limits,
    report::{Assignment, Mode, Refusal, state},
};

use super::labels::{self, Labels};
use crate::{
    coverage::Coverage,
    run::{self, Run, moment::Moment, selection::Selected},
    stored_report::{assignment, is_refused, result},
};

/// The part of a report that is the controller's.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The node's work.
    pub spec: NodeNetReportSpec,
    /// The worst of what its agent found.
    pub labels: Labels,
}

/// The part that the node's report should have; `None` when it has it already.
///
/// What a node has been given stays while its run goes on: a diagnosis that comes later is refused when there is no
/// room. It takes the place of a finished run, of the one that ended first.
pub fn decide(
    node: &Node,
    report: Option<&NodeNetReport>,
    diagnoses: &[impl Borrow<NodeNetDiagnosis>],
    coverage: &Coverage,
    moment: impl Fn(&NodeNetDiagnosis) -> Moment,
) -> Option<Wanted> {
    let spec = spec(node, report, diagnoses, coverage, moment);
    let labels = report.map(labels::wanted).unwrap_or_default();
    let unchanged = match report {
        Some(report) => report.spec == spec && labels::are_set(report, &labels),
        // A node that nothing is asked of needs a report too: its agent watches it and says there that it is ready.
        None => false,
    };
    (!unchanged).then_some(Wanted { spec, labels })
}

fn spec(
    node: &Node,
    report: Option<&NodeNetReport>,
    diagnoses: &[impl Borrow<NodeNetDiagnosis>],
    coverage: &Coverage,
    moment: impl Fn(&NodeNetDiagnosis) -> Moment,
) -> NodeNetReportSpec {
    let mut wishes: Vec<Wish> = diagnoses
        .iter()
        .filter_map(|diagnosis| Wish::of(diagnosis.borrow(), (node, report), coverage, &moment))
        .collect();
    // Those who have a place first, then by age; the uid makes the order the same in every pass. Finished runs come last,
    // the latest of them first.
    wishes.sort_by_key(|wish| {
        let ended = wish.ended.map(Reverse);
        let uid = wish.assignment.uid.clone();
        (ended.is_some(), ended, !wish.has_place, wish.since, uid)
    });

    let mut spec = NodeNetReportSpec::default();
    for wish in wishes {
        let refused_for_good = wish.was_refused && wish.assignment.mode == Mode::Once;
        if spec.assignments.len() < limits::ASSIGNMENTS && !refused_for_good {
            spec.assignments.push(wish.assignment);
        } else if wish.ended.is_some() && !wish.was_refused {
            // Its roll-up stands in its own status.
        } else if spec.refused.len() < limits::REFUSED {
            let Assignment {
                name,
                uid,
                run_generation,
                ..
            } = wish.assignment;
            spec.refused.push(Refusal {
                name,
                uid,
                run_generation,
            });
        }
    }
    spec.assignments.sort_by(|a, b| a.name.cmp(&b.name));
    spec.refused.sort_by(|a, b| a.name.cmp(&b.name));
    spec
}

/// The part that one diagnosis wants of the node.
struct Wish {
    assignment: Assignment,
    /// The node works on this diagnosis already.
    has_place: bool,
    /// This very run was refused before.
    was_refused: bool,
    /// The start of the run.
    since: Option<Timestamp>,
    /// Its end; of several windows there is none.
    ended: Option<Timestamp>,
}

impl Wish {
    fn of(
        diagnosis: &NodeNetDiagnosis,
        (node, report): (&Node, Option<&NodeNetReport>),
        coverage: &Coverage,
        moment: &impl Fn(&NodeNetDiagnosis) -> Moment,
    ) -> Option<Self> {
        let uid = diagnosis.metadata.uid.as_deref()?;
        let held = report.and_then(|report| {
            report
                .spec
                .assignments
                .iter()
                .find(|assignment| assignment.uid == uid)
        });
        let Some(run) = Run::stored(diagnosis) else {
            // Its reconciler has not yet said what is to be run: the node keeps what it has, and only its suspension
            // takes effect.
            let mut assignment = held?.clone();
            assignment.suspend = diagnosis.spec.suspend;
            return Some(Self {
                assignment,
                has_place: true,
                was_refused: false,
                since: None,
                ended: None,
            });
        };
        let current = report.and_then(|report| assignment(report, &run));
        let was_refused = report.is_some_and(|report| is_refused(report, &run));
        let has_part = current.is_some() || was_refused;
        let is_selected = || Selected::of(&diagnosis.spec.nodes, coverage).contains(node, report);
        if !takes_part(&run, diagnosis, node, has_part, is_selected) {
            return None;
        }
        let (assigned_time, assigned_after_seconds, spread_seconds) = match current {
            Some(current) if !is_resumed(current, diagnosis, report, &run) => (
                current.assigned_time.clone(),
                current.assigned_after_seconds,
                current.spread_seconds,
            ),
            _ => {
                let moment = moment(diagnosis);
                (Time(moment.now), moment.elapsed, spread(diagnosis))
            }
        };
        let spec = &diagnosis.spec;
        let assignment = Assignment {
            name: diagnosis.name_any(),
            uid: uid.to_owned(),
            run_generation: run.generation,
            assigned_time,
            assigned_after_seconds,
            checks: spec.checks.clone().unwrap_or_default(),
            interfaces: spec.interfaces.clone(),
            pods: spec.pods,
            min_severity: spec.min_severity,
            mode: run.mode,
            window_seconds: run.window_seconds,
            spread_seconds,
            // Of a run that is over nothing is resumed, and nothing left to suspend.
            suspend: match current {
                Some(current) if run.completion.is_some() => current.suspend,
                _ => spec.suspend,
            },
        };
        Some(Self {
            assignment,
            has_place: held.is_some(),
            was_refused,
            since: run.start,
            ended: run.completion,
        })
    }
}

/// Nodes that may write their results in one second.
const RESULTS_A_SECOND: i32 = 200;

/// Seconds over which the nodes of a run are to spread their results.
fn spread(diagnosis: &NodeNetDiagnosis) -> i32 {
    let counts = diagnosis.status.as_ref();
    let counts = counts.and_then(|status| status.nodes.as_ref());
    let nodes = counts.map_or(0, |counts| counts.selected);
    (nodes / RESULTS_A_SECOND).clamp(0, limits::SPREAD_SECONDS)
}

/// True where a node takes part in a run: with `once` those that the status remembers, of which one that has lost its
/// part gets it again until the run is complete.
fn takes_part(
    run: &Run,
    diagnosis: &NodeNetDiagnosis,
    node: &Node,
    has_part: bool,
    is_selected: impl Fn() -> bool,
) -> bool {
    if run.mode == Mode::Continuous {
        return is_selected();
    }
    let members = diagnosis
        .status
        .as_ref()
        .and_then(|status| status.members.as_deref());
    match members {
        Some(members) => {
            let is_member = run::has_member(members, &node.name_any());
            is_member && (has_part || run.completion.is_none())
        }
        // A release that remembered no names began the run, or the CRD has no field for them: until every node has its
        // part, those take part that are selected.
        None => has_part || is_open(run, diagnosis) && is_selected(),
    }
}

/// Tells if nodes can still join a run whose names are not remembered.
fn is_open(run: &Run, diagnosis: &NodeNetDiagnosis) -> bool {
    let is_frozen = diagnosis
        .status
        .as_ref()
        .is_some_and(|status| status.nodes_frozen);
    run.start.is_some() && run.completion.is_none() && !is_frozen
}

/// True where windows that were held back are to run now, so that their deadlines count anew.
fn is_resumed(
    current: &Assignment,
    diagnosis: &NodeNetDiagnosis,
    report: Option<&NodeNetReport>,
    run: &Run,
) -> bool {
    let has_result = report
        .and_then(|report| result(report, run))
        .is_some_and(|result| {
            run.mode == Mode::Once
                && [state::FINISHED, state::FAILED].contains(&result.state.as_str())
        });
    current.suspend && !diagnosis.spec.suspend && !has_result && run.completion.is_none()
}

#[cfg(test)]
mod tests;
