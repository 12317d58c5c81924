//! The results of all nodes as one: counters summed, alike findings counted.

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::{
    diagnosis::{CommonFactor, FleetCounter, FleetFinding},
    harm::{Harm, Suffering},
    limits,
    report::{Finding, LedgerEntry, verdict},
    severity::Severity,
};

use super::{
    factors::{self, Splits},
    phrase::{self, Kind},
    reporter::{Reporter, severity},
    traits,
};

/// Counters of all nodes, those with something that hurts or is not known first.
pub fn ledger(reporters: &[Reporter<'_>]) -> Vec<FleetCounter> {
    let mut counters: BTreeMap<&str, FleetCounter> = BTreeMap::new();
    let mut owners: BTreeMap<&str, Owner<'_>> = BTreeMap::new();
    let all = reporters.iter().flat_map(|reporter| {
        let ledger = reporter.result.ledger.iter();
        ledger.map(|entry| (reporter.name, entry))
    });
    for (name, entry) in all {
        let counter = counters.entry(&entry.counter).or_default();
        Owner::add(&mut owners, &entry.counter, name);
        add(&mut counter.increase, entry.increase);
        add(&mut counter.unexplained, entry.unexplained);
        for booking in &entry.explained {
            let part = match booking.verdict.as_str() {
                verdict::BENIGN => &mut counter.benign,
                verdict::HARMFUL => &mut counter.harmful,
                _ => &mut counter.unknown,
            };
            add(part, booking.count);
        }
    }
    let mut counters: Vec<FleetCounter> = counters
        .into_iter()
        .map(|(name, counter)| FleetCounter {
            counter: name.to_owned(),
            ..counter
        })
        .collect();
    counters.sort_by_key(|counter| {
        let open = counter.unknown.saturating_add(counter.unexplained);
        std::cmp::Reverse((counter.harmful, open, counter.increase))
    });
    let owner = |counter: &FleetCounter| owners.get(counter.counter.as_str()).copied();
    bound(&mut counters, limits::FLEET_LEDGER, reporters.len(), owner);
    counters
}

/// The entries that only one node may have in a list of the fleet that is full.
const OWN_ENTRIES: usize = 8;

/// Whom an entry of a list of the fleet is about.
#[derive(Clone, Copy)]
enum Owner<'a> {
    /// One node only.
    One(&'a str),
    /// Several nodes.
    Several,
}

impl<'a> Owner<'a> {
    fn add<K: Ord>(owners: &mut BTreeMap<K, Self>, key: K, node: &'a str) {
        let owner = owners.entry(key).or_insert(Self::One(node));
        if matches!(owner, Self::One(other) if *other != node) {
            *owner = Self::Several;
        }
    }
}

/// Cuts a list of the fleet, worst first, to its limit. Of what only one node says a few entries stay, so that no node
/// fills the list with what it invents. Returns the number of entries that are left out.
fn bound<'a, T>(
    list: &mut Vec<T>,
    limit: usize,
    nodes: usize,
    owner: impl Fn(&T) -> Option<Owner<'a>>,
) -> usize {
    let all = list.len();
    if all > limit {
        let most = if nodes > 1 { OWN_ENTRIES } else { limit };
        let mut own: BTreeMap<&str, usize> = BTreeMap::new();
        list.retain(|entry| match owner(entry) {
            Some(Owner::One(node)) => {
                let entries = own.entry(node).or_default();
                *entries += 1;
                *entries <= most
            }
            Some(Owner::Several) | None => true,
        });
        list.truncate(limit);
    }
    all - list.len()
}

/// Counts come from nodes: a wrong one must not wrap or lower a sum.
fn add(sum: &mut i64, count: i64) {
    *sum = sum.saturating_add(count.max(0));
}

/// The likeness of two findings. Decisions are never counted with other findings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    severity: Severity,
    decision: bool,
    check: &'a str,
    cause: &'a str,
    protocol: Option<&'a str>,
}

