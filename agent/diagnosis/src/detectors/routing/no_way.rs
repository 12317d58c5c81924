//! Packets for which the node has no route, or one that refuses: the kernel was asked again when the window had ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    fault::{Fault, Kind, NoWay, Version},
    questions,
};
use crate::{
    Window,
    detectors::kit::{Tally, harm, seen, sockets, unclaimed},
    evidence::{
        DropCount, Link, Namespace, Refusal, RouteAnswer, RouteEntry, RouteLookup, RouteQuestion,
        Routes, RoutingRule,
    },
    finding::{Assessment, Confidence, Culprit, Decision, Harm, Outcome},
    kernel::NamespaceCounter,
    packets::ip::IpPacket,
    uapi::ethertype::ETH_P_IPV6,
};

/// Fewer packets between two addresses do not tell somebody who needs the way from somebody who tries.
pub(super) const TRIES: usize = 3;
/// The first number of programs among the writers of routes (RTPROT_GATED, rtnetlink.h). Routing daemons and network
/// plugins refuse what is left of their own prefix, and a DHCP client what is left of one that it was given.
const FIRST_DAEMON: u8 = 8;
/// The number of routes that routers announced (RTPROT_RA).
const ANNOUNCED: u8 = 9;

/// The table that every look-up asks unless somebody changed the rules (RT_TABLE_MAIN).
pub(super) const MAIN: u32 = 254;

/// The packets that came by one device and had one kind of answer.
#[derive(Default)]
struct Group<'a> {
    tally: Tally,
    lookups: Vec<&'a RouteLookup>,
}

/// The devices by which packets came that found no way on.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let (Some(routes), Some(node)) = (window.routes.value(), window.node_namespace()) else {
        return Vec::new();
    };
    let mut groups: BTreeMap<(u32, Version, bool), Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let link = window.topology.link(node.id, key.ifindex);
        let is_asked = key.netns == Some(node.id) && questions::found_no_way(key);
        let Some(link) = link.filter(|_| is_asked) else {
            continue;
        };
        let version = match key.ethertype {
            ETH_P_IPV6 => Version::V6,
            _ => Version::V4,
        };
        if !forwards(node, link, version) || is_read_by_program(window, node, link, key.ethertype) {
            continue;
        }
        let lookups = lookups(window, routes, index, key, link);
        let Some(is_refused) = common_answer(routes, &lookups) else {
            continue;
        };
        let group = groups
            .entry((link.ifindex, version, is_refused))
            .or_default();
        group.tally.add(index, key);
        for lookup in lookups {
            if !group.lookups.contains(&lookup) {
                group.lookups.push(lookup);
            }
        }
    }
    if !is_split_as_counted(window, node, &groups) {
        groups.retain(|(_, version, _), _| *version != Version::V4);
    }
    groups
        .into_iter()
        .filter_map(|((ifindex, version, _), group)| {
            let link = window.topology.link(node.id, ifindex)?;
            fault(window, (node, link), routes, version, group)
        })
        .collect()
}

/// Before reasons one drop key of IPv4 has packets without a route and packets that a route refuses, and its few samples may
/// show only one kind. The kernel counts the first kind only (`ip_error`).
fn is_split_as_counted(
    window: &Window<'_>,
    node: &Namespace,
    groups: &BTreeMap<(u32, Version, bool), Group<'_>>,
) -> bool {
    let of_ipv4 = groups
        .iter()
        .filter(|((_, version, _), _)| *version == Version::V4);
    let (mut least, mut most, mut is_told) = (0_u64, 0_u64, true);
    for ((_, _, is_refused), group) in of_ipv4 {
        for key in group.tally.drops(window) {
            is_told &= !key.reason.is_absent();
            if !is_refused {
                least = least.saturating_add(key.at_least);
                most = most.saturating_add(key.count);
            }
        }
    }
    let counted = node.increase(NamespaceCounter::InNoRoutes.name());
    is_told || counted.is_some_and(|counted| (least..=most).contains(&counted))
}

/// A host that does not forward looks for a route all the same (IPv6), or says so of each packet (IPv4).
fn forwards(node: &Namespace, link: &Link, version: Version) -> bool {
    match version {
        Version::V4 => link.ipv4.is_some_and(|settings| settings.forwarding),
        Version::V6 => node.settings.ipv6_all.is_some_and(|all| all.forwarding),
    }
}

