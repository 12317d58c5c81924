//! Packets for ports of a namespace for which no socket takes them: nobody listens there, or a program does on another
//! address only.
//!
//! The kernel looks for a socket that is bound to the destination's port and address, or to every address, and to the
//! device or to none (`__inet_lookup_listener`, `__udp4_lib_lookup`). A device that is in a VRF finds sockets of that VRF.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    Window,
    causes::{Cause, LOOPBACK_ONLY, PORT_CLOSED},
    detectors::kit::{Tally, harm, seen, unclaimed},
    evidence::{DropCount, InetSocket, Link, LinkKind, Namespace, NetnsId, PacketSample},
    finding::{Assessment, Confidence, Culprit, Decision, Harm, Outcome},
    kernel::{NamespaceCounter, Reason, site},
    packets::ip::{IpPacket, TCP, UDP},
};

const SYN: u8 = 2;
const ACK: u8 = 16;
/// The first port that the kernel chooses by itself (ip_local_port_range).
const FIRST_EPHEMERAL: u16 = 32_768;
const OUT_RSTS: &str = "Tcp.OutRsts";

/// The reason why no socket took the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No socket has the port.
    PortClosed,
    /// A socket has the port, on another address or device.
    LoopbackOnly,
}

/// The end that a packet was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    /// IPPROTO_TCP or IPPROTO_UDP.
    pub(super) protocol: u8,
    pub(super) port: u16,
    pub(super) address: IpAddr,
}

/// Packets of one namespace that no socket took.
pub(super) struct Refused<'a> {
    pub(super) kind: Kind,
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
    /// The ends that packets were seen for.
    pub(super) ends: BTreeSet<End>,
    /// The sockets that have one of these ports.
    pub(super) sockets: Vec<&'a InetSocket>,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl Kind {
    pub(super) fn cause(self) -> &'static Cause {
        match self {
            Self::PortClosed => &PORT_CLOSED,
            Self::LoopbackOnly => &LOOPBACK_ONLY,
        }
    }
}

/// The packets of one namespace that were for ports, by what is behind the port.
#[derive(Default)]
struct Group<'a> {
    closed: Tally,
    closed_ends: BTreeSet<End>,
    closed_samples: Vec<&'a PacketSample>,
    elsewhere: Tally,
    elsewhere_ends: BTreeSet<End>,
    elsewhere_samples: Vec<&'a PacketSample>,
    sockets: Vec<&'a InetSocket>,
}

/// A look at one sampled packet.
enum Look<'a> {
    Closed(End),
    Elsewhere(End, Vec<&'a InetSocket>),
    /// It opens nothing, is for a group, or is for a socket that took it not for another reason.
    Other,
}

/// The packets of every namespace that no socket took. Without the sockets nothing tells the two apart.
pub(super) fn refused<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Refused<'a>> {
    let Some(sockets) = window.inet_sockets.value() else {
        return Vec::new();
    };
    let mut by_port: BTreeMap<(NetnsId, u8, u16), Vec<&'a InetSocket>> = BTreeMap::new();
    for socket in sockets {
        if socket.is_listening || socket.is_udp() {
            let sockets = by_port.entry((socket.netns, socket.protocol, socket.port));
            sockets.or_default().push(socket);
        }
    }
    let mut groups: BTreeMap<NetnsId, Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let namespace = key.netns.and_then(|netns| window.namespace(netns));
        if let Some(namespace) = namespace.filter(|place| is_without_socket(place, key)) {
            let group = groups.entry(namespace.id).or_default();
            group.add(window, namespace, (index, key), &by_port);
        }
    }
    let groups = groups.into_iter();
    groups
        .filter_map(|(netns, group)| Some((window.namespace(netns)?, group)))
        .flat_map(|(namespace, group)| group.judged(window, namespace))
        .collect()
}

/// No socket was found by the reason; on kernels that name none, by the counter of such refusals.
fn is_without_socket(namespace: &Namespace, key: &DropCount) -> bool {
    let counter = [
        (&site::TCP_V4_RCV, OUT_RSTS),
        (&site::TCP_V6_RCV, OUT_RSTS),
        (&site::UDP4_LIB_RCV, NamespaceCounter::UdpNoPorts.name()),
        (&site::UDP6_LIB_RCV, NamespaceCounter::Udp6NoPorts.name()),
    ];
    let counter = counter.iter().find(|(site, _)| key.location.is_of(site));
    counter.is_some_and(|(_, counter)| {
        let rose = namespace.increase(counter).unwrap_or_default();
        key.reason == Reason::NO_SOCKET || key.reason.is_absent() && rose >= key.at_least.max(1)
    })
}