impl<'a> From<&'a Finding> for Alike<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            severity: severity(finding),
            decision: finding.decision,
            check: &finding.check,
            cause: &finding.cause,
            protocol: finding.subject.protocol.as_deref(),
        }
    }
}

/// Alike findings of all nodes.
#[derive(Default)]
struct Group<'a> {
    /// Each node with the worst that its traffic suffers from them.
    nodes: BTreeMap<&'a str, Suffering>,
    events: i64,
    /// The packets that they harmed, and whether all say how many.
    packets: i64,
    is_more: bool,
    /// Of each counter, how much these findings explain.
    booked: BTreeMap<&'a str, i64>,
    /// The words of their agents for a cause that the list does not have.
    symptoms: BTreeSet<&'a str>,
}

impl<'a> Group<'a> {
    fn add(&mut self, node: &'a str, finding: &'a Finding, ledger: &'a [LedgerEntry]) {
        let worst = self.nodes.entry(node).or_default();
        *worst = finding.suffering().max(*worst);
        add(&mut self.events, finding.count);
        self.symptoms.extend(finding.symptom.as_deref());
        match finding.packets {
            Some(packets) => add(&mut self.packets, packets),
            None => self.is_more = true,
        }
        for (counter, count) in booked_to(ledger, &finding.id) {
            add(self.booked.entry(counter).or_default(), count);
        }
    }
}

/// Alike findings of all nodes, worst first, and how many kinds did not fit. Of equal severity, what somebody decided
/// comes last.
pub fn findings(reporters: &[Reporter<'_>], totals: &[FleetCounter]) -> (Vec<Rolled>, usize) {
    let mut groups: BTreeMap<Alike<'_>, Group<'_>> = BTreeMap::new();
    for reporter in reporters {
        for finding in &reporter.findings {
            let group = groups.entry((*finding).into()).or_default();
            group.add(reporter.name, finding, &reporter.result.ledger);
        }
    }
    let mut groups: Vec<(Alike<'_>, Group<'_>)> = groups.into_iter().collect();
    groups.sort_by(|(a, in_a), (b, in_b)| {
        let rank = |alike: &Alike<'_>, group: &Group<'_>| {
            // Of two that are equally bad, what explains a counter comes before what is only context.
            (
                alike.severity,
                !alike.decision,
                group.worst(),
                !group.booked.is_empty(),
                group.nodes.len(),
                group.events,
            )
        };
        rank(b, in_b).cmp(&rank(a, in_a)).then_with(|| a.cmp(b))
    });
    let left_out = bound(
        &mut groups,
        limits::FLEET_FINDINGS,
        reporters.len(),
        Group::owner,
    );
    let is_urgent = |(alike, _): &(Alike<'_>, Group<'_>)| alike.severity > Severity::Info;
    let splits = groups.iter().any(is_urgent).then(|| {
        let traits = reporters.iter().map(traits::of);
        Splits::of(traits)
    });
    let findings = groups
        .into_iter()
        .map(|(alike, group)| group.roll_up(alike, reporters, splits.as_ref(), totals))
        .collect();
    (findings, left_out)
}

fn booked_to<'a>(ledger: &'a [LedgerEntry], id: &str) -> impl Iterator<Item = (&'a str, i64)> {
    ledger.iter().flat_map(move |entry| {
        let bookings = entry.explained.iter();
        let own = bookings.filter(move |booking| booking.finding.as_deref() == Some(id));
        own.map(|booking| (entry.counter.as_str(), booking.count))
    })
}

/// A rolled-up finding.
pub struct Rolled {
    /// As it is stored.
    pub finding: FleetFinding,
    /// In a few words, for the column: `TapQueueDrop/ReceiveQueueFull: VM queue full on 12 nodes`; with the check only
    /// where the cause is the kernel's own name.
    pub headline: String,
}

