//! Functions, for kernels or drops that come without a reason.

use super::{AT_ONCE, NEVER, OF_A_QUEUE, UNDER_LOAD, look};
use crate::detectors::other_drop::table::{
    Class::{Decision, Loss, NotLoss},
    DEVICE,
    Match::{Locations, Reasonless, Unspecified},
    Row,
};

pub(super) static ROWS: &[Row] = &[
    Row {
        matches: Locations(&["__dev_forward_skb2", "__dev_forward_skb", "veth_xmit"]),
        class: Loss {
            warn_per_minute: AT_ONCE,
        },
        meaning: "the other end of the veth took none: it is down, gone, or its MTU is smaller",
        advice: Some(look(
            "Compare state and MTU with the other end.",
            &["ip", "-details", "link", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Locations(&["enqueue_to_backlog", "netif_rx_internal"]),
        class: Loss {
            warn_per_minute: AT_ONCE,
        },
        meaning: "the queue of packets waiting for a CPU was full, or the device was down",
        advice: None,
    },
    Row {
        matches: Locations(&["tap_handle_frame", "tun_net_xmit"]),
        class: Loss {
            warn_per_minute: AT_ONCE,
        },
        meaning: "the queue to the program or guest behind the device was full, or nobody read it",
        advice: None,
    },
    Row {
        matches: Locations(&["validate_xmit_skb"]),
        class: Loss {
            warn_per_minute: AT_ONCE,
        },
        meaning: "they could not be segmented or given a checksum on the way out",
        advice: None,
    },
    Row {
        matches: Locations(&["__neigh_event_send"]),
        class: Loss {
            warn_per_minute: UNDER_LOAD,
        },
        meaning: "the neighbour did not answer, or too many packets waited for it",
        advice: Some(look(
            "See which addresses do not answer.",
            &["ip", "neigh", "show", "dev", DEVICE, "nud", "failed"],
        )),
    },
    Row {
        // Frees a packet when __neigh_create has failed, which it does when the table is full. (ip6_finish_output2
        // frees multicasts without hops left as well.)
        matches: Reasonless(&["ip_finish_output2"]),
        class: Loss {
            warn_per_minute: AT_ONCE,
        },
        meaning: "no entry could be made for the neighbour: the neighbour table is full",
        advice: Some(look(
            "Count the neighbours, and compare with net.ipv4.neigh.default.gc_thresh3 of the node.",
            &["ip", "neigh", "show"],
        )),
    },
    Row {
        matches: Locations(&["macvlan_broadcast_enqueue", "ipvlan_multicast_enqueue"]),
        class: Loss {
            warn_per_minute: UNDER_LOAD,
        },
        meaning: "the queue of broadcasts for macvlan or ipvlan devices was full",
        advice: None,
    },
    Row {
        // Frees a packet itself only with "don't fragment", after icmp_send(ICMP_FRAG_NEEDED).
        matches: Locations(&["ip_fragment"]),
        class: Loss {
            warn_per_minute: OF_A_QUEUE,
        },
        meaning: "they were longer than the MTU of the way onward and must not be cut; the kernel tells the sender by ICMP",
        advice: None,
    },
    Row {
        matches: Locations(&["inet_frag_rbtree_purge", "ip_expire"]),
        class: Loss {
            warn_per_minute: NEVER,
        },
        meaning: "fragments of a datagram were given up; a copied last fragment ends so as well, and nothing is lost then",
        advice: None,
    },
    Row {
        matches: Locations(&[
            "nf_hook_slow",
            "nft_do_chain",
            "ipt_do_table",
            "ip6t_do_table",
        ]),
        class: Decision,
        meaning: "a packet filter rule refused them",
        advice: Some(look(
            "If they should pass, find the rule (its counter rises).",
            &["nft", "list", "ruleset"],
        )),
    },
    Row {
        matches: Locations(&["ip_rcv_finish_core"]),
        class: Decision,
        meaning: "nothing there wants them (a multicast group that no program joined on this interface)",
        advice: None,
    },
    Row {
        matches: Locations(&["ip_defrag"]),
        class: Decision,
        meaning: "a fragment arrived twice or did not fit its datagram",
        advice: None,
    },
    Row {
        matches: Locations(&[
            "ip6_mc_input",
            "icmpv6_rcv",
            "stp_pdu_rcv",
            "llc_rcv",
            "br_handle_frame_finish",
        ]),
        class: NotLoss,
        meaning: "they are multicasts and control frames that the stack has read or that are not for it",
        advice: None,
    },
    Row {
        matches: Locations(&[
            "skb_release_data",
            "sk_stream_kill_queues",
            "skb_queue_purge",
            "skb_queue_purge_reason",
            "skb_rbtree_purge",
            "inet_sock_destruct",
            "udp_destruct_common",
            "udp_destruct_sock",
            "pktgen_xmit",
        ]),
        class: NotLoss,
        meaning: "they were left in the queue of a socket that was closed, or are a sender's own copies",
        advice: None,
    },
    Row {
        // ip_error and dst_discard of a route of type blackhole, prohibit or unreachable; a missing route has a reason.
        matches: Unspecified(&["ip_error", "dst_discard", "dst_discard_out"]),
        class: Decision,
        meaning: "the route to their destination refuses them (blackhole, prohibit, unreachable)",
        advice: Some(look(
            "If they should pass, find the route (ip -6 for IPv6).",
            &["ip", "route", "show", "table", "all"],
        )),
    },
    // virtio_transport_recv_listen and others return the packet to this function, which frees it when it is done.
    Row {
        matches: Unspecified(&["virtio_transport_recv_pkt"]),
        class: NotLoss,
        meaning: "they are control packets between a virtual machine and its host (vsock), which the stack has read",
        advice: None,
    },
    // tcp_v4_rcv, do_time_wait: after TCP_TW_SUCCESS the segment is freed without a reason; seen with every connection
    // that ends (6.18). tcp_rcv_state_process frees each segment of a handshake or an end so until 6.8.
    Row {
        matches: Unspecified(&[
            "tcp_v4_rcv",
            "tcp_v6_rcv",
            "tcp_rcv_state_process",
            "tcp_drop_reason",
        ]),
        class: NotLoss,
        meaning: "TCP has read them: they open or end a connection",
        advice: None,
    },
];
