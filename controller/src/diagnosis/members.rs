//! The nodes that take part in a run.

use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport, limits, report::Mode};

use super::{
    World,
    left_out::LeftOut,
    progress::{self, Progress, State, Waited},
};
use crate::{
    run::{self, Run, moment::Moment, selection::Selected},
    stored_report,
};

/// KiB of JSON that the remembered names may take: those of 5,000 nodes with 49 characters each, more than cloud
/// providers give them.
pub const MOST_KIBIBYTES: usize = 256;

/// Names of the nodes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// In order.
    pub names: Vec<String>,
    /// Selected nodes whose names did not fit.
    pub omitted: usize,
    /// Nodes that `nodes.all` does not select.
    pub left_out: LeftOut,
}

impl Roster {
    /// The nodes of `run`. With `once` those that were selected when it began: they are remembered in the status, and
    /// leave only when their Node is deleted.
    pub fn of(
        diagnosis: &NodeNetDiagnosis,
        run: &Run,
        selected: &Selected<'_>,
        world: &World,
    ) -> Self {
        let known = diagnosis.status.as_ref().filter(|status| {
            run.mode == Mode::Once && status.run_inputs.as_ref() == Some(&run.inputs)
        });
        if let Some(status) = known
            && let Some(names) = &status.members
        {
            let omitted = status.omitted.as_ref().map_or(0, |omitted| omitted.members);
            return Self {
                names: names.clone(),
                omitted: usize::try_from(omitted).unwrap_or_default(),
                left_out: LeftOut::stored(status),
            }
            .without_deleted(world);
        }
        // A release that remembered no names has given every node of a frozen run its part.
        let is_frozen = known.is_some_and(|status| status.nodes_frozen);
        let chosen = world.nodes().filter(|(_, node, report)| {
            report.is_some_and(|report| has_place(report, run))
                || !is_frozen && selected.contains(node, *report)
        });
        let names = chosen.map(|(name, ..)| name.to_owned()).collect();
        let left_out = LeftOut::of(selected, world);
        match run.mode {
            Mode::Once => Self::fitted(names, left_out),
            Mode::Continuous => Self {
                names,
                omitted: 0,
                left_out,
            },
        }
    }

    fn fitted(mut names: Vec<String>, left_out: LeftOut) -> Self {
        let mut bytes = 0;
        let all = names.len();
        let fitting = names
            .iter()
            .take(limits::MEMBERS)
            .take_while(|name| {
                // Two quotes and a comma.
                bytes += name.len() + 3;
                bytes <= MOST_KIBIBYTES * 1024
            })
            .count();
        names.truncate(fitting);
        Self {
            names,
            omitted: all - fitting,
            left_out,
        }
    }

    /// The last names stay: they tell a run whose nodes were all deleted from one that selected none.
    fn without_deleted(self, world: &World) -> Self {
        let there = self.names.iter().filter(|name| world.has_node(name));
        let there: Vec<String> = there.cloned().collect();
        Self {
            names: if there.is_empty() { self.names } else { there },
            omitted: self.omitted,
            left_out: self.left_out,
        }
    }

    fn contains(&self, name: &str) -> bool {
        run::has_member(&self.names, name)
    }
}

/// A node that takes part in a run.
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// The node.
    pub node: &'a Node,
    /// Its report.
    pub report: Option<&'a NodeNetReport>,
    /// Its progress.
    pub progress: Progress<'a>,
    /// It has been given its part, or refused.
    pub has_place: bool,
}

impl Member<'_> {
    /// The controller has still to give it its part.
    pub fn waits_for_part(&self) -> bool {
        self.progress.waits_for_part
    }
}

/// The nodes of a run that exist, by name.
pub fn members<'a>(
    run: &Run,
    roster: &Roster,
    world: &'a World,
    moment: &Moment,
) -> Vec<Member<'a>> {
    world
        .nodes()
        .filter(|(name, ..)| roster.contains(name))
        .map(|(name, node, node_report)| Member {
            name,
            node,
            report: node_report,
            progress: match run.start {
                Some(_) => progress::of(
                    run,
                    node,
                    node_report,
                    &Waited {
                        silence: world.silence(name),
                        unassigned: moment.unassigned_for(name),
                    },
                ),
                None => Progress::settled(State::Pending),
            },
            has_place: node_report.is_some_and(|node_report| has_place(node_report, run)),
        })
        .collect()
}

fn has_place(node_report: &NodeNetReport, run: &Run) -> bool {
    stored_report::assignment(node_report, run).is_some()
        || stored_report::is_refused(node_report, run)
}
