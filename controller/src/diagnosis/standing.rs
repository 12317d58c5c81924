//! The standing of nodes: what their findings do to the traffic, counted by node. `outcome` judges it, `sentences`
//! words it.

use std::collections::BTreeMap;

use netdiag_crds::{
    harm::{Harm, Suffering},
    report::Finding,
    severity::Severity,
};

use super::reporter::{Reporter, severity};

/// The worst that a node's findings do, decisions aside. The order is from health to harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No finding.
    Clean,
    /// Findings by which nobody misses a packet.
    Harmless,
    /// More CPU or less throughput than must be.
    Costly,
    /// No loss was found, and the node could not look in full.
    Unseen,
    /// Drops of which nothing tells wanted from unwanted, or findings that nobody has judged.
    Unknown,
    /// Delay, loss or an outage that asks for no act.
    Minor(Harm),
    /// A finding of Warning or worse that does this.
    Affected(Suffering),
}

impl Standing {
    /// The standing of a node.
    pub fn of(reporter: &Reporter<'_>) -> Self {
        let worst = reporter.findings.iter().copied().filter_map(undecided);
        let worst = worst.max().unwrap_or(Self::Clean);
        if reporter.blind.is_some() {
            worst.max(Self::Unseen)
        } else {
            worst
        }
    }
}

/// The standing that one finding gives its node; a decision gives none.
fn undecided(finding: &Finding) -> Option<Standing> {
    if finding.decision {
        return None;
    }
    let harm = finding.harm();
    if severity(finding) > Severity::Info {
        return Some(Standing::Affected(finding.suffering()));
    }
    Some(match harm {
        Harm::None => Standing::Harmless,
        Harm::Cost => Standing::Costly,
        Harm::Unknown => Standing::Unknown,
        Harm::Delay | Harm::Loss | Harm::Outage => Standing::Minor(harm),
    })
}

/// Nodes, and packets that their findings count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The number of nodes.
    pub nodes: usize,
    /// The packets that were counted.
    pub packets: i64,
    /// Some findings do not say how many packets they are about.
    pub is_more: bool,
}

impl Share {
    fn add<'a>(&mut self, findings: impl Iterator<Item = &'a Finding>) {
        self.nodes += 1;
        for finding in findings {
            match finding.packets {
                Some(packets) => self.packets = self.packets.saturating_add(packets.max(0)),
                None => self.is_more = true,
            }
        }
    }
}

/// The standings of the nodes that reported.
#[derive(Debug, Default)]
pub struct Standings<'a> {
    nodes: BTreeMap<Standing, Share>,
    /// The nodes with something that somebody decided.
    pub decisions: Share,
    /// The first node that could not look in full, and why.
    pub first_blind: Option<(&'a str, &'a str)>,
    /// The nodes that could not look in full.
    pub blind: usize,
    /// All that reported.
    pub reported: usize,
}

impl<'a> Standings<'a> {
    /// The standings of these nodes.
    pub fn of(reporters: &[Reporter<'a>]) -> Self {
        let mut standings = Self {
            reported: reporters.len(),
            ..Self::default()
        };
        for reporter in reporters {
            let standing = Standing::of(reporter);
            let findings = reporter.findings.iter().copied();
            let own = findings.filter(|finding| undecided(finding) == Some(standing));
            standings.nodes.entry(standing).or_default().add(own);
            let mut decided = reporter.findings.iter().filter(|found| found.decision);
            if decided.clone().next().is_some() {
                standings.decisions.add(decided.by_ref().copied());
            }
            if let Some(why) = reporter.blind {
                standings.blind += 1;
                standings.first_blind.get_or_insert((reporter.name, why));
            }
        }
        standings
    }

    /// The worst of all nodes.
    pub fn worst(&self) -> Standing {
        let last = self.nodes.last_key_value();
        last.map_or(Standing::Clean, |(standing, _)| *standing)
    }

    /// The nodes that stand like this.
    pub fn share(&self, standing: Standing) -> Share {
        self.nodes.get(&standing).copied().unwrap_or_default()
    }

    /// Each standing that occurs with its nodes, the worst first.
    pub fn worst_first(&self) -> impl Iterator<Item = (Standing, Share)> {
        let all = self.nodes.iter().rev();
        all.map(|(standing, share)| (*standing, *share))
    }

    /// Nodes with a finding of Warning or worse.
    pub fn affected(&self) -> usize {
        let affected = self.worst_first();
        let affected = affected.filter(|(standing, _)| matches!(standing, Standing::Affected(_)));
        affected.map(|(_, share)| share.nodes).sum()
    }

    /// No node could look in full: nothing found is then no sign of health.
    pub fn is_all_blind(&self) -> bool {
        self.reported > 0 && self.blind == self.reported
    }
}
