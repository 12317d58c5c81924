//! Reasons and functions of drops that may be about a checksum.

use crate::{
    Window,
    evidence::{DropCount, Namespace, NetnsId},
    kernel::{NamespaceCounter, Reason, Site, site},
};

/// Sites that verify a checksum on arrival and free packets for other reasons too, and the counter that rises for each
/// wrong one. For kernels that give no reason.
struct OnArrival {
    sites: &'static [&'static Site],
    counter: NamespaceCounter,
    /// Sites at which it rises later, for packets of their own.
    later: &'static [&'static Site],
}

static ON_ARRIVAL: [OnArrival; 3] = [
    OnArrival {
        sites: site::TCP_ARRIVAL,
        counter: NamespaceCounter::TcpInCsumErrors,
        later: &[],
    },
    OnArrival {
        sites: &[&site::UDP4_LIB_RCV, &site::UDP_QUEUE_RCV_ONE_SKB],
        counter: NamespaceCounter::UdpInCsumErrors,
        later: &[&site::UDP_RECVMSG, &site::FIRST_PACKET_LENGTH],
    },
    OnArrival {
        sites: &[&site::UDP6_LIB_RCV, &site::UDPV6_QUEUE_RCV_ONE_SKB],
        counter: NamespaceCounter::Udp6InCsumErrors,
        later: &[&site::UDPV6_RECVMSG],
    },
];

// `ip_summed` tells a healthy packet only below the transports: `udp_csum_pull_header` sets it to CHECKSUM_NONE while
// the field still holds the half-made sum (`skb_postpull_rcsum`), so what a full or closed socket drops looks lost.
// Only these can drop a packet because connection tracking called it invalid.

/// Reasons for which packets are dropped whose destination connection tracking left untranslated.
const MISDIRECTED: [Reason; 4] = [
    Reason::IP_INADDRERRORS,
    Reason::IP_INNOROUTES,
    Reason::IP_OUTNOROUTES,
    Reason::IP_RPFILTER,
];

/// The judge of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trigger {
    /// The kernel verified the checksum and dropped the packet for it.
    Checksum,
    /// Something else dropped it, such as a rule against packets that connection tracking calls invalid. Only the
    /// packet itself can show that its checksum is the reason.
    Elsewhere,
}

/// The trigger of this drop, if it may be about a checksum.
pub(super) fn of(window: &Window<'_>, drop: &DropCount) -> Option<Trigger> {
    let rose = |counter| {
        let namespace = drop.netns.and_then(|netns| window.namespace(netns));
        namespace
            .and_then(|namespace| namespace.increase(counter))
            .map(|increase| increase > 0)
    };
    let late = drop.location.is_of_any(site::UDP_READING);
    match &drop.reason {
        reason if is_checksum_reason(reason) => Some(Trigger::Checksum),
        reason if reason.is_unnamed() && late => {
            let counted = [
                NamespaceCounter::UdpInCsumErrors,
                NamespaceCounter::Udp6InCsumErrors,
            ]
            .map(|counter| rose(counter.name()));
            let silent = counted.iter().all(|rose| *rose == Some(false));
            (!silent).then_some(Trigger::Checksum)
        }
        reason if reason.is_absent() && only_checksums(window, drop) => Some(Trigger::Checksum),
        reason
            if *reason == Reason::NETFILTER_DROP
                || (reason.is_unnamed() && drop.location.is_of_any(site::PACKET_FILTERS)) =>
        {
            Some(Trigger::Elsewhere)
        }
        reason
            if MISDIRECTED.contains(reason)
                || (reason.is_absent() && drop.location.is_of_any(site::ROUTING)) =>
        {
            finds_invalid(window, drop).then_some(Trigger::Elsewhere)
        }
        _ => None,
    }
}

/// Connection tracking found packets invalid, there or on the node.
pub(super) fn finds_invalid(window: &Window<'_>, drop: &DropCount) -> bool {
    let there = drop.netns.and_then(|netns| window.namespace(netns));
    let mut namespaces = there.into_iter().chain(window.node_namespace());
    namespaces.any(|namespace| {
        let rise = namespace.increase(NamespaceCounter::ConntrackInvalid.name());
        rise.is_some_and(|rise| rise > 0)
    })
}

/// If the kernel gives no reasons, the namespace's counter of wrong checksums tells: what was freed there on arrival
/// was freed for its checksum if the counter rose as much, except for one in ten. What surely fell between the two
/// reads of the counter is compared.
fn only_checksums(window: &Window<'_>, drop: &DropCount) -> bool {
    let Some(verified) = ON_ARRIVAL
        .iter()
        .find(|verified| drop.location.is_of_any(verified.sites))
    else {
        return false;
    };
    let namespace = drop.netns.and_then(|netns| window.namespace(netns));
    let increase = namespace.and_then(|namespace| namespace.increase(verified.counter.name()));
    let freed = |sites: &[&Site], netns: Option<NetnsId>| {
        let drops = window.drops_in(netns).iter();
        drops
            .filter(|other| other.location.is_of_any(sites))
            .fold(0_u64, |sum, other| sum.saturating_add(other.at_least))
    };
    let on_arrival = freed(verified.sites, drop.netns);
    // What is verified late has lost its device, and may be of any namespace.
    let elsewhere = drop.netns.map_or(0, |_| freed(verified.later, None));
    let later = freed(verified.later, drop.netns).saturating_add(elsewhere);
    increase.is_some_and(|rose| rose > later && rose - later >= on_arrival - on_arrival / 10)
}

/// The number of segments with a wrong checksum that TCP freed in this namespace without an event: before 5.17
/// `tcp_drop` so frees what an open connection refuses.
pub(super) fn unseen(window: &Window<'_>, namespace: &Namespace) -> u64 {
    if window.drops.value().is_none_or(|drops| drops.has_reasons) {
        return 0;
    }
    let [tcp, ..] = &ON_ARRIVAL;
    let seen = window
        .drops_in(Some(namespace.id))
        .iter()
        .filter(|drop| drop.location.is_of_any(tcp.sites))
        .filter(|drop| of(window, drop).is_some())
        .fold(0_u64, |sum, drop| sum.saturating_add(drop.count));
    let increase = namespace.increase(tcp.counter.name()).unwrap_or(0);
    increase.saturating_sub(seen)
}

fn is_checksum_reason(reason: &Reason) -> bool {
    is_transport_checksum(reason) || is_other_checksum(reason)
}

fn is_transport_checksum(reason: &Reason) -> bool {
    [Reason::TCP_CSUM, Reason::UDP_CSUM].contains(reason)
}

pub(super) fn is_other_checksum(reason: &Reason) -> bool {
    [Reason::IP_CSUM, Reason::ICMP_CSUM, Reason::SKB_CSUM].contains(reason)
}
