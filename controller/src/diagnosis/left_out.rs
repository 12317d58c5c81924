//! The nodes that `nodes.all` leaves out of a run, because no agent can be there.

use netdiag_crds::{NodeNetDiagnosisStatus, diagnosis::Coverage, limits};

use super::{World, phrase};
use crate::run::selection::Selected;

/// The nodes that a run leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their number.
    pub count: i32,
    /// Some of them, and what could not be read.
    pub coverage: Coverage,
}

impl LeftOut {
    /// Those of a selection now.
    pub fn of(selected: &Selected<'_>, world: &World) -> Self {
        let Selected::All(coverage) = selected else {
            return Self::default();
        };
        let nodes = world.nodes();
        let left_out = nodes.filter(|(_, node, report)| !coverage.has(node, *report));
        let names: Vec<&str> = left_out.map(|(name, ..)| name).collect();
        let examples = names.iter().take(limits::EXAMPLE_NODES);
        let unread = coverage.unread.as_deref();
        Self {
            count: i32::try_from(names.len()).unwrap_or(i32::MAX),
            coverage: Coverage {
                not_covered: examples.map(|name| (*name).to_owned()).collect(),
                unread: unread.map(|why| phrase::cut(why, limits::LINE)),
            },
        }
    }

    /// Those that the status of a run remembers.
    pub fn stored(status: &NodeNetDiagnosisStatus) -> Self {
        Self {
            count: status.nodes.as_ref().map_or(0, |nodes| nodes.not_covered),
            coverage: status.coverage.clone().unwrap_or_default(),
        }
    }

    /// The clause about them, for a condition.
    pub fn clause(&self) -> Option<String> {
        let Coverage {
            not_covered,
            unread,
        } = &self.coverage;
        let mut clauses = Vec::new();
        if self.count > 0 {
            let on = usize::try_from(self.count).unwrap_or_default();
            let names: Vec<&str> = not_covered.iter().map(String::as_str).collect();
            let named = phrase::names_of(&names, on);
            clauses.push(format!(
                "{} not selected, because no agent can be there ({named})",
                phrase::nodes(on)
            ));
        }
        if let Some(why) = unread {
            clauses.push(format!("every Linux node was selected, because {why}"));
        }
        (!clauses.is_empty()).then(|| clauses.join("; "))
    }
}
