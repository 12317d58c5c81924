//! What copies of fragments cost: the collisions in a domain, and how many datagrams are lost by them.

use std::collections::BTreeSet;

use super::{
    domains::Domain,
    remains::{Place, Remains, Version},
};
use crate::evidence::Namespace;

/// A number that is known within bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) at_least: u64,
    pub(super) at_most: u64,
}

/// The collisions in one domain.
#[derive(Debug, Default)]
pub(super) struct Toll<'a> {
    /// What is left of the domain's fragments among the drops.
    pub(super) remains: Vec<&'a Remains<'a>>,
    /// Fragments that found their copy in the queue.
    pub(super) duplicates: Range,
    /// Fragments of queues that were given up.
    pub(super) given_up: Range,
    /// Whole datagrams that arrived on an interface where nobody wants them.
    pub(super) wholes: Range,
    /// Single fragments that arrived on such an interface.
    pub(super) strays: Range,
}

impl Range {
    fn add(&mut self, more: Self) {
        self.at_least = self.at_least.saturating_add(more.at_least);
        self.at_most = self.at_most.saturating_add(more.at_most);
    }

    /// `20 datagrams`, `at least 3 datagrams`, `up to 20 datagrams`.
    pub(super) fn of(self, what: &str) -> String {
        let count = |number| {
            let end = if number == 1 { "" } else { "s" };
            format!("{number} {what}{end}")
        };
        match (self.at_least, self.at_most) {
            (least, most) if least == most => count(most),
            (0, most) => format!("up to {}", count(most)),
            (least, _) => format!("at least {}", count(least)),
        }
    }
}

impl<'a> Toll<'a> {
    /// Adds up what is left of the domain's fragments.
    pub(super) fn of(domain: &Domain<'_>, remains: &'a [Remains<'a>]) -> Self {
        let mut toll = Self::default();
        for remains in remains {
            let matching = remains.matching(domain);
            if matching == 0 {
                continue;
            }
            let count = |seen: u64| {
                let all = u64::try_from(remains.sampled.len()).is_ok_and(|all| all == seen);
                Range {
                    at_least: if all { remains.key.count } else { seen },
                    at_most: if seen == 0 { 0 } else { remains.key.count },
                }
            };
            match remains.place {
                Place::Reassembly => toll.duplicates.add(count(matching)),
                Place::Expiry => toll.given_up.add(count(matching)),
                Place::Routing => {
                    let wholes = remains.wholes.min(matching);
                    toll.wholes.add(count(wholes));
                    toll.strays.add(count(matching - wholes));
                }
            }
            toll.remains.push(remains);
        }
        toll
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
    /// Where no program joined the group nobody misses it, whatever dies of it.
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
        let longest = self
            .remains
            .iter()
            .map(|remains| remains.longest_whole)
            .max()?;
        let shortest = self
            .remains
            .iter()
            .filter_map(|remains| remains.shortest_part)
            .min()?;
        let parts = longest.checked_div(shortest)? + usize::from(longest % shortest > 0);
        u64::try_from(parts).ok().filter(|parts| *parts > 0)
    }

    /// Indices of the interfaces where nobody wants what arrives: no program has joined the group there.
    pub(super) fn strangers(&self) -> BTreeSet<u32> {
        let unwanted = self.remains.iter();
        unwanted
            .filter(|remains| remains.place == Place::Routing)
            .map(|remains| remains.key.ifindex)
            .collect()
    }

    /// First and last, milliseconds since the window began.
    pub(super) fn times(&self) -> (u64, u64) {
        let first = self.remains.iter().map(|remains| remains.key.first_ms);
        let last = self.remains.iter().map(|remains| remains.key.last_ms);
        (first.min().unwrap_or(0), last.max().unwrap_or(0))
    }
}
