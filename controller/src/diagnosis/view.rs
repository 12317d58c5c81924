//! How a run stands, as its conditions and columns need to know it.

use netdiag_crds::{
    diagnosis::{FleetCounter, FleetFinding},
    report::Mode,
    severity::Severity,
};

use super::{
    degraded::{self, Gaps},
    members::{Member, Roster},
    progress::State,
    reporter::Reporter,
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
    /// The least severity that is asked for.
    pub least: Severity,
    /// What could not be looked at.
    pub gaps: Gaps<'a>,
    /// Counters over all nodes, worst first.
    pub ledger: &'a [FleetCounter],
    /// Findings over all nodes, worst first.
    pub findings: &'a [FleetFinding],
    /// Nodes that have reported.
    pub reporters: &'a [Reporter<'a>],
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

    /// Nodes with a finding of Warning or worse.
    pub fn affected(&self) -> usize {
        let worst = |reporter: &&Reporter<'_>| reporter.worst(self.least) > Some(Severity::Info);
        self.reporters.iter().filter(worst).count()
    }

    /// The worst severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.reporters
            .iter()
            .filter_map(|reporter| reporter.worst(self.least))
            .max()
    }

    /// No node was looked at in full: nothing found is then no sign of health.
    pub fn could_not_look(&self) -> bool {
        !self.reporters.is_empty()
            && self
                .reporters
                .iter()
                .all(|reporter| degraded::is_blind(reporter.result))
    }
}