/// A program with its own stack reads the device, which has no address here: what IP drops is the copy.
fn is_read_by_program(window: &Window<'_>, node: &Namespace, link: &Link, ethertype: u16) -> bool {
    let mut addresses = node.addresses.iter();
    let has_address = addresses.any(|own| {
        let is_link_local = matches!(own.address, IpAddr::V6(own) if own.is_unicast_link_local());
        own.ifindex == link.ifindex && !is_link_local
    });
    !has_address
        && window.topology.veth_peer(link).is_none()
        && sockets::is_taken(window, link, ethertype)
}

/// The answers for the sampled packets of the key; for those of its device where none of it was sampled. What was left
/// out, because there were too many, is none of them.
fn lookups<'a>(
    window: &Window<'_>,
    routes: &'a Routes,
    index: usize,
    key: &DropCount,
    link: &Link,
) -> Vec<&'a RouteLookup> {
    let around = seen::Around {
        namespace: window.node_namespace(),
        link: Some(link),
    };
    let mut samples = window.samples_of(index).peekable();
    if samples.peek().is_none() {
        let is_ipv6 = key.ethertype == ETH_P_IPV6;
        let lookups = routes.lookups.iter().filter(|lookup| {
            lookup.question.ingress == key.ifindex
                && lookup.question.destination.is_ipv6() == is_ipv6
        });
        return lookups.collect();
    }
    let asked = samples.filter(|sample| !seen::Seen::NotForUs.is(sample, around));
    let asked = asked.filter_map(|sample| questions::question(key, key.ifindex, sample));
    let found = asked.filter_map(|question| {
        let mut lookups = routes.lookups.iter();
        lookups.find(|lookup| lookup.question == question)
    });
    found.collect()
}

/// True where each answer is a refusal, false where each is that there is no route; `None` where they differ, or a way is
/// there by now.
fn common_answer(routes: &Routes, lookups: &[&RouteLookup]) -> Option<bool> {
    let mut common = None;
    for lookup in lookups {
        let is_refused = match lookup.answer {
            RouteAnswer::NoRoute => false,
            RouteAnswer::Refused { by } => refusing(routes, lookup.question.destination, by)
                .map(|_| true)
                .or_else(|| rule(routes, lookup.question.destination, by).map(|_| false))?,
            _ => return None,
        };
        if *common.get_or_insert(is_refused) != is_refused {
            return None;
        }
    }
    common
}

/// The longest prefix that refuses this destination that way.
fn refusing(routes: &Routes, destination: IpAddr, by: Refusal) -> Option<&RouteEntry> {
    let covering = routes.covering.iter();
    let refusing = covering
        .filter(|route| route.refusal == Some(by) && route.has(destination))
        .max_by_key(|route| route.length)?;
    let mut longer = routes.covering.iter();
    let is_hidden = longer.any(|route| {
        route.table == refusing.table && route.length > refusing.length && route.has(destination)
    });
    (!is_hidden).then_some(refusing)
}

fn rule(routes: &Routes, destination: IpAddr, by: Refusal) -> Option<&RoutingRule> {
    let mut rules = routes.rules.iter();
    rules.find(|rule| rule.is_ipv6 == destination.is_ipv6() && rule.refusal == Some(by))
}

fn fault<'a>(
    window: &'a Window<'_>,
    (namespace, link): (&'a Namespace, &'a Link),
    routes: &'a Routes,
    version: Version,
    group: Group<'a>,
) -> Option<Fault<'a>> {
    let first = *group.lookups.first()?;
    let no_way = no_way(window, routes, version, first, &group.lookups);
    // Peers of a pod that was deleted go on for a while.
    let mut destinations = no_way.destinations.iter();
    if destinations.all(|one| is_of_ended(window, *one)) {
        return None;
    }
    let missed = missed(window, namespace, link, &group, &no_way);
    let assessment = match is_by_rule(&no_way, &group.lookups) && !group.tally.lacks_samples(window)
    {
        true => Assessment::decided(Decision::Setting, Harm::Outage, group.tally.count)
            .with_flows(harm::flows(window, &group.tally)),
        false => assess(window, &group, &missed),
    };
    let is_by_more = routes
        .rules
        .iter()
        .any(|rule| rule.goes_by_more && rule.is_ipv6 == (version == Version::V6));
    Some(Fault {
        kind: Kind::NoWay(no_way),
        namespace,
        link: Some(link),
        tally: group.tally,
        assessment,
        confidence: match is_by_more {
            true => Confidence::Likely,
            false => Confidence::Certain,
        },
    })
}

