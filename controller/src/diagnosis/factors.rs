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

/// The nodes, by index, that have each trait.
#[derive(Clone, Debug, Default)]
pub struct Splits {
    holders: BTreeMap<Trait, Vec<usize>>,
    nodes: usize,
}

impl Splits {
    /// The splits of nodes with these traits. Traits of one node or of all nodes separate nothing and are left out; that
    /// choice looks only at the size of a trait, never at who is affected, so it does not bend the test.
    pub fn of(nodes: impl IntoIterator<Item = BTreeSet<Trait>>) -> Self {
        let mut splits = Self::default();
        for traits in nodes {
            for property in traits {
                splits
                    .holders
                    .entry(property)
                    .or_default()
                    .push(splits.nodes);
            }
            splits.nodes += 1;
        }
        let nodes = splits.nodes;
        splits
            .holders
            .retain(|_, holders| holders.len() > 1 && holders.len() < nodes);
        splits
    }
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
    /// Other traits of exactly the same nodes.
    pub same_nodes: Vec<Trait>,
    /// A stronger factor from which these nodes do not tell this one: among the nodes that have that one, and among those
    /// that have not, this one makes no difference.
    pub goes_with: Option<Trait>,
}

impl std::fmt::Display for CommonFactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// The rest is counted.
        const SHOWN: usize = 2;
        write!(formatter, "{}", self.common)?;
        let shown = self.same_nodes.iter().take(SHOWN).map(Trait::to_string);
        let shown: Vec<String> = shown.collect();
        if !shown.is_empty() {
            write!(formatter, " (the same nodes: {}", shown.join(", "))?;
            match self.same_nodes.len() - shown.len() {
                0 => write!(formatter, ")")?,
                more => write!(formatter, " and {more} more)")?,
            }
        }
        match &self.goes_with {
            Some(stronger) => write!(formatter, ", goes with {stronger}"),
            None => Ok(()),
        }
    }
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

/// The traits that separate affected from unaffected nodes, strongest first; empty where none does. `affected` says of
/// each node whether it has the finding in question.
pub fn common_factors(splits: &Splits, affected: &[bool]) -> Vec<CommonFactor> {
    let total = count(affected.len());
    let affected_total = count(affected.iter().filter(|affected| **affected).count());
    if affected_total < MIN_AFFECTED || affected_total == total {
        return Vec::new();
    }
    // Traits that split the nodes alike are one question to chance, not several.
    let mut questions: BTreeMap<&[usize], Vec<&Trait>> = BTreeMap::new();
    for (property, holders) in &splits.holders {
        questions.entry(holders).or_default().push(property);
    }
    let threshold = FAMILY_ERROR / f64::from(count(questions.len()).max(1));
    let logs = LogFactorials::up_to(affected.len());

    let mut factors: Vec<(CommonFactor, &[usize])> = questions
        .into_iter()
        .filter_map(|(holders, mut traits)| {
            let with = count(holders.len());
            let hits = count(
                holders
                    .iter()
                    .filter(|index| has(affected, **index))
                    .count(),
            );
            let share = Share {
                with: hits,
                of: affected_total,
            };
            let unaffected = Share {
                with: with - hits,
                of: total - affected_total,
            };
            let separates = share.ratio() >= MIN_AFFECTED_RATIO
                && share.ratio() - unaffected.ratio() >= MIN_DIFFERENCE;
            if !separates {
                return None;
            }
            let p_value = logs.enrichment(total, with, affected_total, hits);
            traits.sort_by_key(|property| rank(property));
            let mut traits = traits.into_iter().cloned();
            let factor = CommonFactor {
                common: traits.next()?,
                affected: share,
                unaffected,
                p_value,
                same_nodes: traits.collect(),
                goes_with: None,
            };
            (p_value <= threshold).then_some((factor, holders))
        })
        .collect();
    factors.sort_by(|(a, _), (b, _)| {
        a.p_value
            .total_cmp(&b.p_value)
            .then_with(|| rank(&a.common).cmp(&rank(&b.common)))
            .then_with(|| a.common.cmp(&b.common))
    });
    factors.truncate(MAX_FACTORS);
    let mut told: Vec<(CommonFactor, &[usize])> = Vec::new();
    for (mut factor, holders) in factors {
        let mut independent = told.iter().filter(|(other, _)| other.goes_with.is_none());
        let stronger = independent.find(|(_, strong)| !adds(&logs, holders, strong, affected));
        factor.goes_with = stronger.map(|(stronger, _)| stronger.common.clone());
        told.push((factor, holders));
    }
    told.into_iter().map(|(factor, _)| factor).collect()
}

/// Of traits of the same nodes the one that comes first is named: a kernel can be a cause, a label only tells of one.
fn rank(property: &Trait) -> u8 {
    match property.factor {
        "kernel" => 0,
        "node label" => 3,
        "OS image" | "architecture" => 2,
        _ => 1,
    }
}

/// True where a trait makes a difference among the nodes that have a stronger one, or among those that have not.
fn adds(logs: &LogFactorials, holders: &[usize], strong: &[usize], affected: &[bool]) -> bool {
    let holds = |nodes: &[usize], index: &usize| nodes.binary_search(index).is_ok();
    [true, false].into_iter().any(|of_strong| {
        let group = (0..affected.len()).filter(|index| holds(strong, index) == of_strong);
        let group: Vec<usize> = group.collect();
        let with: Vec<usize> = group
            .iter()
            .copied()
            .filter(|index| holds(holders, index))
            .collect();
        let number =
            |nodes: &[usize]| count(nodes.iter().filter(|index| has(affected, **index)).count());
        let (all, hits) = (number(&group), number(&with));
        all > 0 && logs.enrichment(count(group.len()), count(with.len()), all, hits) <= FAMILY_ERROR
    })
}

fn has(affected: &[bool], index: usize) -> bool {
    affected.get(index).copied().unwrap_or_default()
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
