//! The everyday noise of a kernel: what nobody misses by the evidence of the packets, or by what the site is.

use crate::{
    detectors::{
        kit::seen::Seen,
        other_drop::table::{
            On::{At, Reasons, Sites},
            Row,
            When::{All, BlockingPort, Counted, Uncounted, UnreadyAndAll},
        },
    },
    kernel::{NamespaceCounter, Reason, site},
};

const UNNAMED: &[Reason] = &[Reason::ABSENT, Reason::NOT_SPECIFIED];

pub(super) static ROWS: &[Row] = &[
    // An answered ping: the raw socket has its copy, and the kernel frees its own. Seen: 20 of 20 answered.
    Row::unmissed(At(&[Reason::NO_SOCKET], site::PINGS)),
    Row::unmissed(At(UNNAMED, &[&site::ICMP_RCV])).when(All(Seen::EchoReply)),
    // Broadcast pings: icmp_echo_ignore_broadcasts is the default.
    Row::unmissed(At(
        &[Reason::INVALID_PROTO, Reason::ABSENT, Reason::NOT_SPECIFIED],
        &[&site::ICMP_RCV],
    ))
    .when(All(Seen::Group)),
    // Multicast listener reports, router and neighbour solicitations before IPv6 is ready: no route could exist.
    Row::unmissed(At(
        &[
            Reason::IP_INNOROUTES,
            Reason::IP_OUTNOROUTES,
            Reason::ABSENT,
            Reason::NOT_SPECIFIED,
        ],
        &[&site::IP6_PKT_DROP],
    ))
    .when(All(Seen::LinkLocalGroup)),
    // noop_enqueue of a device that is not active yet. Each start of a pod does it. The kernel's own messages are told
    // also where the device is active by now; a routing daemon's are not, because its queue may have been full.
    Row::unmissed(Reasons(&[Reason::QDISC_DROP])).when(UnreadyAndAll(Seen::LinkLocalGroup)),
    Row::unmissed(Reasons(&[Reason::QDISC_DROP])).when(All(Seen::Announcement)),
    Row::unmissed(At(UNNAMED, &[&site::KFREE_SKB_LIST])).when(UnreadyAndAll(Seen::LinkLocalGroup)),
    Row::unmissed(At(UNNAMED, &[&site::KFREE_SKB_LIST])).when(All(Seen::Announcement)),
    // A device that is down, for broadcast and multicast only: it was left over.
    Row::unmissed(Reasons(&[Reason::DEV_READY])).when(UnreadyAndAll(Seen::Group)),
    // UDP broadcast that no program reads, at every receiver and at the sender itself.
    Row::unmissed(At(UNNAMED, &[&site::UDP4_LIB_RCV, &site::UDP6_LIB_RCV])).when(All(Seen::Group)),
    Row::unmissed(At(&[Reason::NOT_SPECIFIED], &[&site::UDP4_LIB_RCV]))
        .when(Counted(NamespaceCounter::UdpIgnoredMulti)),
    // Without reasons the packet tells what later kernels call OTHERHOST and IPV6DISABLED.
    Row::unmissed(At(UNNAMED, site::IP_HEADERS)).when(All(Seen::OtherHost)),
    Row::unmissed(At(UNNAMED, &[&site::IP6_RCV_CORE])).when(All(Seen::NotForUs)),
    Row::unmissed(Reasons(&[Reason::IPV6DISABLED])).when(All(Seen::NotForUs)),
    // The last segments of a connection that is closed: no listener is missing.
    Row::unmissed(At(
        &[Reason::ABSENT, Reason::NO_SOCKET],
        &[&site::TCP_V4_RCV, &site::TCP_V6_RCV],
    ))
    .when(All(Seen::BareSegment)),
    // ip_forward does not forward what was sent to a broadcast address of the link layer.
    Row::unmissed(At(UNNAMED, &[&site::IP_FORWARD])).when(All(Seen::Group)),
    // A group that no program joined there, and that no router of multicast forwards.
    Row::unmissed(At(&[Reason::NOT_SPECIFIED], &[&site::IP_RCV_FINISH_CORE]))
        .when(All(Seen::Group)),
    // Multicast and broadcast of a tunnel without an entry for floods, on every quiet overlay device.
    Row::unmissed(At(
        &[Reason::NO_TX_TARGET, Reason::ABSENT, Reason::NOT_SPECIFIED],
        &[&site::VXLAN_XMIT],
    ))
    .when(All(Seen::Group)),
    Row::unmissed(Reasons(&[Reason::TUNNEL_TXINFO, Reason::VXLAN_NO_REMOTE]))
        .when(All(Seen::Group)),
    // Groups that the bridge has read, or that lead to no other port.
    Row::unmissed(At(UNNAMED, &[&site::BR_HANDLE_FRAME_FINISH])).when(All(Seen::Group)),
    // A bridge without another port: the group has nobody there. Newer kernels say NO_TX_TARGET.
    Row::unmissed(At(
        &[Reason::ABSENT, Reason::NOT_SPECIFIED, Reason::NO_TX_TARGET],
        &[&site::BR_DEV_XMIT, &site::BR_FLOOD],
    ))
    .when(All(Seen::LinkLocalGroup)),
    Row::unmissed(At(UNNAMED, &[&site::BR_HANDLE_FRAME])).when(All(Seen::LinkLocalGroup)),
    Row::unmissed(At(UNNAMED, &[&site::BR_HANDLE_FRAME])).when(BlockingPort),
    // A redundant uplink blocks for good, and gets what the other one gets.
    Row::unmissed(Reasons(&[Reason::BRIDGE_INGRESS_STP_STATE])).when(BlockingPort),
    Row::unmissed(Reasons(&[Reason::BRIDGE_INGRESS_STP_STATE])).when(All(Seen::LinkLocalGroup)),
    // Another copy of the fragment is there already. A fragment that finds no memory fails its datagram.
    Row::unmissed(Reasons(&[Reason::DUP_FRAG])),
    Row::unmissed(At(UNNAMED, &[&site::IP_DEFRAG])).when(Uncounted(NamespaceCounter::ReasmFails)),
    // Copies, and what is no packet at all.
    Row::unmissed(Sites(&[
        &site::PACKET_RCV,
        &site::PKTGEN_XMIT,
        &site::TUN_QUEUE_PURGE,
        &site::NAPI_GET_FRAGS_CHECK,
        &site::NEIGH_GET,
        &site::UNIX_STREAM_CONNECT,
        &site::FAILED_SEND,
        &site::BR_MULTICAST_SEND_QUERY,
        &site::IGMP_RCV,
    ])),
];
