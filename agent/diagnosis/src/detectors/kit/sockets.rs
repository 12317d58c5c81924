//! The sockets that lost packets, and their words.

use std::net::{IpAddr, Ipv6Addr};

use super::say;
use crate::{
    Window,
    causes::Check,
    evidence::{InetSocket, Link, Namespace},
    finding::{Outcome, Unchecked},
    uapi::ethertype::ETH_P_ALL,
};

/// The sockets of this namespace that fit and dropped something within the window, those that dropped most first.
pub(crate) fn that_dropped<'a>(
    window: &'a Window<'_>,
    namespace: &Namespace,
    fits: impl Fn(&InetSocket) -> bool,
) -> Vec<&'a InetSocket> {
    let sockets = window.inet_sockets.value().into_iter().flatten();
    let mut sockets: Vec<&InetSocket> = sockets
        .filter(|socket| socket.netns == namespace.id && socket.dropped() > 0 && fits(socket))
        .collect();
    sockets.sort_by_key(|socket| (std::cmp::Reverse(socket.dropped()), socket.port));
    sockets
}

/// A packet socket of this very device takes what arrives there of this EtherType. One that listens on every device is a
/// capture: it does not tell that a program has a stack of its own behind this one.
pub(crate) fn is_taken(window: &Window<'_>, link: &Link, ethertype: u16) -> bool {
    let sockets = window.packet_sockets.value().into_iter().flatten();
    let mut taking = sockets.filter(|socket| {
        socket.netns == link.netns
            && socket.ifindex == link.ifindex
            && [ETH_P_ALL, ethertype].contains(&socket.ethertype)
    });
    taking.next().is_some()
}

/// Why findings lack the sockets that they are about, if they do: counters and events tell that there was no room, and
/// not whose it was.
pub(crate) fn unread(
    window: &Window<'_>,
    outcome: &Outcome,
    check: &'static Check,
    what: &str,
) -> Option<Unchecked> {
    let missing = window.inet_sockets.missing()?;
    (!outcome.findings.is_empty()).then(|| Unchecked::in_part(check, format!("{what}: {missing}")))
}

/// `10.0.0.1:5000`, `[::1]:5000`, `port 5000` for every address.
pub(crate) fn end(socket: &InetSocket) -> String {
    match socket.address {
        address if address.is_unspecified() => format!("port {}", socket.port),
        IpAddr::V4(address) => format!("{address}:{}", socket.port),
        IpAddr::V6(address) => v6_end(address, socket.port),
    }
}

fn v6_end(address: Ipv6Addr, port: u16) -> String {
    match address.to_ipv4_mapped() {
        Some(address) => format!("{address}:{port}"),
        None => format!("[{address}]:{port}"),
    }
}

/// `10.0.0.1:5000 of nginx (pid 7)`.
pub(crate) fn with_process(socket: &InetSocket) -> String {
    format!("{} of {}", end(socket), say::process(&socket.owner))
}

/// The same and the number of others: `port 53 of coredns (pid 7) and 2 more sockets`.
pub(crate) fn first_and_others(sockets: &[&InetSocket], noun: &str) -> Option<String> {
    let (first, others) = sockets.split_first()?;
    Some(say::and_others(&with_process(first), others.len(), noun))
}
