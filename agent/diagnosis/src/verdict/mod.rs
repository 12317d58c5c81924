//! The answer that a window gives: does it hurt, and is that known at all. Types only; the sentences are the reader's.
//!
//! The order is that of harm. What asks for an act comes first, then what kept the diagnosis from looking, then harm
//! that is too small to act on or nobody's, then what is not known. Decisions are never the answer, they stand beside
//! it. The ledger proves no loss: what a row holds beyond the findings is told as not explained.

mod blind;
mod counters;
mod problems;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use crate::settings::Unmatched;
pub use blind::Blind;
pub use counters::Beside;
pub use problems::Problem;

use crate::{
    Diagnosis, EvidenceWindow,
    finding::{self, Decision, Finding, Harm, Severity, Unchecked},
    ledger::LedgerEntry,
};

/// The answer of one window.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<'a> {
    /// Findings of Warning or worse, the worst harm first.
    Affected(Vec<Problem<'a>>),
    /// The diagnosis could not look.
    Withheld(Blind<'a>),
    /// Wanted packets were lost or late, too few to act on.
    Slight(Vec<&'a Finding>),
    /// Packets for destinations that are nobody's whom this node serves, or that had gone away.
    Unserved(Vec<&'a Finding>),
    /// Drops of which wanted and unwanted ones cannot be told apart; empty when only the ledger has something open.
    Open(Vec<&'a Finding>),
    /// Nothing is lost, but it works harder than it must.
    Costly(Vec<&'a Finding>),
    /// Nothing was found that anybody misses.
    Clear,
}

/// The parts that stand beside the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// The packets that rules, policies and closed ports refused.
    pub decisions: Decisions,
    /// The counters that rose.
    pub counters: usize,
    /// The packets that no finding explains, summed over counters; a packet may be in two of them.
    pub unexplained: Unexplained,
    /// Packets of findings that were not asked for.
    pub not_asked: u64,
    /// Some check could not look at all that happened within the window.
    pub is_in_part: bool,
}

/// Packets that were refused as somebody meant it, by who did.
pub type Decisions = BTreeMap<Decision, u64>;

/// Increases of counters that nothing explains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unexplained {
    /// Packets.
    pub packets: u64,
    /// The counters that have some.
    pub counters: usize,
}

impl<'a> Verdict<'a> {
    /// The answer of a diagnosis and of the window that it is made from.
    pub fn of(diagnosis: &'a Diagnosis, window: &'a EvidenceWindow) -> Self {
        let problems = Problem::all_of(&diagnosis.findings);
        if !problems.is_empty() {
            return Self::Affected(problems);
        }
        if let Some(blind) = Blind::of(diagnosis, window) {
            return Self::Withheld(blind);
        }
        let undecided = || {
            let findings = diagnosis.findings.iter();
            findings.filter(|finding| !finding.assessment.is_decision())
        };
        let with = |wanted: &dyn Fn(&Finding) -> bool| -> Vec<&'a Finding> {
            undecided().filter(|finding| wanted(finding)).collect()
        };
        let is_harmed = |finding: &Finding| finding.assessment.harm >= Harm::Delay;
        let is_unserved = |finding: &Finding| finding.assessment.is_towards_nobody;
        let of_harm = |harm| with(&move |finding| finding.assessment.harm == harm);
        let answers = [
            Self::Slight(with(&|one| is_harmed(one) && !is_unserved(one))),
            Self::Unserved(with(&|one| is_harmed(one) && is_unserved(one))),
            Self::Open(of_harm(Harm::Unknown)),
        ];
        if let Some(answer) = answers.into_iter().find(|one| !one.findings().is_empty()) {
            return answer;
        }
        if Aside::of(diagnosis).unexplained.packets > 0 {
            return Self::Open(Vec::new());
        }
        match of_harm(Harm::Cost) {
            costly if !costly.is_empty() => Self::Costly(costly),
            _ => Self::Clear,
        }
    }

    /// The findings that it is about, the first one first.
    pub fn findings(&self) -> Vec<&'a Finding> {
        match self {
            Self::Affected(problems) => problems.iter().map(|problem| problem.finding).collect(),
            Self::Slight(findings)
            | Self::Unserved(findings)
            | Self::Open(findings)
            | Self::Costly(findings) => findings.clone(),
            Self::Withheld(_) | Self::Clear => Vec::new(),
        }
    }

    /// The worst severity that it has.
    pub fn severity(&self) -> Severity {
        let findings = self.findings().into_iter();
        let worst = findings.map(Finding::severity).max();
        worst.unwrap_or(Severity::Info)
    }
}

impl Aside {
    /// Collects the parts that stand beside the answer of a diagnosis.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        Self {
            decisions: decisions(&diagnosis.findings),
            counters: diagnosis.ledger.len(),
            unexplained: Unexplained::of(&diagnosis.ledger),
            not_asked: sum(diagnosis
                .ledger
                .iter()
                .map(|entry| unreported(entry, finding::Verdict::Harmful))),
            is_in_part: diagnosis.unchecked.iter().any(Unchecked::is_blind),
        }
    }
}

fn decisions(findings: &[Finding]) -> Decisions {
    let of = |by: Decision| {
        let all = findings.iter().map(|finding| &finding.assessment);
        let decided = all.filter(|assessment| assessment.decision == Some(by));
        let packets = sum(decided.filter_map(|assessment| assessment.packets));
        (packets > 0).then_some((by, packets))
    };
    Decision::ALL.into_iter().filter_map(of).collect()
}

impl Unexplained {
    fn of(ledger: &[LedgerEntry]) -> Self {
        let open = |entry: &LedgerEntry| {
            let unplaced = unreported(entry, finding::Verdict::Unknown);
            entry.unexplained.saturating_add(unplaced)
        };
        let open: Vec<u64> = ledger.iter().map(open).filter(|open| *open > 0).collect();
        Self {
            packets: sum(open.iter().copied()),
            counters: open.len(),
        }
    }
}

/// Packets of a counter with this verdict whose finding is not reported.
fn unreported(entry: &LedgerEntry, verdict: finding::Verdict) -> u64 {
    let bookings = entry.explained.iter();
    let bookings =
        bookings.filter(|booking| booking.verdict == verdict && booking.finding.is_none());
    sum(bookings.map(|booking| booking.count))
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}
