//! Which counters a drop has raised, by the site in the kernel that freed the packet.
//!
//! A drop reason by itself says nothing about counters: the same reason is given where a counter rises and where none
//! does. So the site decides, and where one function frees packets with and without counting them, the site also
//! names the reasons that count. A site that raises nothing raised no counter that the ledger balances, or none for
//! certain:
//!
//! - queueing disciplines count in their own statistics (`qdisc_qstats_drop`), not in the device's `tx_dropped`;
//! - IP, ARP and the bridge's forwarding count nothing on a device (`ip_rcv_core`, `arp_rcv`, `br_handle_frame`);
//! - tc and XDP verdicts count in the program's statistics, though they may be inlined into a counting function.

use super::counters::CounterOf;
use crate::{
    Window,
    evidence::{DropCount, Link, LinkKind},
    kernel::{DeviceCounter, NamespaceCounter, Reason, Site, site::Raises},
    packets::frame::Frame,
    uapi::ethertype::{ETH_P_IP, ETH_P_LLDP, ETH_P_PAE, ETH_P_SLOW},
};

/// EtherTypes that are sent to a link-local group: LLDP, slow protocols (LACP), EAPOL.
const LINK_LOCAL_ETHERTYPES: [u16; 3] = [ETH_P_LLDP, ETH_P_SLOW, ETH_P_PAE];

/// The counters that the packets of this drop key (an index into the window's drops) have raised, once a packet each.
/// Empty when none did, when it cannot be told, or when the key's device is none of this node's.
///
/// `is_wrong_checksum`: a check has found that these packets died of their checksum.
pub(super) fn counters_raised(
    window: &Window<'_>,
    drop: usize,
    is_wrong_checksum: bool,
) -> Vec<CounterOf> {
    let Some(key) = window
        .drops
        .value()
        .and_then(|drops| drops.counts.get(drop))
    else {
        return Vec::new();
    };
    let Some(netns) = key.netns else {
        return Vec::new();
    };
    let raises = key.location.site().map_or(&[][..], Site::raises).iter();
    raises
        .filter(|(reasons, _)| reasons.include(&key.reason, is_wrong_checksum))
        .flat_map(|(_, raises)| {
            let of_namespace = |counter| vec![CounterOf::Namespace { netns, counter }];
            match raises {
                Raises::Namespace(counter) => of_namespace(*counter),
                Raises::UdpByVersion if key.ethertype == ETH_P_IP => {
                    of_namespace(NamespaceCounter::UdpInCsumErrors)
                }
                Raises::UdpByVersion => of_namespace(NamespaceCounter::Udp6InCsumErrors),
                raises => match window.topology.link(netns, key.ifindex) {
                    Some(link) => device_counters(window, drop, key, link, raises),
                    None => Vec::new(),
                },
            }
        })
        .collect()
}

fn device_counters(
    window: &Window<'_>,
    drop: usize,
    key: &DropCount,
    link: &Link,
    raises: &Raises,
) -> Vec<CounterOf> {
    let peer = window.topology.veth_peer(link);
    match raises {
        Raises::Device(counter) => vec![counter.of(link)],
        Raises::Receive if for_exact_matches(window, drop, key, link) => {
            let mut counters = vec![DeviceCounter::RxNohandler.of(link)];
            // team_handle_frame counts in the team as well; a bond reads it from the slave (bond_get_stats).
            if link.slave_kind == Some(LinkKind::Team) {
                counters.extend(
                    window
                        .topology
                        .master(link)
                        .map(|team| DeviceCounter::RxNohandler.of(team)),
                );
            }
            counters
        }
        Raises::Receive => vec![DeviceCounter::RxDropped.of(link)],
        // noop_qdisc, which stands in until the device is active, counts on the device (6.11 on); others for themselves.
        Raises::Transmit
            if key.reason == Reason::QDISC_DROP
                && !link.lacks_carrier()
                && !link.has_no_queue() =>
        {
            Vec::new()
        }
        Raises::Transmit => vec![DeviceCounter::TxDropped.of(link)],
        // Another device than a veth has handed it over (macvlan, bpf_redirect): whom it counted on is not known.
        Raises::VethSender if link.kind != Some(LinkKind::Veth) => Vec::new(),
        Raises::VethSender => [
            Some(DeviceCounter::TxDropped.of(link)),
            peer.map(|peer| DeviceCounter::RxDropped.of(peer)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Raises::Backlog => [
            Some(DeviceCounter::RxDropped.of(link)),
            peer.map(|peer| DeviceCounter::TxDropped.of(peer)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Raises::Namespace(_) | Raises::UdpByVersion => Vec::new(),
    }
}

/// True if these frames were left to listeners of that very device (RX_HANDLER_EXACT), so that a frame without a
/// listener counts as `rx_nohandler`.
///
/// A frame that still has the port of a bond or team as its device was not passed up: `bond_handle_frame` and
/// `team_handle_frame` answer RX_HANDLER_EXACT for an inactive port, but RX_HANDLER_PASS for link-local groups. A team's
/// mode that has one active port (`ab_receive`) makes no such exception.
fn for_exact_matches(window: &Window<'_>, drop: usize, key: &DropCount, link: &Link) -> bool {
    if !matches!(link.slave_kind, Some(LinkKind::Bond | LinkKind::Team)) {
        return false;
    }
    if link.is_waiting_team_port() {
        return true;
    }
    let (mut link_local, mut other) = (0_usize, 0_usize);
    for sample in window.samples_of(drop) {
        if !sample.has_link_header {
            continue;
        }
        match Frame::decode(&sample.bytes) {
            Some(frame) if frame.destination.is_link_local() => link_local += 1,
            Some(_) => other += 1,
            None => {}
        }
    }
    if link_local + other == 0 {
        return !LINK_LOCAL_ETHERTYPES.contains(&key.ethertype);
    }
    other > link_local
}
