//! Broadcast domains that interfaces share.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    domain::{Domain, Seen},
    fragments::{FragmentDrops, Place, Version},
};
use crate::{
    Window,
    evidence::{FrameCopy, NetnsId},
    uapi::ethertype::{ETH_P_ARP, ETH_P_IP, ETH_P_IPV6},
};

/// As many copies as prove a domain: a single one may be two frames that look alike.
const PROVING: u64 = 2;

/// The domains that two interfaces of a namespace share though none of them hands frames on to the other.
pub(super) fn shared<'a>(window: &'a Window<'_>, drops: &[FragmentDrops<'_>]) -> Vec<Domain<'a>> {
    let compared = window.frame_copies.value();
    let came_in = compared.map_or(Vec::new(), |seen| seen.copies.clone());
    let mut domains = joined(window, came_in, Seen::ComingIn);
    if compared.is_some_and(|seen| seen.compared > 0 && seen.unreadable == 0 && seen.lost == 0) {
        // All were compared, so these are all that came in twice.
        return domains;
    }
    // Headers outside the linear part cannot be compared when a frame comes in; a dropped fragment's can be read.
    for domain in joined(window, dropped_on_two(drops), Seen::Dropped) {
        let is_known = |known: &Domain<'_>| {
            known.namespace.id == domain.namespace.id
                && domain.links.iter().all(|link| known.has(link.ifindex))
        };
        if !domains.iter().any(is_known) {
            domains.push(domain);
        }
    }
    domains
}

/// Flows to a group of which fragments found their copy on one interface, while other parts were dropped on another.
fn dropped_on_two(drops: &[FragmentDrops<'_>]) -> Vec<FrameCopy> {
    let mut copies = Vec::new();
    let is_copy =
        |one: &&FragmentDrops<'_>| one.place == Place::Reassembly && one.version == Version::V4;
    for twice in drops.iter().filter(is_copy) {
        let elsewhere = drops.iter().filter(|other| {
            other.key.netns == twice.key.netns && other.key.ifindex != twice.key.ifindex
        });
        let (Some(netns), elsewhere) = (twice.key.netns, elsewhere.collect::<Vec<_>>()) else {
            continue;
        };
        for ends in twice.flows.iter().filter(|(_, group)| group.is_multicast()) {
            let other = elsewhere.iter().find(|other| other.flows.contains(ends));
            copies.extend(other.map(|other| {
                FrameCopy {
                    netns,
                    first: twice.key.ifindex,
                    second: other.key.ifindex,
                    ethertype: ETH_P_IP,
                    source: Some(ends.0),
                    destination: Some(ends.1),
                    fragments: true,
                    count: twice
                        .samples_of(ends)
                        .saturating_add(other.samples_of(ends)),
                    longest_gap_us: 0,
                }
            }));
        }
    }
    copies
}

fn joined<'a>(window: &'a Window<'_>, copies: Vec<FrameCopy>, seen: Seen) -> Vec<Domain<'a>> {
    let mut by_namespace: BTreeMap<NetnsId, Vec<FrameCopy>> = BTreeMap::new();
    for copy in copies {
        let (one, other) = ((copy.netns, copy.first), (copy.netns, copy.second));
        if is_telling(&copy) && copy.first != copy.second && !window.topology.are_joined(one, other)
        {
            by_namespace.entry(copy.netns).or_default().push(copy);
        }
    }
    let mut found = Vec::new();
    for (netns, mut left) in by_namespace {
        let Some(namespace) = window.namespace(netns) else {
            continue;
        };
        while let Some(first) = left.first() {
            let mut members = BTreeSet::from([first.first, first.second]);
            // Copies join pairs of interfaces; the pairs that meet are one domain.
            while left.iter().fold(false, |grew, copy| {
                let meets = members.contains(&copy.first) || members.contains(&copy.second);
                grew | (meets && (members.insert(copy.first) | members.insert(copy.second)))
            }) {}
            let (copies, others) = left
                .into_iter()
                .partition(|copy| members.contains(&copy.first));
            left = others;
            let links = members
                .iter()
                .filter_map(|index| window.topology.link(netns, *index));
            let domain = Domain {
                namespace,
                links: links.collect(),
                copies,
                seen,
            };
            let many = domain.copied() >= PROVING;
            if domain.links.len() > 1 && many {
                found.push(domain);
            }
        }
    }
    found
}

/// Frames that a switch or router sends alike into each of its networks prove nothing: link layer protocols, and what
/// is sent from or to addresses that are the same everywhere.
fn is_telling(copy: &FrameCopy) -> bool {
    if copy.fragments {
        return true;
    }
    match (copy.ethertype, copy.source, copy.destination) {
        (ETH_P_ARP, ..) => true,
        (ETH_P_IP, Some(IpAddr::V4(source)), Some(IpAddr::V4(destination))) => {
            let [a, b, c, _] = destination.octets();
            source != Ipv4Addr::UNSPECIFIED && [a, b, c] != [224, 0, 0]
        }
        (ETH_P_IPV6, Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => {
            source != Ipv6Addr::UNSPECIFIED
                && !source.is_unicast_link_local()
                && !is_link_local_group(destination)
        }
        _ => false,
    }
}

/// ff01::/16 and ff02::/16, with any flags.
fn is_link_local_group(address: Ipv6Addr) -> bool {
    address.is_multicast() && address.segments()[0] & 0xf <= 2
}
