//! Functions that a counter of the namespace speaks for: where the kernel gives no reason, or one for several things.

use super::look;
use crate::{
    detectors::other_drop::table::{
        Advice,
        Class::{Decision, Loss},
        Match::Counted,
        Row, Scope,
    },
    kernel::{NamespaceCounter, Reason, site},
};

/// Before 5.17 the kernel names no reason; later ones name those below, and what is left without one is another.
const WITHOUT_REASONS: &[Reason] = &[Reason::ABSENT];
const REFUSED_BY_HOOK: &[Reason] = &[Reason::ABSENT, Reason::NETFILTER_DROP];

pub(super) static ROWS: &[Row] = &[
    Row {
        // nf_ct_resolve_clash counts insert_failed and drop; so it comes before the full table.
        matches: Counted {
            reasons: REFUSED_BY_HOOK,
            sites: &[&site::NF_HOOK_SLOW],
            counter: NamespaceCounter::ConntrackInsertFailed,
        },
        class: Loss,
        meaning: "two packets that open one connection raced, and connection tracking could keep the first only",
        advice: Some(look(
            "Resolvers that ask for A and AAAA at once do so: see the counters, and let them ask one after the other.",
            &["cat", "/proc/net/stat/nf_conntrack"],
        )),
    },
    Row {
        // nf_conntrack_in counts drop when resolve_normal_ct fails, which is when nf_conntrack_alloc finds no room.
        matches: Counted {
            reasons: REFUSED_BY_HOOK,
            sites: &[&site::NF_HOOK_SLOW],
            counter: NamespaceCounter::ConntrackDrop,
        },
        class: Loss,
        meaning: "the table of tracked connections was full, so new connections were refused",
        advice: Some(Advice {
            text: "Raise the size of the table, or find who opens so many connections.",
            command: &["sysctl", "-w", "net.netfilter.nf_conntrack_max=1048576"],
            scope: Scope::Node,
            effect: "Each connection takes about 300 bytes of kernel memory.",
        }),
    },
    Row {
        // ip_rcv_finish_core, label drop_error, for -EXDEV.
        matches: Counted {
            reasons: WITHOUT_REASONS,
            sites: &[&site::IP_RCV_FINISH_CORE],
            counter: NamespaceCounter::ReversePathFilter,
        },
        class: Loss,
        meaning: "the reverse path filter refused them: no route leads back to their source through this interface",
        advice: Some(look(
            "Fix the route back, or let the filter accept any route back (rp_filter=2, loose mode).",
            &["ip", "route", "show", "table", "all"],
        )),
    },
    Row {
        // ip_error, for -ENETUNREACH.
        matches: Counted {
            reasons: WITHOUT_REASONS,
            sites: &[&site::IP_ERROR],
            counter: NamespaceCounter::InNoRoutes,
        },
        class: Loss,
        meaning: "there is no route to their destination",
        advice: Some(look(
            "Compare the flow's destination with the routes.",
            &["ip", "route", "show", "table", "all"],
        )),
    },
    Row {
        // __udp_enqueue_schedule_skb refuses with -ENOMEM, and __udp_queue_rcv_skb counts and frees.
        matches: Counted {
            reasons: WITHOUT_REASONS,
            sites: &[&site::UDP_QUEUE_RCV_ONE_SKB, &site::UDP_QUEUE_RCV_SKB],
            counter: NamespaceCounter::UdpRcvbufErrors,
        },
        class: Loss,
        meaning: "the socket's receive buffer was full: its program reads too slowly",
        advice: Some(SOCKET_ADVICE),
    },
    Row {
        matches: Counted {
            reasons: WITHOUT_REASONS,
            sites: &[&site::UDPV6_QUEUE_RCV_ONE_SKB, &site::UDPV6_QUEUE_RCV_SKB],
            counter: NamespaceCounter::Udp6RcvbufErrors,
        },
        class: Loss,
        meaning: "the socket's receive buffer was full: its program reads too slowly",
        advice: Some(SOCKET_ADVICE),
    },
    Row {
        matches: Counted {
            reasons: WITHOUT_REASONS,
            sites: &[&site::UDP4_LIB_RCV],
            counter: NamespaceCounter::UdpNoPorts,
        },
        class: Decision,
        meaning: "no program listens for them; the sender is told",
        advice: None,
    },
    Row {
        matches: Counted {
            reasons: WITHOUT_REASONS,
            sites: &[&site::UDP6_LIB_RCV],
            counter: NamespaceCounter::Udp6NoPorts,
        },
        class: Decision,
        meaning: "no program listens for them; the sender is told",
        advice: None,
    },
];

const SOCKET_ADVICE: Advice = look(
    "Find the socket (drops are the d of skmem), make its program read faster or ask for a larger SO_RCVBUF.",
    &["ss", "-uanmp"],
);
