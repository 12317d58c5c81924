//! The drops of fragments, and of datagrams that were put together from them.

use std::collections::BTreeSet;

use super::domain::{Domain, Ends};
use crate::{
    Window,
    detectors::kit::unclaimed,
    evidence::{DropCount, Namespace, PacketSample},
    finding::Outcome,
    kernel::{Reason, site},
    packets::ip::IpPacket,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// A place where fragments, and what was made of them, are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On their way into a queue: another copy is there already (`DUP_FRAG` since 6.4), or there is no memory.
    Reassembly,
    /// On their way to a receiver: nobody joined the group on this interface.
    Routing,
    /// In a queue that was given up.
    Expiry,
}

/// An IP version, each with its own reassembly and its own counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V4,
    V6,
}

/// A drop key with fragments, or with datagrams that were put together.
#[derive(Debug)]
pub(super) struct FragmentDrops<'a> {
    /// Index into the window's drops.
    pub(super) drop: usize,
    pub(super) key: &'a DropCount,
    pub(super) place: Place,
    pub(super) version: Version,
    /// Sampled packets with the addresses of each.
    pub(super) sampled: Vec<Ends>,
    /// The ends of those that are fragments, or whole datagrams put together from fragments.
    pub(super) flows: BTreeSet<Ends>,
    /// Sampled packets that were whole datagrams, put together from fragments.
    pub(super) wholes: u64,
    /// Payload of the longest of them, bytes.
    pub(super) longest_whole: usize,
    /// Sampled fragments behind which others follow.
    pub(super) not_last: u64,
    /// Payload of the shortest of them, bytes.
    pub(super) shortest_part: Option<usize>,
    /// Interfaces that the sampled packets came in on.
    pub(super) entered_on: BTreeSet<u32>,
    /// Too few packets were sampled to tell what they were.
    pub(super) is_unseen: bool,
}

impl Version {
    /// `Ip.ReasmFails`, `Ip6.ReasmFails`, ..
    pub(super) fn counter(self, name: &str) -> String {
        match self {
            Self::V4 => format!("Ip.{name}"),
            Self::V6 => format!("Ip6.{name}"),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The sysctl after which an incomplete datagram is given up.
    pub(super) fn timeout(self) -> &'static str {
        match self {
            Self::V4 => "net.ipv4.ipfrag_time",
            Self::V6 => "net.ipv6.ip6frag_time",
        }
    }

    /// Its default, milliseconds (IP_FRAG_TIME, IPV6_FRAG_TIMEOUT).
    pub(super) const fn timeout_ms(self) -> u64 {
        match self {
            Self::V4 => 30_000,
            Self::V6 => 60_000,
        }
    }

    /// The increase of such a counter; 0 where it was not read.
    pub(super) fn increase(self, namespace: &Namespace, name: &str) -> u64 {
        namespace.increase(&self.counter(name)).unwrap_or(0)
    }
}

impl Place {
    fn of(key: &DropCount) -> Option<Self> {
        let unnamed = key.reason.is_unnamed();
        if key.location.is_of_any(site::REASSEMBLY) {
            (unnamed || key.reason == Reason::DUP_FRAG).then_some(Self::Reassembly)
        } else if key.location.is_of_any(site::REASSEMBLY_EXPIRY) {
            (unnamed || key.reason == Reason::FRAG_REASM_TIMEOUT).then_some(Self::Expiry)
        } else {
            let is_routing = key.location.is_of(&site::IP_RCV_FINISH_CORE);
            is_routing.then_some(Self::Routing)
        }
    }
}

/// The drops of fragments, and of whole datagrams made of them, that no other check has explained.
pub(super) fn of_fragments<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<FragmentDrops<'a>> {
    let Some(drops) = window.drops.value() else {
        return Vec::new();
    };
    // A whole datagram keeps the identification of its fragments.
    let seen: BTreeSet<(Ends, u16)> = drops
        .samples
        .iter()
        .filter_map(IpPacket::of_sample)
        .filter(|packet| packet.fragment.is_some())
        .filter_map(|packet| Some((ends(&packet), packet.identification?)))
        .collect();
    unclaimed(window, so_far)
        .filter_map(|(drop, key)| {
            let mut found = FragmentDrops {
                drop,
                key,
                place: Place::of(key)?,
                version: match key.ethertype {
                    ETH_P_IP => Version::V4,
                    ETH_P_IPV6 => Version::V6,
                    _ => return None,
                },
                sampled: Vec::new(),
                flows: BTreeSet::new(),
                wholes: 0,
                longest_whole: 0,
                not_last: 0,
                shortest_part: None,
                entered_on: BTreeSet::new(),
                is_unseen: window.lacks_samples(drop),
            };
            let mut fragments = 0_u64;
            for sample in window.samples_of(drop) {
                let Some(packet) = IpPacket::of_sample(sample) else {
                    continue;
                };
                found.sampled.push(ends(&packet));
                found.entered_on.insert(sample.skb_iif);
                let payload = packet.transport_length;
                match packet.fragment {
                    Some(fragment) => {
                        fragments += 1;
                        found.flows.insert(ends(&packet));
                        if fragment.more {
                            found.not_last += 1;
                            let known = found.shortest_part.into_iter().chain(payload);
                            found.shortest_part = known.min();
                        }
                    }
                    None => {
                        let known = |id| seen.contains(&(ends(&packet), id));
                        let is_whole = is_longer_than_a_frame(window, key, sample)
                            || packet.identification.is_some_and(known);
                        if is_whole {
                            found.wholes += 1;
                            found.flows.insert(ends(&packet));
                            let longest = payload.unwrap_or(0).max(found.longest_whole);
                            found.longest_whole = longest;
                        }
                    }
                }
            }
            // What is given up in a queue is fragments, and what is refused may have been, whether a packet was seen or not.
            let is_of_fragments = fragments + found.wholes > 0
                || found.is_unseen && (found.place != Place::Reassembly || fragments > 0);
            is_of_fragments.then_some(found)
        })
        .collect()
}

