//! Datagrams that stayed incomplete though nothing came twice: some of their fragments never came.

use std::collections::BTreeSet;

use super::{
    collisions::Collisions,
    domain::Ends,
    fragments::{FragmentDrops, Place, Version},
};
use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{Link, Namespace},
    finding::{Assessment, Confidence},
};

/// Incomplete datagrams of one namespace and IP version.
pub(super) struct Incomplete<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) version: Version,
    /// The interface that the fragments came in on, where it is only one.
    pub(super) link: Option<&'a Link>,
    /// Datagrams given up because fragments were missing.
    pub(super) datagrams: u64,
    /// Fragments of them that had come.
    pub(super) fragments: u64,
    /// Fragments that came twice, on one interface.
    pub(super) duplicates: u64,
    /// Sender and receiver of the sampled fragments.
    pub(super) flows: BTreeSet<Ends>,
    /// The fragments that were given up, of which the datagrams count.
    pub(super) tally: Tally,
    pub(super) confidence: Confidence,
}

/// Fragments of IPv6 came, and the window is too short to see that their datagrams stay incomplete.
pub(super) fn may_be_open(window: &Window<'_>) -> bool {
    let came = |namespace: &Namespace| Version::V6.increase(namespace, "ReasmReqds") > 0;
    window.duration_ms < Version::V6.timeout_ms() && window.namespaces.iter().any(came)
}

/// The namespaces and IP versions that gave up datagrams because fragments were missing.
pub(super) fn incomplete<'a>(
    window: &'a Window<'_>,
    drops: &[FragmentDrops<'_>],
    known: &[Collisions<'_>],
) -> Vec<Incomplete<'a>> {
    let namespaces = window.namespaces.iter();
    let each = namespaces
        .flat_map(|namespace| [Version::V4, Version::V6].map(|version| (namespace, version)));
    each.filter_map(|(namespace, version)| Incomplete::of(window, namespace, version, drops, known))
        .collect()
}

impl<'a> Incomplete<'a> {
    /// Loss out of the datagrams of that IP version that were completed.
    pub(super) fn assessment(&self) -> Assessment {
        let completed = self.namespace.increase(&self.version.counter("ReasmOKs"));
        Assessment::loss(self.datagrams, completed)
    }

    /// `None` when nothing failed there, or only what copies explain.
    fn of(
        window: &'a Window<'_>,
        namespace: &'a Namespace,
        version: Version,
        drops: &[FragmentDrops<'_>],
        known: &[Collisions<'_>],
    ) -> Option<Self> {
        let failed = version.increase(namespace, "ReasmFails");
        if failed == 0 {
            return None;
        }
        let collides = |one: &FragmentDrops<'_>| {
            let mut of_domains = known.iter().flat_map(|collisions| &collisions.drops);
            of_domains.any(|other| other.drop == one.drop)
        };
        let here = drops.iter().filter(|one| {
            // Of which no packet was seen, nothing tells whether copies met.
            let is_seen = !one.sampled.is_empty();
            is_seen && one.version == version && is_in(window, namespace, one) && !collides(one)
        });
        let (given_up, others): (Vec<_>, Vec<_>) = here.partition(|one| one.place == Place::Expiry);
        let fragments = count(given_up.iter().copied());
        let arriving = others.iter().filter(|one| one.place == Place::Reassembly);
        // Without memory for a fragment the kernel counts a failure at once and no time-out; older kernels name
        // neither.
        let timed_out = version.increase(namespace, "ReasmTimeout");
        let refused = failed.saturating_sub(timed_out);
        let duplicates = count(arriving.copied()).saturating_sub(refused);
        let datagrams = timed_out.min(fragments);
        // A copy of a last fragment opens a queue again that cannot complete; nothing is lost by it. Such a queue holds
        // only that fragment, and while some copies are last fragments others are not and find themselves in a queue.
        let has_parts = fragments > datagrams || given_up.iter().any(|one| one.not_last > 0);
        let is_by_copies = duplicates > 0 && datagrams <= duplicates.saturating_mul(2) + 2;
        if datagrams == 0 || !has_parts || is_by_copies {
            return None;
        }
        let entered_on: BTreeSet<u32> = given_up
            .iter()
            .flat_map(|one| one.entered_on.iter().copied())
            .collect();
        let link = match entered_on.iter().copied().collect::<Vec<_>>()[..] {
            [only] => window.topology.link(namespace.id, only),
            _ => None,
        };
        let keys = given_up.iter().map(|one| (one.drop, one.key));
        let sampled = given_up.iter().flat_map(|one| one.sampled.iter().copied());
        Some(Self {
            namespace,
            version,
            link,
            datagrams,
            fragments,
            duplicates,
            flows: sampled.collect(),
            tally: Tally::from_iter(keys).with_count(datagrams),
            confidence: if duplicates == 0 {
                Confidence::Certain
            } else {
                Confidence::Likely
            },
        })
    }
}

/// These packets were this namespace's. Fragments that leave a queue have no device any more: then the
/// interface that they came in on must be there, and the namespace be the receiver or the only one where reassembly
/// failed.
fn is_in(window: &Window<'_>, namespace: &Namespace, one: &FragmentDrops<'_>) -> bool {
    if let Some(netns) = one.key.netns {
        return netns == namespace.id;
    }
    if one.place != Place::Expiry {
        return false;
    }
    let mut entered_on = one.entered_on.iter();
    if !entered_on.all(|ifindex| window.topology.link(namespace.id, *ifindex).is_some()) {
        return false;
    }
    let owns = |address| {
        let mut addresses = namespace.addresses.iter();
        addresses.any(|own| own.address == address)
    };
    let fails = |other: &&Namespace| one.version.increase(other, "ReasmFails") > 0;
    let mut receivers = one.sampled.iter().map(|(_, receiver)| *receiver);
    receivers.all(owns) || window.namespaces.iter().filter(fails).count() == 1
}

fn count<'a>(drops: impl Iterator<Item = &'a FragmentDrops<'a>>) -> u64 {
    drops.fold(0, |sum, one| sum.saturating_add(one.key.count))
}
