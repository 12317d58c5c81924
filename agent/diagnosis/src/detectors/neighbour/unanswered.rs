//! Neighbours that did not answer until the kernel gave them up.

use std::{collections::BTreeMap, net::IpAddr};

use super::Version;
use crate::{
    Window,
    detectors::kit::{
        Tally, harm,
        seen::{Around, is_within},
        unclaimed,
        unreachable::TUNNEL_PORTS,
    },
    evidence::{DropCount, Link, LinkKind, Namespace, NetnsId},
    finding::{Assessment, Culprit, Decision, Harm, Outcome, Severity},
    kernel::{Reason, site},
    packets::ip::{IpPacket, UDP},
};

/// The protocols of tunnels without UDP: IPIP, IPv6 in IPv4, GRE, ESP.
const TUNNEL_PROTOCOLS: [u8; 4] = [4, 41, 47, 50];

/// The part that a neighbour plays. The last of several speaks for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// No packet was seen.
    Unseen,
    /// An address in a prefix of this very device that nobody here has.
    Nobody,
    /// The address is here, and macvlan or ipvlan keeps both devices apart on purpose.
    KeptApart(Apart),
    /// An address of this node, of a pod or of a guest here.
    Held,
    /// The other end of a tunnel.
    TunnelRemote,
    /// A router: the packets are for addresses beyond the device's prefixes.
    NextHop,
}

/// The pairs of devices that macvlan and ipvlan do not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Apart {
    /// The device below sends to one on top of it.
    Child,
    /// A device sends to the one below it.
    Lower,
    /// Both are on one device, and one is in private mode.
    Private,
}

/// Packets that waited without an answer for the neighbours of one device.
pub(super) struct Unanswered<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) link: Option<&'a Link>,
    pub(super) version: Version,
    pub(super) role: Role,
    /// The destinations of the packets whose neighbour plays that part.
    pub(super) addresses: Vec<IpAddr>,
    /// Packets for neighbours that play other parts are among them.
    pub(super) has_others: bool,
    /// The device with that address, where it is here.
    pub(super) holder: Option<(&'a Namespace, &'a Link)>,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
}

type Place = (NetnsId, u32, Version);

/// The neighbours of every device that did not answer. The packets that found such a neighbour's queue full are with
/// those that waited in it.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Unanswered<'a>> {
    let mut given_up: BTreeMap<Place, Tally> = BTreeMap::new();
    let mut queues: BTreeMap<Place, Tally> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let netns = key.netns.filter(|id| window.namespace(*id).is_some());
        let Some((netns, version)) = netns.zip(Version::of(key)) else {
            continue;
        };
        let place = (netns, key.ifindex, version);
        if is_given_up(key) {
            given_up.entry(place).or_default().add(index, key);
        } else if is_of_queue(key) {
            queues.entry(place).or_default().add(index, key);
        }
    }
    let faults = given_up.into_iter().filter_map(|(place, tally)| {
        let queue = queues.remove(&place).unwrap_or_default();
        fault(window, place, tally, &queue)
    });
    faults.collect()
}

/// `neigh_invalidate` hands what waited to the error report of ARP or of neighbour discovery; of IPv6, and before 5.18,
/// without a reason.
fn is_given_up(key: &DropCount) -> bool {
    [Reason::NEIGH_FAILED, Reason::NEIGH_DEAD].contains(&key.reason)
        || key.reason.is_unnamed() && key.location.is_of_any(&[&site::NEIGH_INVALIDATE])
}

fn is_of_queue(key: &DropCount) -> bool {
    key.reason == Reason::NEIGH_QUEUEFULL
        || key.reason.is_unnamed() && key.location.is_of_any(&[&site::NEIGH_EVENT_SEND])
}

fn fault<'a>(
    window: &'a Window<'_>,
    (netns, ifindex, version): Place,
    mut tally: Tally,
    queue: &Tally,
) -> Option<Unanswered<'a>> {
    let namespace = window.namespace(netns)?;
    let link = window.topology.link(netns, ifindex);
    let device = Device {
        window,
        namespace,
        link,
    };
    let mut role = Role::Unseen;
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut has_others = false;
    for packet in tally.samples(window).filter_map(IpPacket::of_sample) {
        let of_packet = device.role(&packet);
        has_others |= role != Role::Unseen && of_packet != role;
        if of_packet > role {
            role = of_packet;
            addresses.clear();
        }
        if of_packet == role && !addresses.contains(&packet.destination) {
            addresses.push(packet.destination);
        }
    }
    tally.merge(queue);
    let is_gone = link.is_some_and(|link| window.has_ended(link));
    Some(Unanswered {
        namespace,
        link,
        version,
        role,
        holder: addresses.first().and_then(|first| device.holder(*first)),
        addresses,
        has_others,
        assessment: assessment(window, role, is_gone, &tally),
        tally,
    })
}