fn ends(packet: &IpPacket<'_>) -> Ends {
    (packet.source, packet.destination)
}

/// A packet longer than its interface takes in one frame was put together here.
fn is_longer_than_a_frame(window: &Window<'_>, key: &DropCount, sample: &PacketSample) -> bool {
    let header = u32::from(sample.network_offset.unwrap_or(0));
    key.netns
        .and_then(|netns| window.topology.link(netns, key.ifindex))
        .is_some_and(|link| link.mtu > 0 && sample.length.saturating_sub(header) > link.mtu)
}

impl FragmentDrops<'_> {
    /// The number of sampled packets with these ends.
    pub(super) fn samples_of(&self, ends: &Ends) -> u64 {
        let same = self.sampled.iter().filter(|sampled| *sampled == ends);
        u64::try_from(same.count()).unwrap_or(u64::MAX)
    }

    /// The number of sampled packets of the domain's fragmented flows.
    pub(super) fn matching(&self, domain: &Domain<'_>) -> u64 {
        // Only fragments that leave a queue have no device any more; other packets without one are another node's.
        let is_there = match (self.key.netns, self.place) {
            (Some(netns), _) => netns == domain.namespace.id && domain.has(self.key.ifindex),
            (None, Place::Expiry) => self.entered_on.iter().all(|ifindex| domain.has(*ifindex)),
            (None, Place::Reassembly | Place::Routing) => false,
        };
        if !is_there {
            return 0;
        }
        let of_domain = self.sampled.iter().filter(|ends| domain.fragments(ends));
        u64::try_from(of_domain.count()).unwrap_or(u64::MAX)
    }

    /// Nobody could tell what they were, and they died where datagrams of the domain are lost: on their way to a receiver,
    /// or in a queue that was given up.
    pub(super) fn may_be_of(&self, domain: &Domain<'_>) -> bool {
        let is_there = match (self.place, self.key.netns) {
            (Place::Reassembly, _) | (Place::Routing, None) => false,
            (Place::Expiry, None) => true,
            (Place::Routing | Place::Expiry, Some(netns)) => {
                netns == domain.namespace.id && domain.has(self.key.ifindex)
            }
        };
        self.is_unseen && is_there
    }

    /// Every sampled packet is of the domain's fragmented flows.
    pub(super) fn is_all_of(&self, domain: &Domain<'_>) -> bool {
        u64::try_from(self.sampled.len()).is_ok_and(|all| all == self.matching(domain))
    }
}
