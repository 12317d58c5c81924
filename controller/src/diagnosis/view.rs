//! The state of a run, as its conditions and columns need to know it.

use netdiag_crds::{report::Mode, severity::Severity};

use super::{
    asked::Asked,
    degraded::Gaps,
    loose::Loose,
    members::{Member, Roster},
    outcome::Outcome,
    progress::State,
    rollup::Rolled,
    standing::Standings,
};
use crate::run::Run;

/// The facts that the conditions and the columns are derived from.
pub struct View<'a> {
    /// The run.
    pub run: &'a Run,
    /// The names of its nodes.
    pub roster: &'a Roster,
    /// Its nodes.
    pub members: &'a [Member<'a>],
    /// The question.
    pub asked: &'a Asked<'a>,
    /// The nodes and checks that could not be looked at.
    pub gaps: Gaps<'a>,
    /// Findings over all nodes, worst first.
    pub findings: &'a [Rolled],
    /// The standings of the nodes that have reported.
    pub standings: Standings<'a>,
    /// The packets of which no finding speaks.
    pub loose: Loose<'a>,
    /// The subject of the first clause.
    pub outcome: Outcome<'a>,
    /// The worst severity found.
    pub worst: Option<Severity>,
    /// Members that have been given their part.
    pub placed: usize,
}

impl View<'_> {
    /// True where nothing more is to come.
    pub fn is_complete(&self) -> bool {
        self.run.completion.is_some()
    }

    /// True where the answer is there: a continuous diagnosis has one when it waits for no node's first window.
    pub fn is_answered(&self) -> bool {
        let waits = |member: &Member<'_>| member.progress.state == State::Pending;
        self.is_complete()
            || self.run.mode == Mode::Continuous
                && !self.is_suspended()
                && !self.members.iter().any(waits)
    }

    /// Nodes of the run, those that could not be remembered too.
    pub fn selected(&self) -> usize {
        self.members.len() + self.roster.omitted
    }

    /// True where windows are held back.
    pub fn is_suspended(&self) -> bool {
        self.run.suspended || self.run.start.is_none()
    }

    /// Nodes that have reported.
    pub fn reported(&self) -> usize {
        self.standings.reported
    }
}
