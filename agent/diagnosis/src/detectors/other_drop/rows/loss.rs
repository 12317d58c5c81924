//! Reasons of packets that somebody wanted.

use super::look;
use crate::{
    detectors::other_drop::table::{
        Advice,
        Class::Loss,
        DEVICE,
        Match::{Logged, Reasons, WithoutCarrier},
        Row, Scope,
    },
    kernel::Reason,
};

pub(super) static ROWS: &[Row] = &[
    Row {
        matches: Logged {
            reason: Reason::NETFILTER_DROP,
            text: "nf_conntrack: table full, dropping packet",
        },
        class: Loss,
        meaning: "the table of tracked connections was full, by the kernel log, so new connections were refused",
        advice: Some(Advice {
            text: "Raise the size of the table, or find who opens so many connections.",
            command: &["sysctl", "-w", "net.netfilter.nf_conntrack_max=1048576"],
            scope: Scope::Node,
            effect: "Each connection takes about 300 bytes of kernel memory.",
        }),
    },
    Row {
        matches: Reasons(&[Reason::NEIGH_QUEUEFULL]),
        class: Loss,
        meaning: "too many packets waited for the neighbour's link layer address",
        advice: Some(Advice {
            text: "Let more bytes wait for an unresolved neighbour, and see why it answers late.",
            command: &[
                "sysctl",
                "-w",
                "net/ipv4/neigh/{device}/unres_qlen_bytes=1048576",
            ],
            scope: Scope::Namespace,
            effect: "Up to 1 MiB of packets waits for each neighbour that does not answer.",
        }),
    },
    Row {
        matches: Reasons(&[Reason::NEIGH_FAILED, Reason::NEIGH_DEAD]),
        class: Loss,
        meaning: "the neighbour did not answer ARP or neighbour discovery",
        advice: Some(look(
            "See which addresses do not answer: a host that is gone, or a wrong route or prefix.",
            &["ip", "neigh", "show", "dev", DEVICE, "nud", "failed"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::NEIGH_CREATEFAIL, Reason::NEIGH_HH_FILLFAIL]),
        class: Loss,
        meaning: "no entry could be made for the neighbour: the neighbour table is full",
        advice: Some(Advice {
            text: "Raise the limit of the neighbour table.",
            command: &["sysctl", "-w", "net.ipv4.neigh.default.gc_thresh3=8192"],
            scope: Scope::Node,
            effect: "One limit for all namespaces of the node; net.ipv6.neigh.default.gc_thresh3 is IPv6's.",
        }),
    },
    Row {
        matches: Reasons(&[Reason::IP_RPFILTER]),
        class: Loss,
        meaning: "the reverse path filter refused them: no route leads back to their source through this interface",
        advice: Some(Advice {
            text: "Fix the route back, or let the filter accept any route back (loose mode).",
            command: &["sysctl", "-w", "net/ipv4/conf/{device}/rp_filter=2"],
            scope: Scope::Namespace,
            effect: "Forged sources that have a route through another interface are no longer refused here.",
        }),
    },
    Row {
        matches: Reasons(&[Reason::SOCKET_RCVBUFF]),
        class: Loss,
        meaning: "the socket's receive buffer was full: its program reads too slowly",
        advice: Some(look(
            "Find the socket (drops are the d of skmem), make its program read faster or ask for a larger SO_RCVBUF.",
            &["ss", "-uanmp"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::SOCKET_BACKLOG]),
        class: Loss,
        meaning: "the socket was locked by its program and the queue of waiting packets was full",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::PROTO_MEM]),
        class: Loss,
        meaning: "the protocol's memory limit was reached",
        advice: Some(Advice {
            text: "Compare the limits (pages) with what /proc/net/sockstat shows, and raise them.",
            command: &["sysctl", "net.ipv4.tcp_mem", "net.ipv4.udp_mem"],
            scope: Scope::Node,
            effect: "",
        }),
    },
    Row {
        matches: Reasons(&[Reason::TCP_LISTEN_OVERFLOW]),
        class: Loss,
        meaning: "the listening socket's queue of connections to accept was full",
        advice: Some(look(
            "Find the listener whose Recv-Q reaches its Send-Q; let it accept faster or listen with a larger backlog.",
            &["ss", "-ltnp"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::TCP_OFO_QUEUE_PRUNE, Reason::TCP_OFO_DROP]),
        class: Loss,
        meaning: "the socket had no memory for data that arrived out of order",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::TCP_ZEROWINDOW, Reason::TCP_OVERWINDOW]),
        class: Loss,
        meaning: "the receiving program had left no room for the data (closed window)",
        advice: None,
    },
    Row {
        // noop_enqueue: a device without carrier has no other queueing discipline (dev_deactivate).
        matches: WithoutCarrier(Reason::QDISC_DROP),
        class: Loss,
        meaning: "the device has no carrier: its cable is out, or its other end is down",
        advice: Some(look(
            "See whether the other end is up.",
            &["ip", "-details", "link", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Reasons(&[
            Reason::QDISC_DROP,
            Reason::QDISC_OVERLIMIT,
            Reason::FQ_BAND_LIMIT,
            Reason::FQ_FLOW_LIMIT,
            Reason::FQ_HORIZON_LIMIT,
            Reason::CAKE_FLOOD,
        ]),
        class: Loss,
        meaning: "the queueing discipline of the device dropped them: the queue was full, or a shaper or netem was \
                  told to",
        advice: Some(look(
            "See which queueing discipline drops, and its limit.",
            &["tc", "-s", "qdisc", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Reasons(&[Reason::CPU_BACKLOG]),
        class: Loss,
        meaning: "the queue of packets waiting for a CPU was full",
        advice: Some(Advice {
            text: "Raise the queue's length, and see why one CPU has so much to do (/proc/net/softnet_stat).",
            command: &["sysctl", "-w", "net.core.netdev_max_backlog=10000"],
            scope: Scope::Node,
            effect: "Packets wait longer before they are lost.",
        }),
    },
    Row {
        matches: Reasons(&[Reason::FULL_RING]),
        class: Loss,
        meaning: "the queue to the program or guest behind the device was full",
        advice: Some(Advice {
            text: "Lengthen the queue, and see why its reader stalls.",
            command: &["ip", "link", "set", "dev", DEVICE, "txqueuelen", "2000"],
            scope: Scope::Namespace,
            effect: "Packets wait longer in a stall; the ring is resized at once.",
        }),
    },
    Row {
        matches: Reasons(&[Reason::SKB_BAD_GSO, Reason::SKB_GSO_SEG]),
        class: Loss,
        meaning: "a super-frame could not be cut into packets",
        advice: Some(Advice {
            text: "Let the stack send single packets on this device.",
            command: &["ip", "link", "set", "dev", DEVICE, "gso_max_segs", "1"],
            scope: Scope::Namespace,
            effect: "Costs CPU time in every transfer over the device.",
        }),
    },
    Row {
        matches: Reasons(&[
            Reason::TCP_CSUM,
            Reason::UDP_CSUM,
            Reason::IP_CSUM,
            Reason::ICMP_CSUM,
            Reason::SKB_CSUM,
        ]),
        class: Loss,
        meaning: "their checksum was wrong, or missing where IPv6 demands one",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::IP_INHDR, Reason::PKT_TOO_SMALL, Reason::HDR_TRUNC]),
        class: Loss,
        meaning: "their headers were cut or contradict themselves",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::NOMEM, Reason::PFMEMALLOC]),
        class: Loss,
        meaning: "the kernel had no memory for them",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::DEV_READY, Reason::DEV_HDR]),
        class: Loss,
        meaning: "the device was not ready: down, or without a link layer header for them",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::IP_INNOROUTES, Reason::IP_OUTNOROUTES]),
        class: Loss,
        meaning: "there is no route to their destination",
        advice: Some(look(
            "Compare the flow's destination with the routes (ip -6 for IPv6).",
            &["ip", "route", "show", "table", "all"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::PKT_TOO_BIG]),
        class: Loss,
        meaning: "they were longer than the MTU of the way onward; the kernel tells the sender by ICMP",
        advice: Some(Advice {
            text: "See that ICMP errors reach the sender, or clamp the segment size of TCP to the path.",
            command: &[],
            scope: Scope::Namespace,
            effect: "",
        }),
    },
    Row {
        matches: Reasons(&[
            Reason::NO_TX_TARGET,
            Reason::TUNNEL_TXINFO,
            Reason::VXLAN_VNI_NOT_FOUND,
            Reason::VXLAN_NO_REMOTE,
        ]),
        class: Loss,
        meaning: "the tunnel knows no other end for them",
        advice: Some(look(
            "See which ends the tunnel knows.",
            &["bridge", "fdb", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Reasons(&[Reason::RECURSION_LIMIT]),
        class: Loss,
        meaning: "stacked devices send to each other in a circle",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::FRAG_REASM_TIMEOUT, Reason::FRAG_TOO_FAR]),
        class: Loss,
        meaning: "fragments of a datagram were given up; a copied last fragment ends so as well, and nothing is lost \
                  then",
        advice: None,
    },
];
