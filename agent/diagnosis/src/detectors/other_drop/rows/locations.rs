//! Functions, for kernels or drops that come without a reason.

use super::look;
use crate::{
    detectors::other_drop::table::{
        Class::{Decision, Loss, NotLoss},
        DEVICE,
        Match::Sites,
        Row,
    },
    kernel::site,
};

pub(super) static ROWS: &[Row] = &[
    Row {
        matches: Sites(&[&site::DEV_FORWARD_SKB, &site::VETH_XMIT]),
        class: Loss,
        meaning: "the other end of the veth took none: it is down, gone, or its MTU is smaller",
        advice: Some(look(
            "Compare state and MTU with the other end.",
            &["ip", "-details", "link", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Sites(&[&site::ENQUEUE_TO_BACKLOG]),
        class: Loss,
        meaning: "the queue of packets waiting for a CPU was full, or the device was down",
        advice: None,
    },
    Row {
        matches: Sites(&[&site::TAP_HANDLE_FRAME, &site::TUN_NET_XMIT]),
        class: Loss,
        meaning: "the queue to the program or guest behind the device was full, or nobody read it",
        advice: None,
    },
    Row {
        matches: Sites(&[&site::VALIDATE_XMIT_SKB]),
        class: Loss,
        meaning: "they could not be segmented or given a checksum on the way out",
        advice: None,
    },
    Row {
        matches: Sites(&[&site::NEIGH_EVENT_SEND]),
        class: Loss,
        meaning: "the neighbour did not answer, or too many packets waited for it",
        advice: Some(look(
            "See which addresses do not answer.",
            &["ip", "neigh", "show", "dev", DEVICE, "nud", "failed"],
        )),
    },
    Row {
        // Frees a packet when __neigh_create has failed, which it does when the table is full. (ip6_finish_output2
        // frees multicasts without hops left as well.)
        matches: Sites(&[&site::IP_FINISH_OUTPUT2]),
        class: Loss,
        meaning: "no entry could be made for the neighbour: the neighbour table is full",
        advice: Some(look(
            "Count the neighbours, and compare with net.ipv4.neigh.default.gc_thresh3 of the node.",
            &["ip", "neigh", "show"],
        )),
    },
    Row {
        matches: Sites(&[
            &site::MACVLAN_BROADCAST_ENQUEUE,
            &site::IPVLAN_MULTICAST_ENQUEUE,
        ]),
        class: Loss,
        meaning: "the queue of broadcasts for macvlan or ipvlan devices was full",
        advice: None,
    },
    Row {
        // Frees a packet itself only with "don't fragment", after icmp_send(ICMP_FRAG_NEEDED).
        matches: Sites(&[&site::IP_FRAGMENT]),
        class: Loss,
        meaning: "they were longer than the MTU of the way onward and must not be cut; the kernel tells the sender by \
                  ICMP",
        advice: None,
    },
    Row {
        matches: Sites(&[&site::INET_FRAG_RBTREE_PURGE, &site::IP_EXPIRE]),
        class: Loss,
        meaning: "fragments of a datagram were given up; a copied last fragment ends so as well, and nothing is lost \
                  then",
        advice: None,
    },
    Row {
        matches: Sites(site::PACKET_FILTERS),
        class: Decision,
        meaning: "a packet filter rule refused them",
        advice: Some(look(
            "If they should pass, find the rule (its counter rises).",
            &["nft", "list", "ruleset"],
        )),
    },
    Row {
        matches: Sites(&[&site::IP_RCV_FINISH_CORE]),
        class: Decision,
        meaning: "nothing there wants them (a multicast group that no program joined on this interface)",
        advice: None,
    },
    Row {
        matches: Sites(&[&site::IP_DEFRAG]),
        class: Decision,
        meaning: "a fragment arrived twice or did not fit its datagram",
        advice: None,
    },
    Row {
        matches: Sites(&[
            &site::IP6_MC_INPUT,
            &site::ICMPV6_RCV,
            &site::STP_PDU_RCV,
            &site::LLC_RCV,
            &site::BR_HANDLE_FRAME_FINISH,
        ]),
        class: NotLoss,
        meaning: "they are multicasts and control frames that the stack has read or that are not for it",
        advice: None,
    },
    Row {
        matches: Sites(&[
            &site::SKB_RELEASE_DATA,
            &site::SK_STREAM_KILL_QUEUES,
            &site::SKB_QUEUE_PURGE,
            &site::SKB_RBTREE_PURGE,
            &site::INET_SOCK_DESTRUCT,
            &site::UDP_DESTRUCT_SOCK,
            &site::PKTGEN_XMIT,
        ]),
        class: NotLoss,
        meaning: "they were left in the queue of a socket that was closed, or are a sender's own copies",
        advice: None,
    },
    Row {
        // ip_error and dst_discard of a route of type blackhole, prohibit or unreachable; a missing route has a reason.
        matches: Sites(&[&site::IP_ERROR, &site::DST_DISCARD]),
        class: Decision,
        meaning: "the route to their destination refuses them (blackhole, prohibit, unreachable)",
        advice: Some(look(
            "If they should pass, find the route (ip -6 for IPv6).",
            &["ip", "route", "show", "table", "all"],
        )),
    },
    // virtio_transport_recv_listen and others return the packet to this function, which frees it when it is done.
    Row {
        matches: Sites(&[&site::VIRTIO_TRANSPORT_RECV_PKT]),
        class: NotLoss,
        meaning: "they are control packets between a virtual machine and its host (vsock), which the stack has read",
        advice: None,
    },
    // tcp_v4_rcv, do_time_wait: after TCP_TW_SUCCESS the segment is freed without a reason; seen with every connection
    // that ends (6.18). tcp_rcv_state_process frees each segment of a handshake or an end so until 6.8.
    Row {
        matches: Sites(&[
            &site::TCP_V4_RCV,
            &site::TCP_V6_RCV,
            &site::TCP_RCV_STATE_PROCESS,
            &site::TCP_DROP_REASON,
        ]),
        class: NotLoss,
        meaning: "TCP has read them: they open or end a connection",
        advice: None,
    },
];
