//! The path between the sender and the receiver of a packet: their links, and the process that hands frames on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    Window,
    evidence::{Link, LinkId, Namespace, NetnsId, Owner},
    uapi::ethertype::{ETH_P_ALL, ETH_P_IP, ETH_P_IPV6},
};

/// EtherTypes that a packet socket must receive to take part in forwarding IP.
const FORWARDED_ETHERTYPES: [u16; 3] = [ETH_P_ALL, ETH_P_IP, ETH_P_IPV6];

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

/// A process that takes frames in on one device and may send them out on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forwarder {
    pub(super) owner: Owner,
    /// The devices on which it holds packet sockets.
    pub(super) sockets: Vec<String>,
    /// The TUN devices that it holds.
    pub(super) tuns: Vec<String>,
    pub(super) reach: Reach,
}

/// The forwarder that must have passed the packets on, as far as devices tell. With two alike it may be either.
pub(super) fn responsible(forwarders: &[Forwarder]) -> Option<&Forwarder> {
    match forwarders {
        [one] if one.reach > Reach::Near => Some(one),
        _ => None,
    }
}

/// The processes that hold a packet socket or a TUN device on the way between the two links, only
/// those that reach furthest. Captures on several devices look like one that reaches a single segment: a candidate.
pub(super) fn forwarders(
    window: &Window<'_>,
    source: Option<&Link>,
    receiver: Option<&Link>,
    lost: u64,
) -> Vec<Forwarder> {
    let ends = [source, receiver].map(|link| End {
        link,
        segment: link
            .map(|link| window.topology.segment(link))
            .unwrap_or_default(),
    });
    let mut processes: BTreeMap<u32, (&Owner, BTreeSet<Device>)> = BTreeMap::new();
    for (owner, device) in held_devices(window) {
        let (_, devices) = processes
            .entry(owner.pid)
            .or_insert_with(|| (owner, BTreeSet::new()));
        devices.insert(device);
    }
    let mut found: Vec<Forwarder> = processes
        .into_values()
        .filter_map(|(owner, devices)| {
            let reach = reach(window, &devices, &ends, lost)?;
            let (tuns, sockets): (Vec<Device>, Vec<Device>) =
                devices.into_iter().partition(|device| device.is_tun);
            let names = |devices: Vec<Device>| devices.into_iter().map(|device| device.name);
            Some(Forwarder {
                owner: owner.clone(),
                sockets: names(sockets).collect(),
                tuns: names(tuns).collect(),
                reach,
            })
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
}

impl End<'_> {
    fn touches(&self, device: &Device) -> bool {
        // A TUN device is routed to, not bridged: being in the end's namespace is being next to it.
        let is_beside = |link: &Link| device.is_tun && link.netns == device.link.0;
        self.link.is_some_and(is_beside) || self.segment.contains(&device.link)
    }

    /// The device's namespace, or that of another device on its segment, has a link to this end.
    fn is_routed_to(&self, window: &Window<'_>, device: &Device) -> bool {
        let around = window
            .topology
            .link(device.link.0, device.link.1)
            .map(|link| window.topology.segment(link))
            .unwrap_or_default();
        around.iter().any(|link| self.is_in(link.0))
    }

    /// A veth leads from the device's namespace, such as a pod's, to one with a link to this end.
    fn is_behind_a_veth(&self, window: &Window<'_>, device: &Device) -> bool {
        let here = window.topology.links_in(device.link.0);
        here.filter_map(|link| window.topology.veth_peer(link))
            .any(|peer| self.is_in(peer.netns))
    }

    fn is_in(&self, netns: NetnsId) -> bool {
        self.segment.iter().any(|link| link.0 == netns)
    }
}

fn reach(
    window: &Window<'_>,
    devices: &BTreeSet<Device>,
    ends: &[End<'_>; 2],
    lost: u64,
) -> Option<Reach> {
    // A process with one socket hands nothing on; with one TUN device it may, back to where packets came from.
    let has_way_out = devices.len() > 1 || devices.iter().any(|device| device.is_tun);
    if !has_way_out {
        return None;
    }
    let touched = |end: &End<'_>| devices.iter().any(|device| end.touches(device));
    if devices.len() > 1 && ends.iter().all(touched) {
        return Some(Reach::BothEnds);
    }
    let is_routed = |end: &End<'_>| {
        devices
            .iter()
            .any(|device| end.is_routed_to(window, device))
    };
    let is_behind = |end: &End<'_>| {
        devices
            .iter()
            .any(|device| end.is_behind_a_veth(window, device))
    };
    let reached = |end: &End<'_>| touched(end) || is_routed(end) || is_behind(end);
    if ends.iter().all(reached) && have_carried(window, devices, lost) {
        return Some(Reach::Routed);
    }
    // A router may lie between the forwarder and an end: packets are routed to a TUN device from wherever they reach
    // its namespace.
    let has_tun = devices.iter().any(|device| device.is_tun);
    (ends.iter().any(touched) || (has_tun && ends.iter().any(is_routed))).then_some(Reach::Near)
}

/// So many packets went into the process through one of its devices and out of it through another. A TUN device
/// sends what the process reads, any other device receives it.
fn have_carried(window: &Window<'_>, devices: &BTreeSet<Device>, packets: u64) -> bool {
    let passed = |device: &Device| {
        let link = window.topology.link(device.link.0, device.link.1)?;
        let received = link.increase(|stats| stats.rx_packets);
        let sent = link.increase(|stats| stats.tx_packets);
        Some(if device.is_tun {
            (sent, received)
        } else {
            (received, sent)
        })
    };
    devices.iter().any(|entry| {
        devices.iter().any(|exit| {
            let read = passed(entry).is_some_and(|(read, _)| read >= packets);
            let written = passed(exit).is_some_and(|(_, written)| written >= packets);
            (entry != exit || entry.is_tun) && read && written
        })
    })
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Device {
    link: LinkId,
    name: String,
    is_tun: bool,
}

fn held_devices<'a>(window: &'a Window<'_>) -> impl Iterator<Item = (&'a Owner, Device)> {
    let sockets = window
        .packet_sockets
        .value()
        .into_iter()
        .flatten()
        .filter_map(|socket| {
            let link = window.topology.link(socket.netns, socket.ifindex)?;
            let forwards = FORWARDED_ETHERTYPES.contains(&socket.ethertype);
            // Sockets whose holders are unknown (pid 0) may be of one program each.
            (forwards && socket.owner.pid != 0).then(|| (&socket.owner, Device::of(link, false)))
        });
    let tuns = window
        .tun_holders
        .value()
        .into_iter()
        .flatten()
        .filter_map(|holder| {
            let link = window.topology.held_by(holder)?;
            Some((&holder.owner, Device::of(link, true)))
        });
    sockets.chain(tuns)
}

impl Device {
    fn of(link: &Link, is_tun: bool) -> Self {
        Self {
            link: link.id(),
            name: link.name.clone(),
            is_tun,
        }
    }
}
