//! Which counters a drop has raised: one table, by the kernel function that freed the packet.
//!
//! A drop reason alone says nothing about counters: the same reason is given where a counter rises and where none
//! does. So the location decides, and where one function frees packets with and without counting them, the row also
//! names the reasons that count. What has no row raised no counter that the ledger balances, or none for certain:
//!
//! - queueing disciplines count in their own statistics (`qdisc_qstats_drop`), not in the device's `tx_dropped`;
//! - IP, ARP and the bridge's forwarding count nothing on a device (`ip_rcv_core`, `arp_rcv`, `br_handle_frame`);
//! - tc and XDP verdicts count in the program's statistics, though they may be inlined into a counting function.

use super::counters::{ChecksumCounter, CounterOf, DeviceCounter};
use crate::{
    evidence::{DropCount, EvidenceWindow, Link, LinkKind},
    kernel::Reason,
    packets::frame::Frame,
    uapi::ethertype::{ETH_P_IP, ETH_P_LLDP, ETH_P_PAE, ETH_P_SLOW},
};

/// One row: packets freed by one of these functions, for these reasons, have raised these counters.
struct Row {
    functions: &'static [&'static str],
    reasons: Reasons,
    raises: Raises,
}

/// Which drop reasons of a function count.
enum Reasons {
    /// Whatever leaves the function here is counted.
    Any,
    /// These alone. Books nothing on kernels without reasons.
    Only(&'static [Reason]),
    /// These; and on kernels without reasons the function itself, since it seldom frees for another cause.
    OnlyOrUnnamed(&'static [Reason]),
    /// These; and on kernels without reasons what a check has found to be a wrong checksum.
    OnlyOrFound(&'static [Reason]),
}

/// Which counters rise, and on which device.
enum Raises {
    /// `rx_dropped` of the packet's device, or `rx_nohandler` where the frame was for exact matches alone.
    Receive,
    /// One counter of the packet's device.
    Device(DeviceCounter),
    /// `tx_dropped` of the packet's device; for a queueing discipline's drop only where the device has no carrier.
    Transmit,
    /// The packet still belongs to a sending veth: its `tx_dropped`, and its peer's `rx_dropped`.
    VethSender,
    /// The packet already belongs to the receiver: its `rx_dropped`; if that is a veth, its peer's `tx_dropped` too.
    Backlog,
    /// A protocol counter of the packet's namespace.
    Protocol(ChecksumCounter),
    /// UDP's counter of the packet's own IP version, since an IPv6 socket may receive IPv4.
    UdpByVersion,
}

const CHECKSUM_TCP: &[Reason] = &[Reason::TCP_CSUM];
const CHECKSUM_UDP: &[Reason] = &[Reason::UDP_CSUM];

static TABLE: &[Row] = &[
    // __netif_receive_skb_core, label drop: dev_core_stats_rx_dropped_inc or _rx_nohandler_inc, then kfree_skb_reason.
    // Seen: 10 LLDP frames on a veth, rx_dropped +10 (6.18); on a bond 40 of 40 (6.1, 6.12). tc's ingress verdict is
    // inlined here (TC_INGRESS) and counts nothing on the device, hence the reasons.
    Row {
        functions: &["__netif_receive_skb_core"],
        reasons: Reasons::OnlyOrUnnamed(&[
            Reason::UNHANDLED_PROTO,
            Reason::PFMEMALLOC,
            Reason::SKB_UCOPY_FAULT,
        ]),
        raises: Raises::Receive,
    },
    // ____dev_forward_skb (inlined; __dev_forward_skb before 5.12): too long for the receiver, or the receiver is down.
    // Counts rx_dropped of the receiver, and veth_xmit counts priv->dropped of the sender, whom skb->dev still names.
    // Seen: MTU 9000 against 1500, 119 events, tx_dropped +119 and the peer's rx_dropped +119 (6.18).
    Row {
        functions: &["__dev_forward_skb2", "__dev_forward_skb"],
        reasons: Reasons::Any,
        raises: Raises::VethSender,
    },
    // veth_xmit, label drop: the peer is gone or the frame has no whole Ethernet header. From the source.
    Row {
        functions: &["veth_xmit"],
        reasons: Reasons::Any,
        raises: Raises::Device(DeviceCounter::TxDropped),
    },
    // enqueue_to_backlog (inlined into netif_rx_internal by some compilers): dev_core_stats_rx_dropped_inc(skb->dev),
    // which eth_type_trans has set to the receiver; NET_RX_DROP then makes veth_xmit count. Seen: 1597 CPU_BACKLOG on a
    // veth, rx_dropped +1597 and its peer's tx_dropped +1597 (6.12; so on 5.10 and 6.1).
    Row {
        functions: &["enqueue_to_backlog", "netif_rx_internal"],
        reasons: Reasons::Any,
        raises: Raises::Backlog,
    },
    // tap_handle_frame, label drop: tap->count_rx_dropped. Seen: FULL_RING 225 of 225 (6.1), 200 (6.12), 223 (6.18).
    Row {
        functions: &["tap_handle_frame"],
        reasons: Reasons::Any,
        raises: Raises::Device(DeviceCounter::RxDropped),
    },
    // tun_net_xmit, label drop: dev_core_stats_tx_dropped_inc. Seen: FULL_RING 89 of 89 (6.1).
    Row {
        functions: &["tun_net_xmit"],
        reasons: Reasons::Any,
        raises: Raises::Device(DeviceCounter::TxDropped),
    },
    // validate_xmit_skb, label out_null: segmentation or checksumming in software failed. From the source.
    Row {
        functions: &["validate_xmit_skb"],
        reasons: Reasons::Any,
        raises: Raises::Device(DeviceCounter::TxDropped),
    },
    // __dev_queue_xmit. SKB_BAD_GSO is what qdisc_pkt_len_segs_init (inlined) says of a super-frame without a TCP
    // header where one should be; seen with tx_dropped +38 and +95 (6.12.117). DEV_READY and RECURSION_LIMIT leave by
    // the last lines, dev_core_stats_tx_dropped_inc and kfree_skb_list_reason. Drops of an inlined qdisc or tc verdict
    // carry reasons of their own and are not the device's, but for a device without carrier: noop_enqueue counts there.
    // Seen: 6 QDISC_DROP, tx_dropped +6, on a veth whose peer is down (6.18).
    Row {
        functions: &["__dev_queue_xmit"],
        reasons: Reasons::Only(&[
            Reason::SKB_BAD_GSO,
            Reason::DEV_READY,
            Reason::RECURSION_LIMIT,
            Reason::QDISC_DROP,
        ]),
        raises: Raises::Transmit,
    },
    // vxlan_xmit: the forwarding table knows no other end, not even a default one; dev_core_stats_tx_dropped_inc.
    // Seen: tx_dropped +1 for one event (6.18).
    Row {
        functions: &["vxlan_xmit"],
        reasons: Reasons::Only(&[Reason::NO_TX_TARGET]),
        raises: Raises::Device(DeviceCounter::TxDropped),
    },
    // __dev_direct_xmit (PACKET_QDISC_BYPASS, AF_XDP), label drop: the device is down. From the source.
    Row {
        functions: &["__dev_direct_xmit", "dev_direct_xmit"],
        reasons: Reasons::Any,
        raises: Raises::Device(DeviceCounter::TxDropped),
    },
    // macvlan_broadcast_enqueue, ipvlan_multicast_enqueue: the queue of broadcasts is full; counted on the lower
    // device, dev_core_stats_rx_dropped_inc(skb->dev). From the source.
    Row {
        functions: &["macvlan_broadcast_enqueue", "ipvlan_multicast_enqueue"],
        reasons: Reasons::Any,
        raises: Raises::Device(DeviceCounter::RxDropped),
    },
    // TCP_MIB_CSUMERRORS goes with every TCP_CSUM. These functions free for a dozen other reasons too.
    // Seen: 30 events, Tcp.InCsumErrors +30, rx_dropped +0 (6.18); tcp_v4_do_rcv on open connections (6.1).
    Row {
        functions: &[
            "tcp_v4_rcv",
            "tcp_v6_rcv",
            "tcp_v4_do_rcv",
            "tcp_v6_do_rcv",
            "tcp_rcv_established",
            "tcp_drop_reason",
        ],
        reasons: Reasons::OnlyOrFound(CHECKSUM_TCP),
        raises: Raises::Protocol(ChecksumCounter::Tcp),
    },
    // UDP_MIB_CSUMERRORS where the checksum is verified on arrival (no socket, a filter, or a short packet).
    // Seen: UDP_CSUM at __udp4_lib_rcv (6.1). These functions free for other reasons too.
    Row {
        functions: &["__udp4_lib_rcv", "udp_queue_rcv_one_skb"],
        reasons: Reasons::OnlyOrFound(CHECKSUM_UDP),
        raises: Raises::Protocol(ChecksumCounter::Udp),
    },
    Row {
        functions: &["__udp6_lib_rcv", "udpv6_queue_rcv_one_skb"],
        reasons: Reasons::OnlyOrFound(CHECKSUM_UDP),
        raises: Raises::Protocol(ChecksumCounter::Udp6),
    },
    // udp_recvmsg, label csum_copy_err: verified while copying to the reader; the reason is given from 6.15 on.
    // Seen: 20 of 20 as NOT_SPECIFIED (6.1), 50 and 50 (6.12), as UDP_CSUM (6.18).
    Row {
        functions: &["udp_recvmsg"],
        reasons: Reasons::OnlyOrUnnamed(&[Reason::UDP_CSUM, Reason::NOT_SPECIFIED]),
        raises: Raises::Protocol(ChecksumCounter::Udp),
    },
    Row {
        functions: &["udpv6_recvmsg"],
        reasons: Reasons::OnlyOrUnnamed(&[Reason::UDP_CSUM, Reason::NOT_SPECIFIED]),
        raises: Raises::UdpByVersion,
    },
    // __first_packet_length (poll, select, FIONREAD) and udp_read_skb (sockmap) count in the IPv4 MIB whatever the
    // socket's family: they use __UDP_INC_STATS. Seen: 20 IPv6 packets to a polled socket, Udp.InCsumErrors +20 (6.18).
    Row {
        functions: &[
            "__first_packet_length",
            "first_packet_length",
            "udp_read_skb",
        ],
        reasons: Reasons::OnlyOrUnnamed(&[Reason::UDP_CSUM, Reason::NOT_SPECIFIED]),
        raises: Raises::Protocol(ChecksumCounter::Udp),
    },
];

/// EtherTypes that are sent to a link-local group: LLDP, slow protocols (LACP), EAPOL.
const LINK_LOCAL_ETHERTYPES: [u16; 3] = [ETH_P_LLDP, ETH_P_SLOW, ETH_P_PAE];

impl Reasons {
    fn include(&self, reason: &Reason, is_wrong_checksum: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Only(reasons) => reasons.contains(reason),
            Self::OnlyOrUnnamed(reasons) => reason.is_absent() || reasons.contains(reason),
            Self::OnlyOrFound(_) if reason.is_absent() => is_wrong_checksum,
            Self::OnlyOrFound(reasons) => reasons.contains(reason),
        }
    }
}

/// The counters that the packets of this drop key (an index into the window's drops) have raised, once a packet each.
/// Empty when none did, when it cannot be told, or when the key's device is none of this node's.
///
/// `is_wrong_checksum`: a check has found that these packets died of their checksum.
pub(super) fn counters_raised(
    window: &EvidenceWindow,
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
    let row = TABLE.iter().find(|row| {
        row.functions.contains(&key.location.as_str())
            && row.reasons.include(&key.reason, is_wrong_checksum)
    });
    let (Some(row), Some(netns)) = (row, key.netns) else {
        return Vec::new();
    };
    let protocol = |counter| vec![CounterOf::Namespace { netns, counter }];
    match &row.raises {
        Raises::Protocol(counter) => protocol(*counter),
        Raises::UdpByVersion if key.ethertype == ETH_P_IP => protocol(ChecksumCounter::Udp),
        Raises::UdpByVersion => protocol(ChecksumCounter::Udp6),
        raises => match window.link(netns, key.ifindex) {
            Some(link) => device_counters(window, drop, key, link, raises),
            None => Vec::new(),
        },
    }
}

fn device_counters(
    window: &EvidenceWindow,
    drop: usize,
    key: &DropCount,
    link: &Link,
    raises: &Raises,
) -> Vec<CounterOf> {
    let peer = window.veth_peer(link);
    match raises {
        Raises::Device(counter) => vec![counter.of(link)],
        Raises::Receive if for_exact_matches(window, drop, key, link) => {
            let mut counters = vec![DeviceCounter::RxNohandler.of(link)];
            // team_handle_frame counts in the team as well; a bond reads it from the slave (bond_get_stats).
            if link.slave_kind == Some(LinkKind::Team) {
                counters.extend(
                    window
                        .master(link)
                        .map(|team| DeviceCounter::RxNohandler.of(team)),
                );
            }
            counters
        }
        Raises::Receive => vec![DeviceCounter::RxDropped.of(link)],
        Raises::Transmit if key.reason == Reason::QDISC_DROP && !link.lacks_carrier() => Vec::new(),
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
        Raises::Protocol(_) | Raises::UdpByVersion => Vec::new(),
    }
}

/// Whether these frames were left to listeners of that very device (RX_HANDLER_EXACT), so that a frame without one
/// counts as `rx_nohandler`.
///
/// A frame that still has the port of a bond or team as its device was not passed up: `bond_handle_frame` and
/// `team_handle_frame` answer RX_HANDLER_EXACT for an inactive port, but RX_HANDLER_PASS for link-local groups. A team's
/// mode that has one active port (`ab_receive`) makes no such exception.
fn for_exact_matches(window: &EvidenceWindow, drop: usize, key: &DropCount, link: &Link) -> bool {
    if !matches!(link.slave_kind, Some(LinkKind::Bond | LinkKind::Team)) {
        return false;
    }
    if link.is_waiting_team_port() {
        return true;
    }
    let (mut link_local, mut other) = (0_usize, 0_usize);
    let samples = window.drops.value().into_iter();
    for sample in samples.flat_map(|drops| drops.samples_of(drop)) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::TABLE;

    #[test]
    fn a_function_has_one_row() {
        let mut seen = BTreeSet::new();
        for function in TABLE.iter().flat_map(|row| row.functions) {
            assert!(seen.insert(function), "{function} is in two rows");
        }
    }

    #[test]
    fn every_function_is_in_the_document() {
        let document = include_str!("../../../../docs/ledger.md");
        for function in TABLE.iter().flat_map(|row| row.functions) {
            assert!(
                document.contains(&format!("`{function}`")),
                "docs/ledger.md does not name {function}"
            );
        }
    }
}