fn no_way<'a>(
    window: &'a Window<'_>,
    routes: &'a Routes,
    version: Version,
    first: &'a RouteLookup,
    lookups: &[&'a RouteLookup],
) -> NoWay<'a> {
    let mut refusing_routes: Vec<&RouteEntry> = Vec::new();
    let mut rules = Vec::new();
    let mut removed = Vec::new();
    for lookup in lookups {
        let destination = lookup.question.destination;
        match lookup.answer {
            RouteAnswer::Refused { by } => match refusing(routes, destination, by) {
                Some(route) => add(&mut refusing_routes, route),
                None => rules.extend(rule(routes, destination, by)),
            },
            _ => {
                // A rule of the type unreachable has the error of a missing route (fib4_rule_action).
                rules.extend(rule(routes, destination, Refusal::Unreachable));
                removed.extend(removed_route(window, routes, destination));
            }
        }
    }
    rules.dedup();
    removed.dedup();
    let otherwise = refusing_routes
        .first()
        .and_then(|route| otherwise(routes, route, first.question.destination));
    let destinations: BTreeSet<IpAddr> = lookups
        .iter()
        .map(|lookup| lookup.question.destination)
        .collect();
    let covers = |route: &RouteEntry| {
        let mut destinations = destinations.iter();
        destinations.any(|destination| route.has(*destination))
    };
    let is_covered = !routes.missing.is_empty() || routes.covering.iter().any(covers);
    let keeps_pods = otherwise.is_some_and(|next| {
        let mut refusing = refusing_routes.iter();
        refusing.any(|route| has_pods_elsewhere(window, route, next))
    });
    NoWay {
        version,
        first,
        destinations: destinations.into_iter().collect(),
        is_of_daemon: refusing_routes
            .iter()
            .any(|route| route.protocol >= FIRST_DAEMON),
        refusing: refusing_routes,
        rules,
        removed,
        otherwise,
        is_covered,
        keeps_pods,
    }
}

fn add<'a>(routes: &mut Vec<&'a RouteEntry>, route: &'a RouteEntry) {
    if !routes.contains(&route) {
        routes.push(route);
    }
}

/// The route that led there until it was deleted within the window. The kernel itself deletes those of IPv6 whose device
/// goes down, and those that routers announced; and a table of its own may be asked for other packets.
fn removed_route<'a>(
    window: &Window<'_>,
    routes: &'a Routes,
    destination: IpAddr,
) -> Option<&'a RouteEntry> {
    let node = window.node_namespace()?;
    let removed = routes.removed.iter();
    removed
        .filter(|route| {
            let link = window.topology.link(node.id, route.ifindex);
            let is_alive = link.is_some_and(|link| link.is_up() && !window.has_ended(link));
            let is_written = route.refusal.is_none() && route.protocol != ANNOUNCED;
            let is_asked = route.table == MAIN;
            is_written && is_alive && is_asked && route.has(destination)
        })
        .max_by_key(|route| route.length)
}

/// The way on once the route is gone that refuses: the next one in its table.
fn otherwise<'a>(
    routes: &'a Routes,
    refusing: &RouteEntry,
    destination: IpAddr,
) -> Option<&'a RouteEntry> {
    let covering = routes.covering.iter();
    let next = covering
        .filter(|route| *route != refusing && route.table == refusing.table)
        .filter(|route| route.has(destination))
        .max_by_key(|route| (route.length, std::cmp::Reverse(route.metric)))?;
    (next.refusal.is_none() && next.ifindex != 0).then_some(next)
}

/// A namespace that is gone had this address.
fn is_of_ended(window: &Window<'_>, address: IpAddr) -> bool {
    let holders = window.holders_of(address);
    let is_alive = |netns, ifindex| {
        let link = window.topology.link(netns, ifindex);
        link.is_some_and(|link| !window.has_ended(link))
    };
    !holders.is_empty()
        && holders
            .iter()
            .all(|(holder, ifindex)| !is_alive(holder.id, *ifindex))
}

/// A rule refuses all of them: somebody wrote it to do so.
fn is_by_rule(no_way: &NoWay<'_>, lookups: &[&RouteLookup]) -> bool {
    let mut answers = lookups.iter().map(|lookup| lookup.answer);
    no_way.refusing.is_empty() && answers.all(|one| matches!(one, RouteAnswer::Refused { .. }))
}

