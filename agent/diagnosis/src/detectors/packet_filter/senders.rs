//! The programs whose own packets a rule refused.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{InetSocket, Namespace},
    packets::ip::IpPacket,
};

/// The programs that sent refused packets, as far as they are known.
#[derive(Default)]
pub(super) struct Senders<'a> {
    /// Their sockets, one of each process and port.
    pub(super) sockets: Vec<&'a InetSocket>,
    /// Each packet was seen and came from one of them.
    pub(super) are_all: bool,
}

/// The sockets of this namespace from which the sampled packets came, as far as they were open at the end of the window.
pub(super) fn of<'a>(window: &'a Window<'_>, namespace: &Namespace, tally: &Tally) -> Senders<'a> {
    let seen = u64::try_from(tally.samples(window).count());
    let mut are_all = seen.is_ok_and(|seen| seen >= tally.count);
    let sent: BTreeSet<_> = tally
        .samples(window)
        .filter_map(|sample| {
            let packet = IpPacket::of_sample(sample);
            let ports = packet.as_ref().and_then(IpPacket::transport);
            are_all &= ports.is_some();
            let (packet, ports) = packet.zip(ports)?;
            Some((packet.protocol, ports.source_port, packet.source))
        })
        .collect();
    let sockets = window.inet_sockets.value().into_iter().flatten();
    let is_from = |socket: &InetSocket, (protocol, port, address): &(u8, u16, IpAddr)| {
        *protocol == socket.protocol && *port == socket.port && socket.has_address(*address)
    };
    let mut sockets: Vec<&InetSocket> = sockets
        .filter(|socket| socket.netns == namespace.id && !socket.is_listening)
        .filter(|socket| sent.iter().any(|one| is_from(socket, one)))
        .collect();
    are_all &= sent
        .iter()
        .all(|one| sockets.iter().any(|socket| is_from(socket, one)));
    sockets.sort_by_key(|socket| (socket.owner.pid, socket.protocol, socket.port));
    sockets.dedup_by_key(|socket| (socket.owner.pid, socket.protocol, socket.port));
    Senders { sockets, are_all }
}
