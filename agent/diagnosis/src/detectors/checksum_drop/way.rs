//! The way of broken packets: over a wire, or between programs of this node.

use super::{candidates::Candidates, path};
use crate::{
    Window,
    evidence::{Link, LinkKind},
};

/// The way that broken packets took, as far as this node shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way<'a> {
    /// A wire, or none that is known.
    Wire,
    /// They were written to this TUN or TAP device.
    Written(&'a Link),
    /// Most senders and the receiver are on this node, and no NIC lies between.
    Local,
}

/// The way to the device that the packets were dropped on.
pub(super) fn of<'a>(window: &'a Window<'_>, candidates: &Candidates<'_>) -> Way<'a> {
    let link = candidates
        .netns
        .and_then(|netns| window.topology.link(netns, candidates.ifindex));
    let Some(link) = link else {
        return Way::Wire;
    };
    if link.name == "lo" {
        return Way::Local;
    }
    match link.kind {
        Some(LinkKind::Tun) => Way::Written(link),
        Some(
            LinkKind::Veth
            | LinkKind::NetKit
            | LinkKind::MacVlan
            | LinkKind::MacVtap
            | LinkKind::IpVlan
            | LinkKind::IpVtap,
        ) if are_from_here(window, candidates) => Way::Local,
        _ => Way::Wire,
    }
}

/// Namespaces of this node hold the source addresses of most sampled packets. What breaks bytes breaks addresses too.
fn are_from_here(window: &Window<'_>, candidates: &Candidates<'_>) -> bool {
    let sources = candidates.broken_packets().map(|packet| packet.source);
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        sources.partition(|source| path::is_held(window, *source));
    here.len() > elsewhere.len()
}
