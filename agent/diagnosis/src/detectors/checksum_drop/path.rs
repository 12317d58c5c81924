//! Who stands between the sender and the receiver of a packet: their links, and the process that hands frames on.

use std::{collections::BTreeSet, net::IpAddr};

use crate::evidence::{EvidenceWindow, Link, Namespace, Owner};

/// ETH_P_ALL, ETH_P_IP and ETH_P_IPV6: what a packet socket must receive to take part in forwarding IP.
const FORWARDED_ETHERTYPES: [u16; 3] = [0x0003, 0x0800, 0x86dd];

/// More devices than this on one segment are not walked; a node's bridge with more ports would make the search costly,
/// and the answer ("somewhere on this bridge") worthless.
const SEGMENT_LIMIT: usize = 1_024;

/// The link of this node that holds an address, with its namespace. `None` when no namespace or more than one does:
/// the same address in two pods (overlapping networks) names nobody.
pub(super) fn holder_of(
    window: &EvidenceWindow,
    address: IpAddr,
) -> Option<(&Namespace, Option<&Link>)> {
    let mut holders = window.namespaces.iter().filter_map(|namespace| {
        let held = namespace
            .addresses
            .iter()
            .find(|held| held.address == address)?;
        Some((namespace, window.link(namespace.id, held.ifindex)))
    });
    let holder = holders.next()?;
    holders.next().is_none().then_some(holder)
}

/// Whether any namespace of this node holds the address.
pub(super) fn is_held(window: &EvidenceWindow, address: IpAddr) -> bool {
    let addresses = |namespace: &Namespace| -> bool {
        let mut held = namespace.addresses.iter();
        held.any(|held| held.address == address)
    };
    window.namespaces.iter().any(addresses)
}

/// A process that takes frames in on one device and may send them out on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forwarder {
    pub(super) owner: Owner,
    /// What it holds: `packet sockets on m0, m1`, `TUN device tun0`.
    pub(super) holds: String,
    /// It holds a device on the sender's segment and another on the receiver's; otherwise on one of the two only.
    pub(super) joins_both: bool,
}

/// The processes that hold a packet socket or a TUN device on the segments of the two links, those that join both
/// segments alone if there are any. Captures on several devices look like one that reaches a single segment: a candidate.
pub(super) fn forwarders(
    window: &EvidenceWindow,
    source: Option<&Link>,
    receiver: Option<&Link>,
) -> Vec<Forwarder> {
    let near_source = source.map(|link| segment(window, link)).unwrap_or_default();
    let near_receiver = receiver
        .map(|link| segment(window, link))
        .unwrap_or_default();
    let mut candidates: Vec<(Owner, BTreeSet<Device>)> = Vec::new();
    for (owner, device) in held_devices(window) {
        match candidates
            .iter_mut()
            .find(|(known, _)| known.pid == owner.pid)
        {
            Some((_, devices)) => {
                devices.insert(device);
            }
            None => candidates.push((owner.clone(), BTreeSet::from([device]))),
        }
    }
    let mut found: Vec<Forwarder> = candidates
        .into_iter()
        .filter_map(|(owner, devices)| {
            let touches = |segment: &BTreeSet<LinkKey>, end: Option<&Link>| {
                devices.iter().any(|device| {
                    // A TUN device is routed to, not bridged: being in the end's namespace is being next to it.
                    let routed =
                        device.is_tun && end.is_some_and(|link| link.netns == device.link.0);
                    routed || segment.contains(&device.link)
                })
            };
            let (at_source, at_receiver) = (
                touches(&near_source, source),
                touches(&near_receiver, receiver),
            );
            let joins_both = at_source && at_receiver && devices.len() > 1;
            // A router may lie between the forwarder and an end: packets are routed to a TUN device from wherever they
            // reach its namespace. A process with one socket hands nothing on.
            let routed = |segment: &BTreeSet<LinkKey>| {
                let reaches = |device: &Device| segment.iter().any(|link| link.0 == device.link.0);
                devices
                    .iter()
                    .any(|device| device.is_tun && reaches(device))
            };
            let is_near = devices.len() > 1 && (at_source || at_receiver);
            (is_near || routed(&near_source) || routed(&near_receiver)).then(|| Forwarder {
                owner,
                holds: describe(&devices),
                joins_both,
            })
        })
        .collect();
    if found.iter().any(|forwarder| forwarder.joins_both) {
        found.retain(|forwarder| forwarder.joins_both);
    }
    found.sort_by(|a, b| (b.joins_both, a.owner.pid).cmp(&(a.joins_both, b.owner.pid)));
    found
}

/// A link's identity on this node.
type LinkKey = (crate::evidence::NetnsId, u32);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Device {
    link: LinkKey,
    name: String,
    is_tun: bool,
}

fn held_devices(window: &EvidenceWindow) -> impl Iterator<Item = (&Owner, Device)> {
    let sockets = window
        .packet_sockets
        .value()
        .into_iter()
        .flatten()
        .filter_map(|socket| {
            let link = window.link(socket.netns, socket.ifindex)?;
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
            // The device may have been moved into a pod after it was opened; its name and kind find it there, if they
            // find one alone.
            let mut named = window
                .links()
                .iter()
                .filter(|link| link.name == holder.device && is_tun(link));
            let at_home = window
                .links()
                .iter()
                .find(|link| link.netns == holder.netns && link.name == holder.device);
            let link = at_home.or_else(|| named.next().filter(|_| named.next().is_none()))?;
            Some((&holder.owner, Device::of(link, true)))
        });
    sockets.chain(tuns)
}

fn is_tun(link: &Link) -> bool {
    link.kind.as_deref() == Some("tun")
}

impl Device {
    fn of(link: &Link, is_tun: bool) -> Self {
        Self {
            link: (link.netns, link.ifindex),
            name: link.name.clone(),
            is_tun,
        }
    }
}

/// The links that share a layer 2 segment with this one: itself, its veth peer, and whatever a bridge joins to them.
fn segment(window: &EvidenceWindow, start: &Link) -> BTreeSet<LinkKey> {
    let mut reached = BTreeSet::from([(start.netns, start.ifindex)]);
    let mut pending = vec![start];
    while let Some(link) = pending.pop() {
        let is_bridge = |device: &Link| device.kind.as_deref() == Some("bridge");
        let ports = window.slaves(link).filter(|_| is_bridge(link));
        let bridge = window.master(link).filter(|master| is_bridge(master));
        for next in window
            .veth_peer(link)
            .into_iter()
            .chain(bridge)
            .chain(ports)
        {
            if reached.len() < SEGMENT_LIMIT && reached.insert((next.netns, next.ifindex)) {
                pending.push(next);
            }
        }
    }
    reached
}

fn describe(devices: &BTreeSet<Device>) -> String {
    let names = |is_tun: bool| -> Vec<&str> {
        devices
            .iter()
            .filter(|device| device.is_tun == is_tun)
            .map(|device| device.name.as_str())
            .collect()
    };
    let (sockets, tuns) = (names(false), names(true));
    let mut parts = Vec::new();
    if !sockets.is_empty() {
        parts.push(format!("packet sockets on {}", sockets.join(", ")));
    }
    if !tuns.is_empty() {
        let devices = if tuns.len() == 1 { "device" } else { "devices" };
        parts.push(format!("TUN {devices} {}", tuns.join(", ")));
    }
    parts.join(" and ")
}