/// A device whose neighbours did not answer.
struct Device<'w, 'e> {
    window: &'w Window<'e>,
    namespace: &'w Namespace,
    link: Option<&'w Link>,
}

impl<'w> Device<'w, '_> {
    fn role(&self, packet: &IpPacket<'_>) -> Role {
        let destination = packet.destination;
        if let Some(apart) = self.apart_from(destination) {
            return Role::KeptApart(apart);
        }
        if !self.is_in_prefix(destination) {
            return Role::NextHop;
        }
        let port = packet.transport().map(|ports| ports.destination_port);
        let is_tunnel = TUNNEL_PROTOCOLS.contains(&packet.protocol)
            || (packet.protocol == UDP && port.is_some_and(|port| TUNNEL_PORTS.contains(&port)));
        match self.holder(destination) {
            _ if is_tunnel => Role::TunnelRemote,
            Some(_) => Role::Held,
            None if self.window.links.value().is_none() => Role::Held,
            None => Role::Nobody,
        }
    }

    /// The device itself has the address's prefix: no router lies between.
    fn is_in_prefix(&self, address: IpAddr) -> bool {
        let around = Around {
            namespace: Some(self.namespace),
            link: self.link,
        };
        around
            .prefixes()
            .any(|(own, prefix)| is_within(address, own, prefix))
    }

    /// A device with this address that had not ended by the end of the window.
    fn holder(&self, address: IpAddr) -> Option<(&'w Namespace, &'w Link)> {
        let mut holders = self.window.holders_of(address).iter();
        holders.find_map(|(namespace, ifindex)| {
            let link = self.window.topology.link(namespace.id, *ifindex)?;
            (!self.window.has_ended(link)).then_some((*namespace, link))
        })
    }

    /// The reason why macvlan or ipvlan does not join this device to the one with that address. What the device below
    /// sends never comes to those on top of it, and their broadcasts go out by it, past its own stack
    /// (`macvlan_queue_xmit`, `ipvlan_process_multicast`).
    fn apart_from(&self, address: IpAddr) -> Option<Apart> {
        let link = self.link?;
        let (_, holder) = self.holder(address)?;
        let lower = |upper: &Link| upper.lower_id().filter(|_| shares_device(upper));
        if lower(holder) == Some(link.id()) {
            return Some(Apart::Child);
        }
        if lower(link) == Some(holder.id()) {
            return Some(Apart::Lower);
        }
        let is_private = |link: &Link| {
            let settings = link.macvlan.as_ref();
            settings.is_some_and(|settings| settings.mode == "private")
        };
        let are_siblings = lower(link).is_some() && lower(link) == lower(holder);
        (are_siblings && (is_private(link) || is_private(holder))).then_some(Apart::Private)
    }
}

fn shares_device(link: &Link) -> bool {
    matches!(link.kind, Some(LinkKind::MacVlan | LinkKind::IpVlan))
}

/// The judgement; where too few packets were seen, a neighbour that somebody misses may be among them.
fn assessment(window: &Window<'_>, role: Role, is_gone: bool, tally: &Tally) -> Assessment {
    let judged = judged(window, role, is_gone, tally);
    if !tally.lacks_samples(window) {
        return judged;
    }
    Assessment {
        decision: None,
        is_towards_nobody: is_gone,
        ..judged.no_less_than(Severity::Warning)
    }
}

fn judged(window: &Window<'_>, role: Role, is_gone: bool, tally: &Tally) -> Assessment {
    let flows = harm::flows(window, tally);
    let outage = Assessment::of(Harm::Outage)
        .by(Culprit::Elsewhere)
        .with_packets(tally.count);
    match role {
        Role::Unseen => Assessment::of(Harm::Unknown)
            .by(Culprit::Elsewhere)
            .with_packets(tally.count),
        Role::KeptApart(_) => {
            Assessment::decided(Decision::Setting, Harm::Outage, tally.count).with_flows(flows)
        }
        _ => Assessment {
            is_towards_nobody: role == Role::Nobody || is_gone,
            ..outage.with_flows(flows)
        },
    }
}