impl<'a> Group<'a> {
    fn add(
        &mut self,
        window: &'a Window<'_>,
        namespace: &Namespace,
        (index, key): (usize, &DropCount),
        by_port: &BTreeMap<(NetnsId, u8, u16), Vec<&'a InetSocket>>,
    ) {
        let link = window.topology.link(namespace.id, key.ifindex);
        let (mut closed, mut elsewhere, mut others) = (0, 0, 0);
        for sample in window.samples_of(index) {
            match look(window, namespace, link, sample, by_port) {
                Look::Closed(end) => {
                    closed += 1;
                    self.closed_samples.push(sample);
                    self.closed_ends.insert(end);
                }
                Look::Elsewhere(end, sockets) => {
                    elsewhere += 1;
                    self.elsewhere_samples.push(sample);
                    self.elsewhere_ends.insert(end);
                    for socket in sockets {
                        if self
                            .sockets
                            .iter()
                            .all(|known| !std::ptr::eq(*known, socket))
                        {
                            self.sockets.push(socket);
                        }
                    }
                }
                Look::Other => others += 1,
            }
        }
        let part = |taken: u64| DropCount {
            count: key.count.saturating_sub(taken).max(1),
            ..key.clone()
        };
        match (closed, elsewhere) {
            (0, 0) => {}
            (0, _) => self.elsewhere.add(index, &part(others)),
            // Packets of both share the key: those for a socket elsewhere are counted as they were seen.
            (_, elsewhere) => {
                self.closed.add(index, &part(others + elsewhere));
                if elsewhere > 0 {
                    let times = (key.first_ms, key.last_ms);
                    self.elsewhere.merge(&Tally::of_counter(elsewhere, times));
                }
            }
        }
    }

    fn judged(self, window: &'a Window<'_>, namespace: &'a Namespace) -> Vec<Refused<'a>> {
        let elsewhere = Assessment {
            decision: Some(Decision::ClosedPort),
            ..Assessment::of(Harm::Outage)
                .by(Culprit::Here)
                .with_packets(self.elsewhere.count)
                .with_flows(harm::flows_of_samples(self.elsewhere_samples.into_iter()))
        };
        let closed = Assessment::decided(Decision::ClosedPort, Harm::Unknown, self.closed.count)
            .with_flows(harm::flows_of_samples(self.closed_samples.into_iter()));
        // A bound may have left out the socket that has the port.
        let of_closed = match window.inet_sockets.missing() {
            None => Confidence::Certain,
            Some(_) => Confidence::Likely,
        };
        let refused = [
            Refused {
                kind: Kind::LoopbackOnly,
                namespace,
                tally: self.elsewhere,
                ends: self.elsewhere_ends,
                sockets: self.sockets,
                assessment: elsewhere,
                confidence: Confidence::Certain,
            },
            Refused {
                kind: Kind::PortClosed,
                namespace,
                tally: self.closed,
                ends: self.closed_ends,
                sockets: Vec::new(),
                assessment: closed,
                confidence: of_closed,
            },
        ];
        let refused = refused.into_iter();
        refused.filter(|one| one.tally.count > 0).collect()
    }
}

fn look<'a>(
    window: &Window<'_>,
    namespace: &Namespace,
    link: Option<&Link>,
    sample: &PacketSample,
    by_port: &BTreeMap<(NetnsId, u8, u16), Vec<&'a InetSocket>>,
) -> Look<'a> {
    let around = seen::Around {
        namespace: Some(namespace),
        link,
    };
    let Some(end) = end(sample).filter(|_| !seen::Seen::NotForUs.is(sample, around)) else {
        return Look::Other;
    };
    let sockets = by_port.get(&(namespace.id, end.protocol, end.port));
    let sockets = sockets.map_or(&[][..], Vec::as_slice);
    match sockets
        .iter()
        .any(|socket| takes(window, socket, &end, link))
    {
        // It was opened after the packet came, or is connected to another peer.
        true => Look::Other,
        false if sockets.is_empty() => Look::Closed(end),
        false => Look::Elsewhere(end, sockets.to_vec()),
    }
}

/// The end that the packet wanted to reach: a datagram's, or that of a segment which opens a connection. Others belong to
/// connections that are closed.
fn end(sample: &PacketSample) -> Option<End> {
    let packet = IpPacket::of_sample(sample)?;
    let transport = packet.transport()?;
    let opens = match packet.protocol {
        TCP => transport.tcp_flags & (SYN | ACK) == SYN,
        // The answer of a server to a client whose socket is closed by now.
        UDP => {
            transport.source_port >= FIRST_EPHEMERAL || transport.destination_port < FIRST_EPHEMERAL
        }
        _ => false,
    };
    opens.then_some(End {
        protocol: packet.protocol,
        port: transport.destination_port,
        address: packet.final_destination,
    })
}

/// The kernel would have found this socket for a packet to that end which came by this device.
fn takes(window: &Window<'_>, socket: &InetSocket, end: &End, link: Option<&Link>) -> bool {
    let vrf = link.and_then(|link| vrf_of(window, link));
    let is_of_device = match (socket.ifindex, vrf) {
        (0, vrf) => vrf.is_none(),
        (bound, vrf) => {
            link.is_some_and(|link| link.ifindex == bound)
                || vrf.is_some_and(|vrf| vrf.ifindex == bound)
        }
    };
    is_of_device && socket.has_address(end.address)
}

/// The VRF that the device is, or is in.
fn vrf_of<'a>(window: &'a Window<'_>, link: &'a Link) -> Option<&'a Link> {
    let is_vrf = |link: &Link| link.kind == Some(LinkKind::Vrf);
    if is_vrf(link) {
        return Some(link);
    }
    window.topology.master(link).filter(|master| is_vrf(master))
}
