//! The promiscuity findings that let the frames in: only those of devices that would have filtered them otherwise.

use super::frames::Frames;
use crate::{
    Window,
    detectors::promiscuity::Openers,
    evidence::{Link, LinkKind},
    finding::FindingId,
    packets::frame::Mac,
};

/// 01:80:c2:00:00:02, the group of the slow protocols.
const SLOW_PROTOCOLS: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0x02]);

/// The kind of frames that a receive filter would have had to let through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// A group that nobody on the device has joined.
    Multicast,
    /// Another device's address.
    OtherUnicast,
}

/// The findings by which these frames came in.
pub(super) fn findings(
    window: &Window<'_>,
    openers: &Openers<'_>,
    link: &Link,
    frames: &Frames<'_>,
) -> Vec<FindingId> {
    let Some(passage) = passage(window, link, frames) else {
        return Vec::new();
    };
    openers.of_devices(entrances(window, link), |device| {
        device.is_promiscuous() || (passage == Passage::Multicast && device.is_all_multicast())
    })
}

/// The devices at which frames that reach `link` come in.
fn entrances<'a>(window: &'a Window<'_>, link: &'a Link) -> Vec<&'a Link> {
    if link.kind != Some(LinkKind::Bridge) {
        return window.topology.stack_below(link);
    }
    let ports: Vec<&Link> = window.topology.ports(link).collect();
    let stacks = ports.iter().map(|port| window.topology.stack_below(port));
    let stacks: Vec<Vec<&Link>> = stacks.collect();
    // A port without a filter may have brought the frames, whatever the others do.
    let all_filter = stacks
        .iter()
        .all(|stack| stack.iter().any(|device| device.filters_addresses()));
    if all_filter {
        stacks.concat()
    } else {
        Vec::new()
    }
}

/// `None` when some of the frames need no open filter: broadcast, the node's own addresses, groups that the device has
/// joined or may have joined.
fn passage(window: &Window<'_>, link: &Link, frames: &Frames<'_>) -> Option<Passage> {
    let mut passage = Passage::Multicast;
    if frames.destinations.is_empty() || frames.for_us > 0 {
        return None;
    }
    for address in &frames.destinations {
        if address.is_broadcast() || is_ip_group(*address) {
            return None;
        }
        if *address == SLOW_PROTOCOLS && listens_to_slow_protocols(window, link) {
            return None;
        }
        if !address.is_multicast() {
            passage = Passage::OtherUnicast;
        }
    }
    Some(passage)
}

/// Groups of IPv4 (RFC 1112: the lower half of the range) and IPv6 multicast: any program may have joined them.
fn is_ip_group(address: Mac) -> bool {
    let [a, b, c, d, ..] = address.0;
    ((a, b, c) == (0x01, 0x00, 0x5e) && d < 0x80) || (a, b) == (0x33, 0x33)
}

/// A bond in mode 802.3ad joins the group of the slow protocols on its slaves (`bond_enslave`).
fn listens_to_slow_protocols(window: &Window<'_>, link: &Link) -> bool {
    let is_lacp = |link: &Link| {
        link.bond
            .as_ref()
            .is_some_and(|bond| bond.mode == "802.3ad")
    };
    is_lacp(link) || window.topology.master(link).is_some_and(is_lacp)
}
