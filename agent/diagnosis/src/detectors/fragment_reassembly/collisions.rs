//! Collisions of copied fragments in a domain, and the datagrams that are lost by them.

use std::collections::BTreeSet;

use super::{
    domain::Domain,
    fragments::{FragmentDrops, Place, Version},
};
use crate::{detectors::kit::Tally, evidence::Namespace};

/// A number that is known within bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) at_least: u64,
    pub(super) at_most: u64,
}

/// The collisions in one domain.
#[derive(Debug, Default)]
pub(super) struct Collisions<'a> {
    /// The drops of the domain's fragments.
    pub(super) drops: Vec<&'a FragmentDrops<'a>>,
    /// Fragments that found their copy in the queue.
    pub(super) duplicates: Range,
    /// Fragments of queues that were given up.
    pub(super) given_up: Range,
    /// Whole datagrams that arrived on an interface where nobody wants them.
    pub(super) wholes: Range,
    /// Single fragments that arrived on such an interface.
    pub(super) strays: Range,
    /// Packets that died where datagrams of the domain are lost, of which too few were seen to tell what they were.
    pub(super) unseen: u64,
}

impl Range {
    fn add(&mut self, more: Self) {
        self.at_least = self.at_least.saturating_add(more.at_least);
        self.at_most = self.at_most.saturating_add(more.at_most);
    }
}

impl<'a> Collisions<'a> {
    /// Adds up the drops of the domain's fragments.
    pub(super) fn of(domain: &Domain<'_>, drops: &'a [FragmentDrops<'a>]) -> Self {
        let mut collisions = Self::default();
        for one in drops {
            let matching = one.matching(domain);
            if one.may_be_of(domain) {
                collisions.unseen = collisions.unseen.saturating_add(one.key.count);
            }
            if matching == 0 {
                continue;
            }
            let count = |seen: u64| {
                let all = u64::try_from(one.sampled.len()).is_ok_and(|all| all == seen);
                Range {
                    at_least: if all { one.key.count } else { seen },
                    at_most: if seen == 0 { 0 } else { one.key.count },
                }
            };
            match one.place {
                Place::Reassembly => collisions.duplicates.add(count(matching)),
                Place::Expiry => collisions.given_up.add(count(matching)),
                Place::Routing => {
                    let wholes = one.wholes.min(matching);
                    collisions.wholes.add(count(wholes));
                    collisions.strays.add(count(matching - wholes));
                }
            }
            collisions.drops.push(one);
        }
        collisions
    }

    /// Copies met in a queue.
    pub(super) fn collides(&self) -> bool {
        self.duplicates.at_most > 0 || self.given_up.at_most > 0
    }

    /// Datagrams that nobody got.
    ///
    /// A whole datagram that dies is lost, unless its copy was put together too. Of N datagrams with two copies each, C
    /// are put together twice: ReasmOKs = N + C. The copies of the other N - C collide. So C = (ReasmOKs - (N - C)) /
    /// 2, and the rest of the whole datagrams that died had no copy that lived.
    ///
    /// Nobody misses a datagram of a group that no program joined.
    pub(super) fn lost(&self, domain: &Domain<'_>) -> Range {
        let namespace = domain.namespace;
        if domain.has_receiver() == Some(false) {
            return Range::default();
        }
        if !self.collides() || namespace.increase("Ip.ReasmOKs").is_none() {
            return Range {
                at_least: 0,
                at_most: self.wholes.at_most * u64::from(self.collides()),
            };
        }
        let completed = Version::V4.increase(namespace, "ReasmOKs");
        let twice = completed
            .saturating_sub(self.collided(namespace))
            .div_ceil(2);
        Range {
            at_least: self.wholes.at_least.saturating_sub(twice),
            at_most: self.wholes.at_most,
        }
    }

    /// At least as many datagrams were completed as copies met or reassembly failed: each collision left one copy whole.
    pub(super) fn left_a_copy(&self, namespace: &Namespace) -> bool {
        let failed = Version::V4.increase(namespace, "ReasmFails");
        let collided = self.collided(namespace).max(failed);
        let completed = namespace.increase("Ip.ReasmOKs");
        completed.is_some_and(|completed| completed > 0 && completed >= collided)
    }

    /// Datagrams whose copies met, at least: each fails once when something is left of its second copy, though much
    /// later, and has no more duplicates than fragments. A failure without a duplicate is no collision's.
    fn collided(&self, namespace: &Namespace) -> u64 {
        let failed = Version::V4.increase(namespace, "ReasmFails");
        let failed = failed.min(self.duplicates.at_most);
        let parts = self.parts_of_a_datagram();
        let by_duplicates = parts.map_or(0, |parts| self.duplicates.at_least.div_ceil(parts));
        failed.max(by_duplicates)
    }

    /// The most fragments that one of the sampled datagrams came in.
    fn parts_of_a_datagram(&self) -> Option<u64> {
        let longest = self.drops.iter().map(|one| one.longest_whole).max()?;
        let shortest = self
            .drops
            .iter()
            .filter_map(|one| one.shortest_part)
            .min()?;
        let parts = longest.checked_div(shortest)? + usize::from(longest % shortest > 0);
        u64::try_from(parts).ok().filter(|parts| *parts > 0)
    }

    /// Indices of the interfaces where nobody wants what arrives: no program has joined the group there.
    pub(super) fn unjoined(&self) -> BTreeSet<u32> {
        let unwanted = self.drops.iter();
        unwanted
            .filter(|one| one.place == Place::Routing)
            .map(|one| one.key.ifindex)
            .collect()
    }

    /// All drops of the domain's fragments.
    pub(super) fn tally(&self) -> Tally {
        let keys = self.drops.iter().map(|one| (one.drop, one.key));
        keys.collect()
    }
}
