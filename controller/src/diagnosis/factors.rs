//! Properties that the affected nodes have in common and the others have not: the first thing a person would look for
//! by hand.
//!
//! Each trait (`kernel 6.1.0`, `node label pool=vm-small`) splits the nodes in two; Fisher's exact test says how likely
//! chance by itself puts so many affected nodes on its side. Many traits are tried, so the threshold is divided by
//! their number (Bonferroni), and a trait must also separate the nodes in practice, not only in statistics.

use std::collections::{BTreeMap, BTreeSet};

/// A property of a node: `kernel 6.1.0`, `node label pool=vm-small`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trait {
    /// The kind of property: `kernel`, `node label`, ..
    pub factor: &'static str,
    /// Its value on this node; of a label `key=value`.
    pub value: String,
}

impl std::fmt::Display for Trait {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.factor, self.value)
    }
}

/// One node and its properties.
#[derive(Clone, Debug)]
pub struct Member {
    /// True where the node has the finding in question.
    pub affected: bool,
    /// Its properties.
    pub traits: BTreeSet<Trait>,
}

/// Nodes of a group that have a trait, and the size of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Nodes with the trait.
    pub with: u32,
    /// All nodes of the group.
    pub of: u32,
}

impl Share {
    fn ratio(self) -> f64 {
        f64::from(self.with) / f64::from(self.of.max(1))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.with, self.of)
    }
}

/// A trait that the affected nodes share and the others lack.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonFactor {
    /// The trait.
    pub common: Trait,
    /// The affected nodes that have it.
    pub affected: Share,
    /// The others that have it.
    pub unaffected: Share,
    /// Probability that chance by itself separates them as well, before the correction for many traits.
    pub p_value: f64,
}

/// Below three affected nodes any shared trait is anecdote.
const MIN_AFFECTED: u32 = 3;
/// Chance of naming any factor at all where there is none.
const FAMILY_ERROR: f64 = 0.05;
/// A factor must be shared by most of the affected ..
const MIN_AFFECTED_RATIO: f64 = 0.75;
/// .. and be clearly rarer among the others.
const MIN_DIFFERENCE: f64 = 0.5;
/// A person reads a handful; more are variants of the same split.
const MAX_FACTORS: usize = 5;

/// The traits that separate affected from unaffected nodes, strongest first; empty where none does.
pub fn common_factors(members: &[Member]) -> Vec<CommonFactor> {
    let total = count(members.len());
    let affected_total = count(members.iter().filter(|member| member.affected).count());
    if affected_total < MIN_AFFECTED || affected_total == total {
        return Vec::new();
    }
    let splits = splits(members);
    // Traits that split the nodes alike are one question to chance, not several.
    let questions = splits.values().collect::<BTreeSet<_>>().len();
    let threshold = FAMILY_ERROR / f64::from(count(questions).max(1));
    let logs = LogFactorials::up_to(members.len());

    let mut factors: Vec<CommonFactor> = splits
        .into_iter()
        .filter_map(|(common, holders)| {
            let with = count(holders.len());
            let hits = count(
                holders
                    .iter()
                    .filter(|&&index| is_affected(members, index))
                    .count(),
            );
            let affected = Share {
                with: hits,
                of: affected_total,
            };
            let unaffected = Share {
                with: with - hits,
                of: total - affected_total,
            };
            let separates = affected.ratio() >= MIN_AFFECTED_RATIO
                && affected.ratio() - unaffected.ratio() >= MIN_DIFFERENCE;
            let p_value = logs.enrichment(total, with, affected_total, hits);
            (separates && p_value <= threshold).then(|| CommonFactor {
                common: common.clone(),
                affected,
                unaffected,
                p_value,
            })
        })
        .collect();
    factors.sort_by(|a, b| {
        a.p_value
            .total_cmp(&b.p_value)
            .then_with(|| a.common.cmp(&b.common))
    });
    factors.truncate(MAX_FACTORS);
    factors
}

/// Which nodes (by index) have each trait. Traits of one node or of all nodes separate nothing and are left out; that
/// choice looks only at the size of a trait, never at who is affected, so it does not bend the test.
fn splits(members: &[Member]) -> BTreeMap<&Trait, Vec<usize>> {
    let mut holders: BTreeMap<&Trait, Vec<usize>> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        for property in &member.traits {
            holders.entry(property).or_default().push(index);
        }
    }
    holders.retain(|_, nodes| nodes.len() > 1 && nodes.len() < members.len());
    holders
}

fn is_affected(members: &[Member], index: usize) -> bool {
    members.get(index).is_some_and(|member| member.affected)
}

fn count(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// ln(n!) for every n up to the number of nodes.
struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn up_to(most: usize) -> Self {
        let mut logs = vec![0.0];
        let mut sum = 0.0;
        for n in 1..=most {
            sum += f64::from(count(n)).ln();
            logs.push(sum);
        }
        Self(logs)
    }

    fn of(&self, n: u32) -> f64 {
        usize::try_from(n)
            .ok()
            .and_then(|n| self.0.get(n))
            .copied()
            .unwrap_or(f64::INFINITY)
    }

    fn choose(&self, n: u32, k: u32) -> f64 {
        self.of(n) - self.of(k) - self.of(n - k)
    }

    /// One-sided Fisher's exact test: the probability that at least `hits` of the `with` nodes that have a trait are
    /// among the `affected`, were affected nodes drawn by lot from all `total`.
    fn enrichment(&self, total: u32, with: u32, affected: u32, hits: u32) -> f64 {
        let all = self.choose(total, affected);
        let possible = hits..=with.min(affected);
        possible
            // A draw that needs more nodes without the trait than there are is impossible.
            .filter(|hits| affected - hits <= total - with)
            .map(|hits| {
                (self.choose(with, hits) + self.choose(total - with, affected - hits) - all).exp()
            })
            .sum::<f64>()
            .min(1.0)
    }
}

#[cfg(test)]
mod tests;
