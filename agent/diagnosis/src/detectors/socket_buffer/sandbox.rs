//! Sandboxes with a network stack of their own, such as gVisor: the device has no address, and a program takes what
//! arrives there by a packet socket. What the kernel's IP makes of the copies is nobody's loss.

use std::net::IpAddr;

use crate::{
    Window,
    detectors::kit::{Tally, sockets, unclaimed},
    evidence::{DropCount, Link, Namespace, PacketSocket},
    finding::Outcome,
    kernel::{Reason, site},
    uapi::ethertype::{ETH_P_ALL, ETH_P_IP, ETH_P_IPV6},
};

/// The socket takes packets of IP, of whatever version.
pub(super) fn takes_ip(socket: &PacketSocket) -> bool {
    [ETH_P_ALL, ETH_P_IP, ETH_P_IPV6].contains(&socket.ethertype)
}

/// The stack has no address on the device, and nothing is on top of it: a program with a stack of its own takes what
/// arrives, and nobody else.
pub(super) fn is_without_stack(window: &Window<'_>, namespace: &Namespace, link: &Link) -> bool {
    let addresses = &namespace.addresses;
    let has_address = addresses
        .iter()
        .any(|held| held.ifindex == link.ifindex && !is_by_itself(held.address));
    let mut uppers = window.topology.uppers(link);
    // Without any address the reading may have failed.
    !namespace.is_node
        && !addresses.is_empty()
        && !has_address
        && link.master.is_none()
        && uppers.next().is_none()
}

/// The kernel gives each device a link-local address of IPv6 by itself.
fn is_by_itself(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(own) if own.is_unicast_link_local())
}

/// Copies of what packet sockets took, which the kernel's IP refused: no route, no forwarding, or the reverse path
/// filter. The namespace has no address on any device, so that its stack can neither take a packet nor send one.
pub(super) fn copies(window: &Window<'_>, so_far: &Outcome) -> Tally {
    let is_copy = |key: &DropCount| {
        let namespace = key.netns.and_then(|netns| window.namespace(netns));
        let link = key
            .netns
            .and_then(|netns| window.topology.link(netns, key.ifindex));
        let place = namespace.zip(link);
        place.is_some_and(|(namespace, link)| {
            is_refused_by_ip(key)
                && has_no_stack_at_all(namespace)
                && is_without_stack(window, namespace, link)
                && sockets::is_taken(window, link, key.ethertype)
        })
    };
    let keys = unclaimed(window, so_far);
    keys.filter(|(_, key)| is_copy(key)).collect()
}

fn is_refused_by_ip(key: &DropCount) -> bool {
    const REASONS: [Reason; 3] = [
        Reason::IP_INNOROUTES,
        Reason::IP_INADDRERRORS,
        Reason::IP_RPFILTER,
    ];
    const SITES: [&site::Site; 3] = [
        &site::IP_ERROR,
        &site::IP6_PKT_DROP,
        &site::IP_RCV_FINISH_CORE,
    ];
    REASONS.contains(&key.reason) || key.reason.is_unnamed() && key.location.is_of_any(&SITES)
}

fn has_no_stack_at_all(namespace: &Namespace) -> bool {
    let mut addresses = namespace.addresses.iter().map(|held| held.address);
    addresses.all(|address| address.is_loopback() || is_by_itself(address))
}
