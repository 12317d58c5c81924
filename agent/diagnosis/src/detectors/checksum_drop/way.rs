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
    /// Their senders and their receiver are on this node, and no NIC lies between.
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

/// A namespace of this node holds the source address of every sampled packet.
fn are_from_here(window: &Window<'_>, candidates: &Candidates<'_>) -> bool {
    let mut sources = candidates
        .broken_packets()
        .map(|packet| packet.source)
        .peekable();
    sources.peek().is_some() && sources.all(|source| path::is_held(window, source))
}
