//! The results of all nodes as one: counters summed, alike findings counted.

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::{
    diagnosis::{CommonFactor, FleetCounter, FleetFinding},
    harm::Harm,
    limits,
    report::{Finding, LedgerEntry, verdict},
    severity::Severity,
};

use super::{
    factors::{self, Member},
    phrase,
    reporter::{Reporter, severity},
    traits,
};

/// Counters of all nodes, those with something that hurts or is not known first.
pub fn ledger(reporters: &[Reporter<'_>]) -> Vec<FleetCounter> {
    let mut counters: BTreeMap<&str, FleetCounter> = BTreeMap::new();
    for entry in reporters
        .iter()
        .flat_map(|reporter| &reporter.result.ledger)
    {
        let counter = counters.entry(&entry.counter).or_default();
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
    counters.truncate(limits::FLEET_LEDGER);
    counters
}

/// Counts come from nodes: a wrong one must not wrap or lower a sum.
fn add(sum: &mut i64, count: i64) {
    *sum = sum.saturating_add(count.max(0));
}

/// What makes two findings alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    severity: Severity,
    check: &'a str,
    cause: &'a str,
    protocol: Option<&'a str>,
}

impl<'a> From<&'a Finding> for Kind<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            severity: severity(finding),
            check: &finding.check,
            cause: &finding.cause,
            protocol: finding.subject.protocol.as_deref(),
        }
    }
}

/// Alike findings of all nodes.
#[derive(Default)]
struct Group<'a> {
    nodes: BTreeSet<&'a str>,
    harm: Harm,
    /// Some of them nobody decided.
    undecided: bool,
    events: i64,
    /// Of each counter, how much these findings explain.
    booked: BTreeMap<&'a str, i64>,
}

/// Alike findings of all nodes, worst first, and how many kinds did not fit.
pub fn findings(
    reporters: &[Reporter<'_>],
    least: Severity,
    totals: &[FleetCounter],
) -> (Vec<FleetFinding>, usize) {
    let mut groups: BTreeMap<Kind<'_>, Group<'_>> = BTreeMap::new();
    for reporter in reporters {
        let ledger = &reporter.result.ledger;
        for finding in reporter.findings(least) {
            let group = groups.entry(finding.into()).or_default();
            group.nodes.insert(reporter.name);
            group.harm = group.harm.max(finding.harm());
            group.undecided |= !finding.decision;
            add(&mut group.events, finding.count);
            for (counter, count) in booked_to(ledger, &finding.id) {
                add(group.booked.entry(counter).or_default(), count);
            }
        }
    }
    let mut groups: Vec<(Kind<'_>, Group<'_>)> = groups.into_iter().collect();
    groups.sort_by(|(a, in_a), (b, in_b)| {
        let rank = |kind: &Kind<'_>, group: &Group<'_>| {
            // Of two that are equally bad, what explains a counter comes before what is only context.
            (
                kind.severity,
                !group.booked.is_empty(),
                group.nodes.len(),
                group.events,
            )
        };
        rank(b, in_b).cmp(&rank(a, in_a)).then_with(|| a.cmp(b))
    });
    let left_out = groups.len().saturating_sub(limits::FLEET_FINDINGS);
    groups.truncate(limits::FLEET_FINDINGS);
    let findings = groups
        .into_iter()
        .map(|(kind, group)| group.into_finding(kind, reporters, totals))
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

impl Group<'_> {
    fn into_finding(
        self,
        kind: Kind<'_>,
        reporters: &[Reporter<'_>],
        totals: &[FleetCounter],
    ) -> FleetFinding {
        /// Enough to look at some; `nodeFindings` has them all.
        const EXAMPLES: usize = 3;
        let common_factors = if kind.severity > Severity::Info {
            self.common_factors(reporters)
        } else {
            Vec::new()
        };
        FleetFinding {
            check: kind.check.to_owned(),
            cause: kind.cause.to_owned(),
            harm: Some(self.harm.as_str().to_owned()),
            decision: !self.undecided,
            severity: kind.severity.as_str().to_owned(),
            protocol: kind.protocol.map(str::to_owned),
            nodes: i32::try_from(self.nodes.len()).unwrap_or(i32::MAX),
            example_nodes: self
                .nodes
                .iter()
                .take(EXAMPLES)
                .map(|name| (*name).to_owned())
                .collect(),
            summary: phrase::cut(&self.summary(kind, totals), limits::LINE),
            common_factors,
        }
    }

    fn summary(&self, kind: Kind<'_>, totals: &[FleetCounter]) -> String {
        let headline = phrase::headline(kind.check, kind.cause, kind.severity, kind.protocol);
        let verdict = phrase::verdict(kind.check, kind.cause, kind.severity);
        let most = self.booked.iter().max_by_key(|(_, count)| **count);
        let share = most.map_or_else(String::new, |(counter, count)| {
            let total = totals.iter().find(|total| total.counter == *counter);
            let increase = total.map_or(*count, |total| total.increase);
            format!(": {count} of the {increase} {counter}")
        });
        format!(
            "{headline} on {}{verdict}{share}",
            phrase::nodes(self.nodes.len())
        )
    }

    fn common_factors(&self, reporters: &[Reporter<'_>]) -> Vec<CommonFactor> {
        let members: Vec<Member> = reporters
            .iter()
            .map(|reporter| Member {
                affected: self.nodes.contains(reporter.name),
                traits: traits::of(reporter),
            })
            .collect();
        factors::common_factors(&members)
            .into_iter()
            .map(|found| CommonFactor {
                factor: phrase::cut(&found.common.to_string(), limits::LINE),
                affected: found.affected.to_string(),
                unaffected: found.unaffected.to_string(),
            })
            .collect()
    }
}

/// The worst finding in a few words, for the column.
pub fn headline(finding: &FleetFinding) -> String {
    let severity = Severity::from_status(&finding.severity);
    let text = phrase::headline(
        &finding.check,
        &finding.cause,
        severity,
        finding.protocol.as_deref(),
    );
    let nodes = phrase::nodes(usize::try_from(finding.nodes).unwrap_or_default());
    match severity {
        Severity::Info => {
            let verdict = phrase::verdict(&finding.check, &finding.cause, severity);
            format!("{text} on {nodes}{verdict}")
        }
        Severity::Warning | Severity::Critical => format!("{}: {text} on {nodes}", finding.check),
    }
}

#[cfg(test)]
mod tests;
