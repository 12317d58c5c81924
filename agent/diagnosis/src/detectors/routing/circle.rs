//! Packets that go in a circle until their hop limit runs out: the node sends them back to where they came from.
//!
//! traceroute, and a program that sends with a small hop limit, end packets at the same place. In a circle each packet
//! comes by the device again and again, and the route to its destination leads out of that device.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    fault::{Circle, Fault, Kind, Version},
    no_way::{TRIES, most_of_a_path},
    questions,
};
use crate::{
    Window,
    detectors::kit::{Tally, harm, traced, unclaimed},
    evidence::{DropCount, Link, Namespace, NetnsId, PacketSample, RouteAnswer, RouteLookup},
    finding::{Assessment, Confidence, Culprit, Harm, Outcome},
    packets::ip::IpPacket,
    uapi::ethertype::ETH_P_IPV6,
};

/// The packets that ended on one device.
#[derive(Default)]
struct Group<'a> {
    tally: Tally,
    lookups: Vec<&'a RouteLookup>,
}

/// The devices by which packets came that go in a circle.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut groups: BTreeMap<(NetnsId, u32, Version), Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let Some((link, lookups)) = circle(window, index, key) else {
            continue;
        };
        let version = match key.ethertype {
            ETH_P_IPV6 => Version::V6,
            _ => Version::V4,
        };
        let group = groups
            .entry((link.netns, link.ifindex, version))
            .or_default();
        group.tally.add(index, key);
        group.lookups.extend(lookups);
    }
    let groups = groups.into_iter();
    groups
        .filter_map(|((netns, ifindex, version), group)| {
            let link = window.topology.link(netns, ifindex)?;
            fault(window, link, version, group)
        })
        .collect()
}

/// The device that the packets of this key came by again and again, with the answers that lead out of it.
fn circle<'a>(
    window: &'a Window<'_>,
    index: usize,
    key: &DropCount,
) -> Option<(&'a Link, Vec<&'a RouteLookup>)> {
    let link = window.topology.link(key.netns?, key.ifindex)?;
    let place = questions::place(window, key)?;
    let samples: Vec<&PacketSample> = window.samples_of(index).collect();
    let received = harm::received_beside(link, 0);
    let is_traced = !samples.is_empty() && traced::may_be_traced(key, &samples);
    if !traced::ended(&samples) || received < key.count.saturating_mul(traced::VISITS) || is_traced
    {
        return None;
    }
    let routes = window.routes.value()?;
    let is_ipv6 = key.ethertype == ETH_P_IPV6;
    let asked: BTreeSet<_> = samples
        .iter()
        .filter_map(|sample| questions::question(key, place, sample))
        .collect();
    // Without a sample, the answers for what came by this device.
    let is_of = |lookup: &&RouteLookup| match samples.is_empty() {
        true => {
            lookup.question.ingress == place && lookup.question.destination.is_ipv6() == is_ipv6
        }
        false => asked.contains(&lookup.question),
    };
    let lookups: Vec<&RouteLookup> = routes.lookups.iter().filter(is_of).collect();
    let leads_back = |lookup: &&RouteLookup| match lookup.answer {
        RouteAnswer::Leads { ifindex, gateway } => {
            ifindex == place && leads_into(window, link, place, gateway)
        }
        _ => false,
    };
    (!lookups.is_empty() && lookups.iter().all(leads_back)).then_some((link, lookups))
}

/// True where the namespace of the link is the node's, or gets what the node sends by its device `place` to this next
/// hop: the device is the other end of the link, or the next hop is an address there.
fn leads_into(window: &Window<'_>, link: &Link, place: u32, gateway: Option<IpAddr>) -> bool {
    let node = window.node_namespace().map(|node| node.id);
    let is_its_end = window
        .topology
        .veth_peer(link)
        .is_some_and(|end| Some(end.netns) == node && end.ifindex == place);
    let holders = gateway.map_or(&[][..], |gateway| window.holders_of(gateway));
    Some(link.netns) == node
        || is_its_end
        || holders.iter().any(|(holder, _)| holder.id == link.netns)
}

fn fault<'a>(
    window: &'a Window<'_>,
    link: &'a Link,
    version: Version,
    group: Group<'a>,
) -> Option<Fault<'a>> {
    let namespace = window.namespace(link.netns)?;
    let node = window.node_namespace()?;
    let Group { tally, lookups } = group;
    let first = *lookups.first()?;
    let back = window.topology.link(node.id, first.question.ingress)?;
    let of = |harm: Harm| {
        Assessment::of(harm)
            .by(Culprit::Unknown)
            .with_packets(tally.count)
            .with_flows(harm::flows(window, &tally))
    };
    let packets = tally.samples(window).filter_map(IpPacket::of_sample);
    let is_tried = most_of_a_path(packets) >= TRIES
        || tally.lacks_samples(window) && tally.count >= TRIES as u64;
    let assessment = match is_tried {
        true => of(Harm::Outage),
        false => of(Harm::Unknown),
    };
    let confidence = match namespace.is_node || has_one_device(window, namespace) {
        true => Confidence::Certain,
        false => Confidence::Likely,
    };
    Some(Fault {
        kind: Kind::Circle(Circle {
            version,
            first,
            back,
            holder: holder(window, first),
        }),
        namespace,
        link: Some(link),
        tally,
        assessment,
        confidence,
    })
}

/// The namespace has one device: all that it passes on leaves by the device that it came by.
fn has_one_device(window: &Window<'_>, namespace: &Namespace) -> bool {
    let addresses = namespace.addresses.iter();
    let devices: BTreeSet<u32> = addresses
        .filter(|own| !own.address.is_loopback())
        .map(|own| own.ifindex)
        .collect();
    let mut links = window.topology.links_in(namespace.id);
    links.all(|link| link.name == "lo" || devices.contains(&link.ifindex)) && devices.len() == 1
}

/// The namespace that has the address of the next hop.
fn holder<'a>(window: &'a Window<'_>, lookup: &RouteLookup) -> Option<&'a Namespace> {
    let RouteAnswer::Leads {
        gateway: Some(gateway),
        ..
    } = lookup.answer
    else {
        return None;
    };
    window
        .holders_of(gateway)
        .first()
        .map(|(holder, _)| *holder)
}

/// The next hop of the node for the first packet.
pub(super) fn next_hop(circle: &Circle<'_>) -> Option<IpAddr> {
    match circle.first.answer {
        RouteAnswer::Leads { gateway, .. } => gateway,
        _ => None,
    }
}
