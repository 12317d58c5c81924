//! Frames whose EtherType a flipped bit made unknown, on a device that gets broken bytes.

use super::candidates::Candidates;
use crate::{
    Window,
    evidence::{DropCount, PacketSample},
    kernel::{Reason, site},
    packets::{
        frame::{Carried, Frame},
        protocols::Protocol,
    },
    uapi::ethertype::{ETH_P_802_3_MIN, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6},
};

/// The keys of such frames at the place of these candidates.
pub(super) fn of<'a>(
    window: &'a Window<'_>,
    candidates: &Candidates<'_>,
) -> impl Iterator<Item = (usize, &'a DropCount)> {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    let place = (candidates.netns, candidates.ifindex);
    let keys = counts.iter().enumerate();
    keys.filter(move |(index, key)| {
        (key.netns, key.ifindex) == place && is_unreceived(key) && is_flipped(window, *index, key)
    })
}

fn is_unreceived(key: &DropCount) -> bool {
    let is_named = key.reason == Reason::UNHANDLED_PROTO || key.reason.is_unnamed();
    is_named && key.location.is_of(&site::NETIF_RECEIVE_SKB_CORE) && key.count > 0
}

/// The number has no name, is one bit from that of IPv4, IPv6 or ARP, and the sampled frames go on as that does.
fn is_flipped(window: &Window<'_>, index: usize, key: &DropCount) -> bool {
    let number = key.ethertype;
    let is_near = |known: u16| (number ^ known).count_ones() == 1;
    let fits = |known: u16| {
        let mut samples = window.samples_of(index);
        is_near(known) && samples.all(|sample| goes_on_as(known, sample))
    };
    number >= ETH_P_802_3_MIN
        && !Protocol::of(Carried::EtherType(number), &[]).is_known()
        && [ETH_P_IP, ETH_P_IPV6, ETH_P_ARP].into_iter().any(fits)
}

/// The bytes behind the EtherType begin as those of the known protocol.
fn goes_on_as(known: u16, sample: &PacketSample) -> bool {
    let frame = Frame::decode(&sample.bytes).filter(|_| sample.has_link_header);
    let payload = frame.map_or(
        sample
            .bytes
            .get(usize::from(sample.network_offset.unwrap_or(0))..),
        |frame| Some(frame.payload),
    );
    match (known, payload.unwrap_or_default()) {
        (ETH_P_IP, [first, ..]) => first >> 4 == 4,
        (ETH_P_IPV6, [first, ..]) => first >> 4 == 6,
        // Hardware type Ethernet.
        (_, [0, 1, ..]) => true,
        _ => false,
    }
}
