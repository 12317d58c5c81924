//! The parts of the ledger that no listed finding speaks of.

use std::collections::BTreeMap;

use netdiag_crds::report::verdict;

use super::{asked::Asked, reporter::Reporter};

/// Packets of one counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packets<'a> {
    /// The counter in the kernel's spelling.
    pub counter: &'a str,
    /// The number.
    pub count: i64,
}

/// Loose ends of the ledger over all nodes: of each kind the counter with most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose<'a> {
    /// Nothing explains them, or only an unknown verdict that no finding bears.
    pub unexplained: Option<Packets<'a>>,
    /// They were lost, and the finding that explains them is not among those asked for.
    pub lost: Option<Packets<'a>>,
}

impl<'a> Loose<'a> {
    /// The loose ends of these nodes.
    pub fn of(reporters: &[Reporter<'a>], asked: &Asked<'_>) -> Self {
        let mut unexplained: BTreeMap<&str, i64> = BTreeMap::new();
        let mut lost: BTreeMap<&str, i64> = BTreeMap::new();
        for reporter in reporters {
            let is_listed = |id: &Option<String>| {
                let mut findings = reporter.findings.iter();
                findings.any(|finding| Some(&finding.id) == id.as_ref())
            };
            for entry in &reporter.result.ledger {
                add(&mut unexplained, &entry.counter, entry.unexplained);
                for booking in &entry.explained {
                    match booking.verdict.as_str() {
                        verdict::BENIGN => {}
                        verdict::HARMFUL if booking.finding.is_none() => {
                            add(&mut lost, &entry.counter, booking.count);
                        }
                        verdict::HARMFUL => {}
                        _ if is_listed(&booking.finding) => {}
                        _ => add(&mut unexplained, &entry.counter, booking.count),
                    }
                }
            }
        }
        Self {
            unexplained: most(unexplained),
            // Where everything is asked for, a full report books to no finding what it has summed.
            lost: most(lost).filter(|_| asked.is_narrow()),
        }
    }
}

/// Counts come from nodes: a wrong one must not wrap or lower a sum.
fn add<'a>(sums: &mut BTreeMap<&'a str, i64>, counter: &'a str, count: i64) {
    let sum = sums.entry(counter).or_default();
    *sum = sum.saturating_add(count.max(0));
}

fn most(sums: BTreeMap<&str, i64>) -> Option<Packets<'_>> {
    let most = sums.into_iter().max_by_key(|(_, count)| *count)?;
    let (counter, count) = most;
    (count > 0).then_some(Packets { counter, count })
}
