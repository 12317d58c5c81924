//! The path between the sender and the receiver of a packet: their links, and the process that hands frames on.

use std::{collections::BTreeSet, net::IpAddr};

use super::processes::{Process, Processes};
use crate::{
    Window,
    evidence::{Link, LinkId, Namespace, NetnsId},
};

/// The link of this node that holds an address, with its namespace. `None` when no namespace or more than one does:
/// the same address in two pods (overlapping networks) names nobody.
pub(super) fn holder_of<'a>(
    window: &'a Window<'_>,
    address: IpAddr,
) -> Option<(&'a Namespace, Option<&'a Link>)> {
    match window.holders_of(address) {
        [(namespace, ifindex)] => Some((namespace, window.topology.link(namespace.id, *ifindex))),
        _ => None,
    }
}

/// Some namespace of this node holds the address.
pub(super) fn is_held(window: &Window<'_>, address: IpAddr) -> bool {
    !window.holders_of(address).is_empty()
}

/// The relation of a process to the path of the packets, the surest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Its devices are near one end.
    Near,
    /// Routes lead from its devices to the ends, and at least as many packets as were lost went in and out of them.
    Routed,
    /// It holds a device on the sender's segment and another on the receiver's.
    BothEnds,
}

/// A process on the way between sender and receiver, as far as its devices tell.
pub(super) struct Forwarder<'a> {
    pub(super) process: &'a Process<'a>,
    pub(super) reach: Reach,
}

/// The forwarder that must have passed the packets on, as far as devices tell. With two alike it may be either.
pub(super) fn responsible<'f, 'a>(forwarders: &'f [Forwarder<'a>]) -> Option<&'f Forwarder<'a>> {
    match forwarders {
        [one] if one.reach > Reach::Near => Some(one),
        _ => None,
    }
}

/// The processes that hold a packet socket or a TUN device on the way between the two links, only
/// those that reach furthest. Captures on several devices look like one that reaches a single segment: a candidate.
pub(super) fn forwarders<'a>(
    window: &Window<'_>,
    processes: &'a Processes<'a>,
    source: Option<&Link>,
    receiver: Option<&Link>,
    lost: u64,
) -> Vec<Forwarder<'a>> {
    let ends = [source, receiver].map(|link| End::of(window, processes, link));
    let mut found: Vec<Forwarder<'_>> = processes
        .all
        .iter()
        .filter_map(|process| {
            let reach = reach(process, &ends, lost)?;
            Some(Forwarder { process, reach })
        })
        .collect();
    let furthest = found.iter().map(|forwarder| forwarder.reach).max();
    found.retain(|forwarder| Some(forwarder.reach) == furthest);
    found
}

/// One end of the path.
struct End<'a> {
    link: Option<&'a Link>,
    segment: BTreeSet<LinkId>,
    /// The namespaces of the segment's links.
    namespaces: BTreeSet<NetnsId>,
    processes: &'a Processes<'a>,
}

impl<'a> End<'a> {
    fn of(window: &Window<'_>, processes: &'a Processes<'a>, link: Option<&'a Link>) -> Self {
        let segment = link.map(|link| window.topology.segment(link));
        let segment = segment.unwrap_or_default();
        Self {
            link,
            namespaces: segment.iter().map(|link| link.0).collect(),
            segment,
            processes,
        }
    }

    fn touches(&self, process: &Process<'_>) -> bool {
        // A TUN device is routed to, not bridged: being in the end's namespace is being next to it.
        let is_beside = |link: &Link| process.tun_namespaces.contains(&link.netns);
        self.link.is_some_and(is_beside) || !process.links.is_disjoint(&self.segment)
    }

    /// A device's namespace, or that of another device on its segment, has a link to this end.
    fn is_routed_to(&self, process: &Process<'_>) -> bool {
        !process.segments.is_disjoint(&self.namespaces)
    }

    /// A veth leads from a device's namespace, such as a pod's, to one with a link to this end.
    fn is_behind_a_veth(&self, process: &Process<'_>) -> bool {
        let mut here = process.namespaces.iter();
        here.any(|netns| {
            let behind = self.processes.behind_veths.get(netns);
            behind.is_some_and(|behind| !behind.is_disjoint(&self.namespaces))
        })
    }
}

fn reach(process: &Process<'_>, ends: &[End<'_>; 2], lost: u64) -> Option<Reach> {
    let touched = |end: &End<'_>| end.touches(process);
    if process.has_two_devices() && ends.iter().all(touched) {
        return Some(Reach::BothEnds);
    }
    let is_routed = |end: &End<'_>| end.is_routed_to(process);
    let reached = |end: &End<'_>| touched(end) || is_routed(end) || end.is_behind_a_veth(process);
    if process.carried >= lost && ends.iter().all(reached) {
        return Some(Reach::Routed);
    }
    // A router may lie between the forwarder and an end: packets are routed to a TUN device from wherever they reach
    // its namespace.
    let has_tun = !process.tuns.is_empty();
    (ends.iter().any(touched) || (has_tun && ends.iter().any(is_routed))).then_some(Reach::Near)
}
