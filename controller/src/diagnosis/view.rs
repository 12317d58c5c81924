//! How a run stands, as its conditions and columns need to know it.

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

/// What the conditions and the columns are derived from.
pub struct View<'a> {
    /// The run.
    pub run: &'a Run,
    /// The names of its nodes.
    pub roster: &'a Roster,
    /// Its nodes.
    pub members: &'a [Member<'a>],
    /// The question.
    pub asked: &'a Asked<'a>,
    /// What could not be looked at.
    pub gaps: Gaps<'a>,
    /// Findings over all nodes, worst first.
    pub findings: &'a [Rolled],
    /// How the nodes that have reported stand.
    pub standings: Standings<'a>,
    /// The packets of which no finding speaks.
    pub loose: Loose<'a>,
    /// What is said first.
    pub outcome: Outcome<'a>,
    /// The worst severity found.
    pub worst: Option<Severity>,
    /// Members that have been given their part.
    pub placed: usize,
}

impl View<'_> {
    /// Whether nothing more is to come.
    pub fn is_complete(&self) -> bool {
        self.run.completion.is_some()
    }

    /// Whether what is there is the answer: a continuous diagnosis has one when it waits for no node's first window.
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

    /// Whether windows are held back.
    pub fn is_suspended(&self) -> bool {
        self.run.suspended || self.run.start.is_none()
    }

    /// Nodes that have reported.
    pub fn reported(&self) -> usize {
        self.standings.reported
    }
}
