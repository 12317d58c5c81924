//! Which sockets had no room, and what that cost.

use super::sandbox;
use crate::{
    Window,
    causes::{Cause, RECEIVE_BUFFER_FULL, SOCKET_BACKLOG_FULL},
    detectors::kit::{Tally, harm, sockets, unclaimed},
    evidence::{DropCount, InetSocket, Link, Namespace, PacketSocket},
    finding::{Assessment, Culprit, Harm, Outcome},
    kernel::{
        NamespaceCounter::{Udp6RcvbufErrors, UdpRcvbufErrors},
        Reason,
        site::{self, Layer},
    },
};

/// The part of a socket that was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The receive buffer of sockets of UDP.
    ReceiveBufferFull,
    /// The packets that wait while a program works on the socket.
    SocketBacklogFull,
}

/// Sockets of one namespace that had no room.
pub(super) struct Fault<'a> {
    pub(super) kind: Kind,
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
    /// The sockets that dropped something within the window, the worst first.
    pub(super) sockets: Vec<&'a InetSocket>,
    pub(super) assessment: Assessment,
}

/// A packet socket that had no room.
pub(super) struct FullPacketSocket<'a> {
    pub(super) socket: &'a PacketSocket,
    pub(super) namespace: &'a Namespace,
    /// The device that it is bound to.
    pub(super) link: Option<&'a Link>,
}

impl Kind {
    pub(super) fn cause(self) -> &'static Cause {
        match self {
            Self::ReceiveBufferFull => &RECEIVE_BUFFER_FULL,
            Self::SocketBacklogFull => &SOCKET_BACKLOG_FULL,
        }
    }
}

/// The faults of every namespace.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut faults = Vec::new();
    for namespace in &window.namespaces {
        let keys = |is_of: &dyn Fn(&DropCount) -> bool| -> Tally {
            let keys = unclaimed(window, so_far);
            keys.filter(|(_, key)| key.netns == Some(namespace.id) && is_of(key))
                .collect()
        };
        let mut full = keys(&|key| is_receive_buffer(namespace, key));
        if window.drops.value().is_none() {
            let rose = |name: &str| namespace.increase(name).unwrap_or_default();
            let counted = rose(UdpRcvbufErrors.name()) + rose(Udp6RcvbufErrors.name());
            full = Tally::of_counter(counted, (0, window.duration_ms));
        }
        if full.count > 0 {
            let carried = harm::udp_received(namespace);
            faults.push(Fault {
                kind: Kind::ReceiveBufferFull,
                namespace,
                assessment: harm::loss(window, &full, Culprit::Here, carried),
                sockets: sockets::that_dropped(window, namespace, InetSocket::is_udp),
                tally: full,
            });
        }
        let held = keys(&|key| key.reason == Reason::SOCKET_BACKLOG);
        if held.count > 0 {
            let carried = harm::tcp_received_beside(namespace, held.count);
            faults.push(Fault {
                kind: Kind::SocketBacklogFull,
                namespace,
                assessment: harm::loss(window, &held, Culprit::Here, carried),
                sockets: sockets::that_dropped(window, namespace, InetSocket::is_connection),
                tally: held,
            });
        }
    }
    faults
}

/// `__udp_enqueue_schedule_skb` refuses with -ENOMEM, and `__udp_queue_rcv_skb` counts and frees. Before 5.17 there are no
/// reasons, and only the counter tells it from a filter.
fn is_receive_buffer(namespace: &Namespace, key: &DropCount) -> bool {
    let counted = |counter: &str| namespace.increase(counter).is_some_and(|rose| rose > 0);
    if key.reason == Reason::SOCKET_RCVBUFF {
        let site = key.location.site();
        return match site {
            Some(site) => site.layer() == Layer::Udp,
            None => counted(UdpRcvbufErrors.name()) || counted(Udp6RcvbufErrors.name()),
        };
    }
    let v4 = [&site::UDP_QUEUE_RCV_ONE_SKB, &site::UDP_QUEUE_RCV_SKB];
    let v6 = [&site::UDPV6_QUEUE_RCV_ONE_SKB, &site::UDPV6_QUEUE_RCV_SKB];
    key.reason.is_absent()
        && (key.location.is_of_any(&v4) && counted(UdpRcvbufErrors.name())
            || key.location.is_of_any(&v6) && counted(Udp6RcvbufErrors.name()))
}

/// The packet sockets that dropped something within the window.
pub(super) fn packet_sockets<'a>(window: &'a Window<'_>) -> Vec<FullPacketSocket<'a>> {
    let sockets = window.packet_sockets.value().into_iter().flatten();
    let full = sockets.filter(|socket| socket.dropped > 0);
    full.filter_map(|socket| {
        Some(FullPacketSocket {
            socket,
            namespace: window.namespace(socket.netns)?,
            link: window.topology.link(socket.netns, socket.ifindex),
        })
    })
    .collect()
}

impl FullPacketSocket<'_> {
    /// Another packet socket gets the same packets.
    fn has_others(&self, window: &Window<'_>) -> bool {
        let sockets = window.packet_sockets.value().into_iter().flatten();
        let mut others = sockets.filter(|other| !std::ptr::eq(*other, self.socket));
        others.any(|other| {
            other.netns == self.socket.netns
                && [0, self.socket.ifindex].contains(&other.ifindex)
                && sandbox::takes_ip(other)
        })
    }

    /// The judgement on what it dropped. A capture gets copies: the packets themselves go on.
    pub(super) fn assessment(&self, window: &Window<'_>) -> Assessment {
        let dropped = u64::from(self.socket.dropped);
        let own_stack = self
            .link
            .filter(|_| sandbox::takes_ip(self.socket))
            .filter(|link| sandbox::is_without_stack(window, self.namespace, link));
        match own_stack {
            Some(link) if !self.has_others(window) => {
                let carried = harm::received_beside(link, dropped);
                Assessment::loss(dropped, Some(carried)).by(Culprit::Here)
            }
            Some(_) => Assessment::of(Harm::Unknown)
                .by(Culprit::Here)
                .with_packets(dropped),
            None => Assessment::of(Harm::None)
                .by(Culprit::Here)
                .with_packets(dropped),
        }
    }
}
