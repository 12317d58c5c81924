//! Forwarding that is off where packets from or to pods need it.
//!
//! IPv4 asks the device that a packet came by (`ip_route_input_slow`, `ip_error`), IPv6 what all devices share
//! (`ip6_forward`). A plain host drops what is not for it in the same way, so that only packets that this namespace was
//! to pass between two of its neighbours prove a fault.

use std::{collections::BTreeMap, net::IpAddr};

use super::fault::{Fault, Forwarding, Kind, Version};
use crate::{
    Window,
    detectors::kit::{Tally, harm, seen, unclaimed},
    evidence::{DropCount, Link, LinkKind, Namespace, NetnsId, PacketSample, is_within},
    finding::{Assessment, Confidence, Culprit, Harm, Outcome, Severity},
    kernel::{NamespaceCounter, Reason, site},
    packets::ip::IpPacket,
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6},
};

/// Fewer packets do not tell a namespace that forwards nothing from one that is just being set up.
const TRIES: u64 = 3;

/// Why a packet was to be passed on.
struct Wanted<'a> {
    /// The device by which its destination is reached, where it is a neighbour here.
    egress: Option<&'a Link>,
    /// The sender or the holder of the destination is a pod or a guest here.
    is_of_neighbour: bool,
}

/// The drops of one namespace and version.
#[derive(Default)]
struct Group<'a> {
    tally: Tally,
    ingress: Vec<&'a Link>,
    egress: Vec<&'a Link>,
    /// Some destination is reached by a device that is not known.
    leads_elsewhere: bool,
    /// Packets were seen that prove the fault, or the device does.
    is_proved: bool,
    /// Somebody here is known to be the sender or the receiver.
    is_of_neighbour: bool,
    lacks_samples: bool,
}

/// The namespaces that were to forward and did not.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut groups: BTreeMap<(NetnsId, Version), Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let Some((namespace, link)) = place(window, key) else {
            continue;
        };
        let Some(version) = refused(window, index, key, namespace, link) else {
            continue;
        };
        let samples: Vec<&PacketSample> = window.samples_of(index).collect();
        let wanted: Vec<Wanted<'a>> = samples
            .iter()
            .filter_map(|sample| wanted(window, namespace, link, sample))
            .collect();
        let is_unseen = samples.is_empty();
        let is_read = version == Version::V4 || namespace.settings.ipv6_all.is_some();
        let is_proved =
            !wanted.is_empty() || is_unseen && is_read && is_of_neighbour(window, namespace, link);
        // What was not seen belongs to what proves that nothing is forwarded there.
        if !is_proved && !is_unseen {
            continue;
        }
        let group = groups.entry((namespace.id, version)).or_default();
        group.tally.add(index, key);
        group.is_proved |= is_proved;
        group.is_of_neighbour |= is_unseen || wanted.iter().any(|one| one.is_of_neighbour);
        group.lacks_samples |= is_unseen;
        add(&mut group.ingress, link);
        group.leads_elsewhere |= is_unseen || wanted.iter().any(|one| one.egress.is_none());
        for egress in wanted.iter().filter_map(|one| one.egress) {
            add(&mut group.egress, egress);
        }
    }
    let groups = groups.into_iter();
    groups
        .filter(|(_, group)| group.is_proved)
        .filter_map(|((netns, version), group)| fault(window, netns, version, group))
        .collect()
}

fn place<'a>(window: &'a Window<'_>, key: &DropCount) -> Option<(&'a Namespace, &'a Link)> {
    let netns = key.netns?;
    Some((
        window.namespace(netns)?,
        window.topology.link(netns, key.ifindex)?,
    ))
}

/// The version of the packets, if they ended because forwarding is off.
fn refused(
    window: &Window<'_>,
    index: usize,
    key: &DropCount,
    namespace: &Namespace,
    link: &Link,
) -> Option<Version> {
    let is_named = key.reason == Reason::IP_INADDRERRORS;
    if !is_named && !key.reason.is_absent() {
        return None;
    }
    match key.ethertype {
        // With forwarding off, ip_route_input_slow makes each failed look-up EHOSTUNREACH, and ip_error counts it as an
        // address that is not this host's.
        ETH_P_IP if key.location.is_of(&site::IP_ERROR) => {
            let settings = link.ipv4?;
            let was_off = !settings.forwarding && settings.forwarding_before != Some(true);
            (is_named || was_off).then_some(Version::V4)
        }
        // The first thing that ip6_forward asks. A source that must not be forwarded ends there for the same reason.
        ETH_P_IPV6 if key.location.is_of(&site::IP6_FORWARD) => {
            let counted = namespace.increase(NamespaceCounter::Ip6InAddrErrors.name());
            let is_told = is_named || counted.is_some_and(|rose| rose >= key.at_least.max(1));
            let is_off = match namespace.settings.ipv6_all {
                Some(all) => !all.forwarding,
                None => window.samples_of(index).all(has_global_source),
            };
            (is_told && is_off).then_some(Version::V6)
        }
        _ => None,
    }
}

fn has_global_source(sample: &PacketSample) -> bool {
    match IpPacket::of_sample(sample).map(|packet| packet.source) {
        Some(IpAddr::V6(source)) => {
            !source.is_unspecified()
                && !source.is_loopback()
                && !source.is_multicast()
                && !source.is_unicast_link_local()
        }
        _ => false,
    }
}