impl<'a> Group<'a> {
    fn owner((_, group): &(Alike<'a>, Self)) -> Option<Owner<'a>> {
        let mut nodes = group.nodes.keys();
        match (nodes.next(), nodes.next()) {
            (Some(node), None) => Some(Owner::One(node)),
            _ => Some(Owner::Several),
        }
    }

    /// The worst on any node.
    fn worst(&self) -> Suffering {
        self.nodes.values().copied().max().unwrap_or_default()
    }

    /// The words of all agents, where these agree.
    fn symptom(&self) -> Option<&'a str> {
        let only = self.symptoms.first().copied();
        only.filter(|_| self.symptoms.len() == 1)
    }

    /// The nodes on which they do the worst, then the others.
    fn worst_first(&self) -> impl Iterator<Item = &'a str> {
        let worst = self.worst();
        let (first, rest): (Vec<_>, Vec<_>) =
            self.nodes.iter().partition(|(_, one)| **one == worst);
        first.into_iter().chain(rest).map(|(name, _)| *name)
    }

    fn roll_up(
        self,
        alike: Alike<'_>,
        reporters: &[Reporter<'_>],
        splits: Option<&Splits>,
        totals: &[FleetCounter],
    ) -> Rolled {
        /// Enough to look at some; `nodeFindings` has them all.
        const EXAMPLES: usize = 3;
        let splits = splits.filter(|_| alike.severity > Severity::Info);
        let common_factors = splits.map_or_else(Vec::new, |splits| {
            let affected = reporters.iter();
            let affected = affected.map(|reporter| self.nodes.contains_key(reporter.name));
            common_factors(splits, &affected.collect::<Vec<_>>())
        });
        let kind = Kind {
            check: alike.check,
            cause: alike.cause,
            symptom: self.symptom(),
            protocol: alike.protocol,
            suffering: self.worst(),
            harmed: self
                .nodes
                .values()
                .filter(|one| **one == self.worst())
                .count(),
            decision: alike.decision,
            severity: alike.severity,
        };
        let words = phrase::headline(&kind, self.nodes.len());
        let finding = FleetFinding {
            check: alike.check.to_owned(),
            cause: alike.cause.to_owned(),
            harm: Some(kind.suffering.harm.as_str().to_owned()),
            decision: alike.decision,
            severity: alike.severity.as_str().to_owned(),
            protocol: alike.protocol.map(str::to_owned),
            nodes: i32::try_from(self.nodes.len()).unwrap_or(i32::MAX),
            example_nodes: self
                .worst_first()
                .take(EXAMPLES)
                .map(str::to_owned)
                .collect(),
            summary: phrase::cut(&(words.clone() + &self.share(totals)), limits::LINE),
            common_factors,
        };
        Rolled {
            headline: format!("{}: {words}", phrase::title(alike.check, alike.cause)),
            finding,
        }
    }

    /// `: 2833 of the 3526 rx_dropped`; of what raises no counter the packets themselves.
    fn share(&self, totals: &[FleetCounter]) -> String {
        let most = self.booked.iter().max_by_key(|(_, count)| **count);
        match (most, self.packets) {
            (Some((counter, count)), _) => {
                let total = totals.iter().find(|total| total.counter == *counter);
                let increase = total.map_or(*count, |total| total.increase);
                format!(": {count} of the {increase} {counter}")
            }
            (None, 0) => String::new(),
            (None, _) if self.is_more => String::new(),
            (None, 1) => ": 1 packet".to_owned(),
            (None, packets) => format!(": {packets} packets"),
        }
    }
}

fn common_factors(splits: &Splits, affected: &[bool]) -> Vec<CommonFactor> {
    let found = factors::common_factors(splits, affected).into_iter();
    let found = found.map(|found| CommonFactor {
        factor: phrase::cut(&found.to_string(), limits::LINE),
        affected: found.affected.to_string(),
        unaffected: found.unaffected.to_string(),
    });
    found.collect()
}

/// The harm of a rolled-up finding. A controller before the field has written none: its agents' findings were loss
/// where they asked for an act.
pub fn harm(finding: &FleetFinding) -> Harm {
    match &finding.harm {
        Some(word) => Harm::from_status(word),
        None if Severity::from_status(&finding.severity) > Severity::Info => Harm::Loss,
        None => Harm::Unknown,
    }
}

#[cfg(test)]
mod tests;
