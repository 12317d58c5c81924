//! Devices, their queues, and what hands packets over between them.

use super::{Ends, Kernels, Layer::Device, Raises, Reasons, Site, sites};
use crate::kernel::{DeviceCounter, Reason};

sites! {
    /// The hand-over of a received frame to its protocol; label drop: dev_core_stats_rx_dropped_inc or
    /// _rx_nohandler_inc, then kfree_skb_reason. Seen: 10 LLDP frames on a veth, rx_dropped +10 (6.18); on a bond 40 of
    /// 40 (6.1, 6.12). tc's ingress verdict is inlined here (TC_INGRESS) and counts nothing on the device; so the
    /// reasons.
    NETIF_RECEIVE_SKB_CORE = Site::new(Device, &["__netif_receive_skb_core"])
        .raising(&[
            (
                Reasons::OnlyOrUnnamed(&[
                    Reason::UNHANDLED_PROTO,
                    Reason::PFMEMALLOC,
                    Reason::SKB_UCOPY_FAULT,
                ]),
                Raises::Receive,
            ),
        ]);

    /// The check of a veth's receiver: it is down, or its MTU is smaller (____dev_forward_skb, inlined;
    /// __dev_forward_skb before 5.12). Counts rx_dropped of the receiver, and veth_xmit counts priv->dropped of the
    /// sender, whom skb->dev still names. Seen: MTU 9000 against 1500, 119 events, tx_dropped +119 and the peer's
    /// rx_dropped +119 (6.18).
    DEV_FORWARD_SKB = Site::new(Device, &["__dev_forward_skb2", "__dev_forward_skb"])
        .raising(&[(Reasons::Any, Raises::VethSender)])
        .ending(Ends::Wanted);

    /// A veth whose peer is gone, or a frame without a whole Ethernet header (label drop). From the source.
    VETH_XMIT = Site::new(Device, &["veth_xmit"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::TxDropped))])
        .ending(Ends::Wanted);

    /// The full backlog of a CPU: dev_core_stats_rx_dropped_inc(skb->dev), which eth_type_trans has set to the
    /// receiver; NET_RX_DROP then makes veth_xmit count. Some compilers inline it into netif_rx_internal. Seen: 1597
    /// CPU_BACKLOG on a veth, rx_dropped +1597 and its peer's tx_dropped +1597 (6.12; so on 5.10 and 6.1).
    ENQUEUE_TO_BACKLOG = Site::new(Device, &["enqueue_to_backlog", "netif_rx_internal"])
        .raising(&[(Reasons::Any, Raises::Backlog)])
        .ending(Ends::Wanted);

    /// The full queue of a macvtap or ipvtap; label drop: tap->count_rx_dropped. Seen: FULL_RING 225 of 225 (6.1), 200
    /// (6.12), 223 (6.18).
    TAP_HANDLE_FRAME = Site::new(Device, &["tap_handle_frame"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::RxDropped))])
        .ending(Ends::Wanted);

    /// The full queue of a tun or tap, or one that nobody has open; label drop: dev_core_stats_tx_dropped_inc. Seen:
    /// FULL_RING 89 of 89 (6.1).
    TUN_NET_XMIT = Site::new(Device, &["tun_net_xmit"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::TxDropped))])
        .ending(Ends::Wanted);

    /// Packets that a program writes to a tun or tap, refused while the device is down: dev_core_stats_rx_dropped_inc. Frees for
    /// other reasons as well, which it names from 5.18 on. Seen: DEV_READY 5, rx_dropped +5 (6.18); 5 and +5 without a reason
    /// (5.10).
    TUN_GET_USER = Site::new(Device, &["tun_get_user"])
        .raising(&[(
            Reasons::OnlyOrUnnamed(&[Reason::DEV_READY]),
            Raises::Device(DeviceCounter::RxDropped),
        )]);

    /// Failed segmentation or checksumming in software (label out_null). From the source.
    VALIDATE_XMIT_SKB = Site::new(Device, &["validate_xmit_skb"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::TxDropped))])
        .ending(Ends::Wanted);

    /// The way out. SKB_BAD_GSO is what qdisc_pkt_len_segs_init (inlined) says of a super-frame without a TCP header
    /// where one should be; seen with tx_dropped +38 and +95 (6.12.117). DEV_READY and RECURSION_LIMIT leave by the
    /// last lines, dev_core_stats_tx_dropped_inc and kfree_skb_list_reason. Drops of an inlined qdisc or tc verdict
    /// carry reasons of their own and are not the device's, except for a device without carrier: noop_enqueue counts
    /// there. Seen: 6 QDISC_DROP, tx_dropped +6, on a veth whose peer is down (6.18).
    DEV_QUEUE_XMIT = Site::new(Device, &["__dev_queue_xmit"])
        .raising(&[
            (
                Reasons::Only(&[
                    Reason::SKB_BAD_GSO,
                    Reason::DEV_READY,
                    Reason::RECURSION_LIMIT,
                    Reason::QDISC_DROP,
                ]),
                Raises::Transmit,
            ),
        ]);

    /// A device that is down, for what bypasses the queueing discipline (PACKET_QDISC_BYPASS, AF_XDP; label drop). From
    /// the source.
    DEV_DIRECT_XMIT = Site::new(Device, &["__dev_direct_xmit", "dev_direct_xmit"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::TxDropped))]);

    /// A tunnel whose forwarding table knows no other end, not even a default one; dev_core_stats_tx_dropped_inc. Seen:
    /// tx_dropped +1 for one event (6.18).
    VXLAN_XMIT = Site::new(Device, &["vxlan_xmit"])
        .raising(&[
            (Reasons::Only(&[Reason::NO_TX_TARGET]), Raises::Device(DeviceCounter::TxDropped)),
        ]);

    /// The full queue of broadcasts for macvlan devices, counted on the lower device,
    /// dev_core_stats_rx_dropped_inc(skb->dev). From the source.
    MACVLAN_BROADCAST_ENQUEUE = Site::new(Device, &["macvlan_broadcast_enqueue"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::RxDropped))])
        .ending(Ends::Wanted);

    /// The same where a compiler has inlined it, as in every kernel of Debian. This function also frees what is for a
    /// device that is down, so only the reason tells, which 7.3 gives. From the source.
    MACVLAN_HANDLE_FRAME = Site::new(Device, &["macvlan_handle_frame"])
        .raising(&[
            (
                Reasons::Only(&[Reason::MACVLAN_BROADCAST_BACKLOG]),
                Raises::Device(DeviceCounter::RxDropped),
            ),
        ]);

    /// The same for ipvlan devices.
    IPVLAN_MULTICAST_ENQUEUE = Site::new(Device, &["ipvlan_multicast_enqueue"])
        .raising(&[(Reasons::Any, Raises::Device(DeviceCounter::RxDropped))])
        .ending(Ends::Wanted);

    /// The end of a list of packets: a queueing discipline's refusal (__dev_xmit_skb), and the parts of a merged packet.
    KFREE_SKB_LIST = Site::new(Device, &["kfree_skb_list", "kfree_skb_list_reason"])
        .ending_on(Kernels::WithoutReasons, Ends::Either);

    /// The way from a tunnel to the other end: the outer packet has no route.
    VXLAN_XMIT_ONE = Site::new(Device, &["vxlan_xmit_one"]);

    /// The packet generator's own reference to a packet that went its way.
    PKTGEN_XMIT = Site::new(Device, &["pktgen_xmit", "pktgen_stop_device"]).ending(Ends::Unmissed);

    /// Packets that a program had not read from a tun or tap when it closed the device.
    TUN_QUEUE_PURGE = Site::new(Device, &["tun_queue_purge"]).ending(Ends::Unmissed);

    /// An allocation that the kernel tries when a driver starts NAPI. No packet.
    NAPI_GET_FRAGS_CHECK = Site::new(
        Device,
        &["napi_get_frags_check", "netif_napi_add_weight", "netif_napi_add_weight_locked"],
    )
    .ending(Ends::Unmissed);
}