/// The packet was to go from one neighbour of this namespace to another host: a pod or a guest sent it, or it is for an
/// address that lies behind another device here. `None` for what a plain host gets as well.
///
/// A prefix of another device is enough in a pod's namespace only: something on this node routes into the pod. A node with
/// two NICs is no router for that.
fn wanted<'a>(
    window: &'a Window<'_>,
    namespace: &Namespace,
    ingress: &Link,
    sample: &PacketSample,
) -> Option<Wanted<'a>> {
    let around = seen::Around {
        namespace: Some(namespace),
        link: Some(ingress),
    };
    let is_ours = !seen::Seen::NotForUs.is(sample, around);
    let packet = IpPacket::of_sample(sample).filter(|_| is_ours)?;
    let holders = window.holders_of(packet.destination).iter();
    let egress = holders
        .filter(|(holder, _)| holder.id != namespace.id)
        .find_map(|(holder, _)| {
            let mut links = window.topology.links_in(namespace.id);
            links.find(|link| link.id() != ingress.id() && leads_to(window, link, holder.id))
        });
    if let Some(egress) = egress {
        return Some(Wanted {
            egress: Some(routed(window, egress)),
            is_of_neighbour: true,
        });
    }
    let mut senders = window.holders_of(packet.source).iter();
    let is_sent_here = senders.any(|(sender, _)| {
        sender.id != namespace.id
            && (namespace.is_node || !sender.is_node)
            && leads_to(window, ingress, sender.id)
    });
    if is_sent_here || is_of_guest(ingress) {
        return Some(Wanted {
            egress: None,
            is_of_neighbour: true,
        });
    }
    let egress = connected(window, namespace, packet.destination)
        .filter(|egress| !namespace.is_node && egress.id() != ingress.id())?;
    Some(Wanted {
        egress: Some(egress),
        is_of_neighbour: false,
    })
}

/// The device whose prefix has the address.
fn connected<'a>(
    window: &'a Window<'_>,
    namespace: &Namespace,
    address: IpAddr,
) -> Option<&'a Link> {
    let mut own = namespace.addresses.iter();
    let own = own.find(|own| is_within(address, own.address, own.prefix))?;
    window.topology.link(namespace.id, own.ifindex)
}

/// The other end of the veth, or of a veth among the bridge's ports, is in this namespace.
fn leads_to(window: &Window<'_>, link: &Link, netns: NetnsId) -> bool {
    let is_other_end = |link: &Link| {
        let peer = window.topology.veth_peer(link);
        peer.is_some_and(|peer| peer.netns == netns)
    };
    is_other_end(link) || window.topology.ports(link).any(is_other_end)
}

/// The device that has the addresses: the bridge of a port, else the device itself.
fn routed<'a>(window: &'a Window<'_>, link: &'a Link) -> &'a Link {
    let is_port = link.slave_kind == Some(LinkKind::Bridge);
    let master = window.topology.master(link).filter(|_| is_port);
    master.unwrap_or(link)
}

/// A guest is behind the device: a TAP has a link layer address, the TUN of a VPN has none. The reader of a macvtap has
/// the addresses that come in there.
fn is_of_guest(link: &Link) -> bool {
    link.kind == Some(LinkKind::Tun) && link.address.is_some()
}

/// Whatever comes in on the device comes from a pod or a guest here.
fn is_of_neighbour(window: &Window<'_>, namespace: &Namespace, link: &Link) -> bool {
    let peer = window.topology.veth_peer(link);
    let peer = peer.and_then(|peer| window.namespace(peer.netns));
    let is_pods = peer.is_some_and(|peer| {
        peer.id != namespace.id && !peer.is_node && (peer.pod.is_some() || !namespace.is_node)
    });
    is_pods || is_of_guest(link)
}

fn add<'a>(links: &mut Vec<&'a Link>, link: &'a Link) {
    if links.iter().all(|one| one.id() != link.id()) {
        links.push(link);
    }
}

fn fault<'a>(
    window: &'a Window<'_>,
    netns: NetnsId,
    version: Version,
    group: Group<'a>,
) -> Option<Fault<'a>> {
    let namespace = window.namespace(netns)?;
    let Group {
        tally,
        ingress,
        egress,
        leads_elsewhere,
        is_of_neighbour,
        lacks_samples,
        ..
    } = group;
    let all: Vec<&Link> = window
        .topology
        .links_in(netns)
        .filter(|link| link.name != "lo" && link.slave_kind != Some(LinkKind::Bridge))
        .collect();
    let forwards = |link: &Link| link.ipv4.is_some_and(|settings| settings.forwarding);
    let (is_off, is_read) = match version {
        Version::V4 => (ingress.iter().any(|link| !forwards(link)), true),
        Version::V6 => {
            let all = namespace.settings.ipv6_all;
            (all.is_none_or(|all| !all.forwarding), all.is_some())
        }
    };
    let mut devices = ingress.clone();
    let others = if leads_elsewhere { &all } else { &egress };
    for link in others {
        add(&mut devices, link);
    }
    devices.retain(|link| link.ipv4.is_some() && !forwards(link));
    let assessment = match (is_off, tally.count) {
        (true, TRIES..) => Assessment::of(Harm::Outage)
            .by(Culprit::Here)
            .with_packets(tally.count)
            .with_flows(harm::flows(window, &tally)),
        (true, _) => Assessment::of(Harm::Unknown)
            .by(Culprit::Here)
            .with_packets(tally.count)
            .with_flows(harm::flows(window, &tally)),
        (false, _) => harm::loss(window, &tally, Culprit::Here, None),
    };
    let assessment = match lacks_samples {
        true => assessment.no_less_than(Severity::Critical),
        false => assessment,
    };
    Some(Fault {
        link: match ingress[..] {
            [only] => Some(only),
            _ => None,
        },
        kind: Kind::ForwardingOff(Forwarding {
            version,
            ingress,
            devices,
            all,
            is_off,
            is_read,
        }),
        namespace,
        tally,
        assessment,
        confidence: match is_read && is_of_neighbour {
            true => Confidence::Certain,
            false => Confidence::Likely,
        },
    })
}
