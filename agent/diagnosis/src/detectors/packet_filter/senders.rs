//! The programs whose own packets a rule refused.

use std::collections::BTreeSet;

use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{InetSocket, Namespace},
    packets::ip::IpPacket,
};

/// The sockets of this namespace from which the sampled packets came, as far as they were open at the end of the window,
/// one of each process and port.
pub(super) fn of<'a>(
    window: &'a Window<'_>,
    namespace: &Namespace,
    tally: &Tally,
) -> Vec<&'a InetSocket> {
    let sent: BTreeSet<_> = tally
        .samples(window)
        .filter_map(|sample| {
            let packet = IpPacket::of_sample(sample)?;
            let ports = packet.transport()?;
            Some((packet.protocol, ports.source_port, packet.source))
        })
        .collect();
    let sockets = window.inet_sockets.value().into_iter().flatten();
    let mut senders: Vec<&InetSocket> = sockets
        .filter(|socket| socket.netns == namespace.id && !socket.is_listening)
        .filter(|socket| {
            let is_from = |(protocol, port, address): &(u8, u16, _)| {
                *protocol == socket.protocol && *port == socket.port && socket.has_address(*address)
            };
            sent.iter().any(is_from)
        })
        .collect();
    senders.sort_by_key(|socket| (socket.owner.pid, socket.protocol, socket.port));
    senders.dedup_by_key(|socket| (socket.owner.pid, socket.protocol, socket.port));
    senders
}
