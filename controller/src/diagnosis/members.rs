//! The nodes that take part in a run.

use k8s_openapi::{api::core::v1::Node, jiff::Timestamp};
use netdiag_crds::{NodeNetReport, report::Mode};

use super::{
    World,
    progress::{self, Progress, State},
    run::Run,
    selection::Selected,
};
use crate::report;

/// A node that takes part in a run.
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// The node.
    pub node: &'a Node,
    /// Its report.
    pub report: Option<&'a NodeNetReport>,
    /// How far it is.
    pub progress: Progress<'a>,
    /// It has been given its part, or refused.
    pub has_place: bool,
}

/// The nodes of a run, by name. With `once` those that were given a part, and until all have theirs those that were
/// selected when it started; a node that is deleted is none any more.
pub fn members<'a>(
    run: &Run,
    selected: &Selected,
    world: &'a World,
    now: Timestamp,
) -> Vec<Member<'a>> {
    world
        .nodes()
        .filter_map(|(name, node, node_report)| {
            let has_place = node_report.is_some_and(|node_report| {
                report::assignment(node_report, run).is_some()
                    || report::is_refused(node_report, run)
            });
            let takes_part = match run.mode {
                Mode::Continuous => selected.contains(node),
                Mode::Once => {
                    let may_join = !run.frozen && selected.contains(node);
                    has_place
                        || may_join
                            && run
                                .start
                                .is_none_or(|_| report::decide::was_there(node, run))
                }
            };
            let progress = || match run.start {
                Some(start) => progress::of(run, start, node, node_report, now),
                None => Progress {
                    state: State::Pending,
                    until: None,
                },
            };
            takes_part.then(|| Member {
                name,
                node,
                report: node_report,
                progress: progress(),
                has_place,
            })
        })
        .collect()
}
