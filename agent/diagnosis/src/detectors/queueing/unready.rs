//! Devices that are switched off, that nobody reads or that have no carrier.
//!
//! While a device is not active, `noop_qdisc` stands in for its queueing discipline and drops whatever it is to send
//! (`dev_deactivate`, `dev_activate`). `tun_net_xmit` refuses frames while no program has the device open
//! (`__tun_detach`), and `tun_get_user` refuses those of the program while the device is down. `tap_handle_frame` leaves
//! frames to the node's own stack while nobody has a macvtap open.

use std::net::IpAddr;

use super::kind::{Kind, Lasts};
use crate::{
    Window,
    detectors::kit::{
        harm,
        seen::{Around, Seen},
    },
    evidence::{DropCount, Link, LinkKind, Namespace, PacketSample},
    finding::Confidence,
    kernel::{
        Reason,
        site::{self, Layer, Site},
    },
    packets::{
        frame::{Frame, Mac},
        ip::IpPacket,
    },
};

/// Why the device did not hand on the packets of this key; `None` where its state says nothing about them.
pub(super) fn why(
    window: &Window<'_>,
    namespace: &Namespace,
    link: &Link,
    key: &DropCount,
    samples: &[&PacketSample],
) -> Option<(Kind, Confidence)> {
    if let Some(confidence) = climbed(window, namespace, link, key, samples) {
        return Some(match is_unread(window, link) {
            true => (
                Kind::NoReader(Lasts::Still),
                as_far_as_seen(window, confidence),
            ),
            false => (Kind::NoReader(Lasts::Over), confidence),
        });
    }
    let is_at = |site: &Site| key.location.is_of(site);
    let is_not_ready = key.reason == Reason::DEV_READY;
    let is_named = is_not_ready || key.reason == Reason::QDISC_DROP;
    if !link.is_up() {
        let is_sent = is_named || is_unnamed_end_of_sent(key);
        let is_written = key.reason.is_absent() && is_at(&site::TUN_GET_USER);
        let is_proved = is_not_ready || (key.reason == Reason::QDISC_DROP && is_of_noop(link, key));
        return (is_sent || is_written).then(|| (Kind::DeviceDown, certain_if(is_proved)));
    }
    if link.lacks_carrier() {
        let is_asked_in_vain = is_unanswered(key) && harm::sent(link) == 0;
        if is_named || is_unnamed_end_of_sent(key) || is_asked_in_vain {
            return Some(without_carrier(window, link, key, is_not_ready));
        }
        return None;
    }
    if is_not_ready && is_at(&site::TUN_NET_XMIT) {
        return Some((Kind::NoReader(Lasts::Over), Confidence::Certain));
    }
    let is_noop = key.reason == Reason::QDISC_DROP && link.has_no_queue();
    let was_active = link.stats_before.is_some_and(|stats| stats.tx_packets > 0);
    match (is_noop, was_active) {
        (true, false) => Some((Kind::NotYetActive, Confidence::Certain)),
        // Also a redirection by tc ends packets so, and raises no counter.
        (true, true) if is_counted(link, key) => {
            Some((Kind::NoCarrier(Lasts::Over), Confidence::Certain))
        }
        _ => None,
    }
}

/// The device counted the packets: from 6.11 on, `noop_qdisc` does, and no other queueing discipline.
fn is_counted(link: &Link, key: &DropCount) -> bool {
    link.increase(|stats| stats.tx_dropped) >= key.at_least.max(1)
}

/// No queue of the device can have dropped them; else it may have been full before the device went down or lost its
/// carrier.
fn is_of_noop(link: &Link, key: &DropCount) -> bool {
    link.has_no_queue() || is_counted(link, key) || harm::sent(link) == 0
}

/// No program was seen that has the device open.
fn is_unread(window: &Window<'_>, link: &Link) -> bool {
    window.tun_holders_of(link).is_empty()
}

/// Confidence in that: likely at most where not all programs could be looked into.
fn as_far_as_seen(window: &Window<'_>, confidence: Confidence) -> Confidence {
    match window.tun_holders.missing() {
        Some(_) => confidence.min(Confidence::Likely),
        None => confidence,
    }
}

fn certain_if(is_certain: bool) -> Confidence {
    match is_certain {
        true => Confidence::Certain,
        false => Confidence::Likely,
    }
}

/// A device that is up and has no carrier: that of a program lacks its reader.
fn without_carrier(
    window: &Window<'_>,
    link: &Link,
    key: &DropCount,
    is_not_ready: bool,
) -> (Kind, Confidence) {
    let is_proved = is_not_ready || (key.reason == Reason::QDISC_DROP && is_of_noop(link, key));
    let confidence = certain_if(is_proved);
    match link.kind == Some(LinkKind::Tun) && is_unread(window, link) {
        // The device refuses so only while no program has it open.
        true if is_not_ready && key.location.is_of(&site::TUN_NET_XMIT) => {
            (Kind::NoReader(Lasts::Still), confidence)
        }
        true => (
            Kind::NoReader(Lasts::Still),
            as_far_as_seen(window, confidence),
        ),
        false => (Kind::NoCarrier(Lasts::Still), confidence),
    }
}

/// Without reasons: what the queueing discipline or the device of a program refused.
fn is_unnamed_end_of_sent(key: &DropCount) -> bool {
    let ends: [&Site; 2] = [&site::KFREE_SKB_LIST, &site::TUN_NET_XMIT];
    key.reason.is_absent() && key.location.is_of_any(&ends)
}

/// Packets that waited for the answer of a neighbour.
fn is_unanswered(key: &DropCount) -> bool {
    let ends: [&Site; 2] = [&site::NEIGH_INVALIDATE, &site::NEIGH_EVENT_SEND];
    [Reason::NEIGH_FAILED, Reason::NEIGH_QUEUEFULL].contains(&key.reason)
        || (key.reason.is_unnamed() && key.location.is_of_any(&ends))
}

/// Frames for a guest that climbed the node's own stack, because no program had the guest's macvtap open.
fn climbed(
    window: &Window<'_>,
    namespace: &Namespace,
    link: &Link,
    key: &DropCount,
    samples: &[&PacketSample],
) -> Option<Confidence> {
    let is_guests = matches!(link.kind, Some(LinkKind::MacVtap | LinkKind::IpVtap));
    let layer = key.location.site().map(Site::layer);
    if !is_guests || layer != Some(Layer::Ip) {
        return None;
    }
    if samples.is_empty() {
        // A namespace may use the device itself: then it has an address there.
        let mut own = Around::of(namespace, link).prefixes();
        let is_unused =
            own.all(|(address, _)| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
        return (is_unused && is_unread(window, link)).then_some(Confidence::Likely);
    }
    let own = link.address.as_deref().and_then(Mac::parse)?;
    let is_for_guest = |sample: &&PacketSample| {
        let frame = sample.has_link_header.then(|| Frame::decode(&sample.bytes));
        let is_own = frame
            .flatten()
            .is_some_and(|frame| frame.destination == own);
        let packet = IpPacket::of_sample(sample);
        let is_here = packet.is_none_or(|packet| {
            let mut holders = window.holders_of(packet.destination).iter();
            holders.any(|(holder, _)| holder.id == namespace.id)
        });
        is_own && !is_here && !Seen::NotForUs.is(sample, Around::of(namespace, link))
    };
    samples
        .iter()
        .all(is_for_guest)
        .then_some(Confidence::Certain)
}
