//! Devices that take every multicast frame without being promiscuous.

use super::users::{bridge_of, sockets_on};
use crate::{
    Window,
    evidence::{Link, MembershipKind, Owner},
};

/// A device that takes every multicast frame.
pub(super) struct AllMulticast<'a> {
    pub(super) link: &'a Link,
    pub(super) asked_by: AskedBy<'a>,
}

/// The one who wants every multicast frame.
#[derive(Clone, Copy)]
pub(super) enum AskedBy<'a> {
    /// The bridge that holds the device, and filters VLANs.
    Bridge(&'a Link),
    /// A person or program set IFF_ALLMULTI.
    User,
    /// A process with a packet socket.
    Socket(&'a Owner),
}

/// A port of a bridge that filters VLANs, a user's request or a socket's. Multicast routers do it too and are left
/// alone.
pub(super) fn of_device<'a>(window: &'a Window<'_>, link: &'a Link) -> Option<AllMulticast<'a>> {
    let mut below = window.topology.stack_below(link).into_iter();
    if !link.is_all_multicast() || !below.any(Link::filters_addresses) {
        return None;
    }
    let bridge = bridge_of(window, link);
    let sockets = sockets_on(window, link, MembershipKind::AllMulticast);
    let asked_by = match (bridge, sockets.first()) {
        (Some(used), _) => AskedBy::Bridge(used.bridge),
        (None, _) if link.all_multicast_requested() => AskedBy::User,
        (None, Some(socket)) => AskedBy::Socket(&socket.owner),
        (None, None) => return None,
    };
    Some(AllMulticast { link, asked_by })
}