/// The look-ups of ways that somebody here needs: the sender or the receiver is a pod or a guest here, or the way was
/// there within the window, or a route that somebody wrote here refuses.
fn missed<'a>(
    window: &Window<'_>,
    namespace: &Namespace,
    link: &Link,
    group: &Group<'a>,
    no_way: &NoWay<'_>,
) -> Vec<&'a RouteLookup> {
    let is_of_pod = |address: IpAddr| {
        let mut holders = window.holders_of(address).iter();
        holders.any(|(holder, _)| holder.pod.is_some()) && !is_of_ended(window, address)
    };
    let lookups = group.lookups.iter().copied();
    if !no_way.refusing.is_empty() {
        let is_block = no_way.refusing.iter().any(|one| is_of_pods(window, one));
        let is_written = !is_block && !no_way.is_of_daemon;
        let is_missed = |one: &&RouteLookup| is_written || is_of_pod(one.question.destination);
        return lookups.filter(is_missed).collect();
    }
    // A rule may refuse on purpose what a route of some table leads to.
    let may_be_meant = no_way.is_covered && !no_way.rules.is_empty();
    let mut ports = window.topology.ports(link).peekable();
    let are_ports_pods = ports.peek().is_some()
        && ports.all(|port| harm::is_of_pod_or_guest(window, namespace, Some(port)));
    let are_all = are_ports_pods || harm::is_of_pod_or_guest(window, namespace, Some(link));
    let is_missed = |one: &&RouteLookup| {
        let RouteQuestion {
            destination,
            source,
            ..
        } = one.question;
        let mut removed = no_way.removed.iter();
        removed.any(|route| route.has(destination))
            || !may_be_meant && (are_all || is_of_pod(destination) || is_of_pod(source))
    };
    lookups.filter(is_missed).collect()
}

/// The prefix has addresses of pods here: it is their block, and what is refused is an address that none of them has.
fn is_of_pods(window: &Window<'_>, route: &RouteEntry) -> bool {
    let mut pods = window.namespaces.iter().filter(|one| one.pod.is_some());
    pods.any(|pod| pod.addresses.iter().any(|own| route.has(own.address)))
}

/// The prefix has addresses of pods here to which this other route does not lead: without the route that refuses, what
/// is for them could go in a circle.
fn has_pods_elsewhere(window: &Window<'_>, route: &RouteEntry, next: &RouteEntry) -> bool {
    let device = window
        .node_namespace()
        .and_then(|node| window.topology.link(node.id, next.ifindex));
    let beyond = device.and_then(|device| window.topology.veth_peer(device));
    let mut pods = window.namespaces.iter().filter(|one| one.pod.is_some());
    pods.any(|pod| {
        let mut addresses = pod.addresses.iter();
        beyond.is_none_or(|peer| peer.netns != pod.id)
            && addresses.any(|own| route.has(own.address))
    })
}

fn assess(window: &Window<'_>, group: &Group<'_>, missed: &[&RouteLookup]) -> Assessment {
    let culprit = match missed {
        [] => Culprit::Unknown,
        _ => Culprit::Here,
    };
    let tally = &group.tally;
    let of = |harm: Harm| {
        Assessment::of(harm)
            .by(culprit)
            .with_packets(tally.count)
            .with_flows(harm::flows(window, tally))
    };
    let unknown = of(Harm::Unknown);
    if missed.is_empty() {
        return unknown;
    }
    let is_missed = |packet: &IpPacket<'_>| {
        missed.iter().any(|lookup| {
            let question = lookup.question;
            (question.source, question.destination) == (packet.source, packet.destination)
        })
    };
    let packets = tally.samples(window).filter_map(IpPacket::of_sample);
    // The kernel's answer is for addresses and devices: each packet between them ends.
    let is_tried = most_of_a_path(packets.filter(is_missed)) >= TRIES
        || tally.lacks_samples(window) && tally.count >= TRIES as u64;
    match is_tried {
        true => harm::outage(window, tally, culprit).unwrap_or_else(|| of(Harm::Outage)),
        false => unknown,
    }
}

/// The most of these packets that went from one address to one other.
pub(super) fn most_of_a_path<'a>(packets: impl Iterator<Item = IpPacket<'a>>) -> usize {
    let mut paths: BTreeMap<(IpAddr, IpAddr), usize> = BTreeMap::new();
    for packet in packets {
        *paths
            .entry((packet.source, packet.destination))
            .or_default() += 1;
    }
    paths.into_values().max().unwrap_or_default()
}
