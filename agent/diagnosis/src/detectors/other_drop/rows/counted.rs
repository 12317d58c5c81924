//! Functions that a counter of the namespace, or the kernel's log, speaks for: where the kernel gives no reason, or one
//! for several things.

use crate::{
    detectors::other_drop::{
        advice::Advice,
        class::{By, Carried, Class},
        table::{
            On::{At, Reasons},
            Row,
            When::{Counted, Logged},
        },
    },
    finding::{Culprit, Decision},
    kernel::{NamespaceCounter, Reason, site},
};

/// Before 5.17 the kernel names no reason; later ones name those below, and what is left without one is another.
const WITHOUT_REASONS: &[Reason] = &[Reason::ABSENT];
const REFUSED_BY_HOOK: &[Reason] = &[Reason::ABSENT, Reason::NETFILTER_DROP];
/// No counter has the connections that were let in, and a share of all packets would hide that each new one fails.
const CONNECTIONS: Class = Class::Loss(Culprit::Here, Carried::Uncounted);

pub(super) static ROWS: &[Row] = &[
    // nf_ct_resolve_clash counts insert_failed and drop. What the check ConnectionTracking has left: no sample tells a
    // race from source translation that finds no free port.
    Row::new(
        At(REFUSED_BY_HOOK, &[&site::NF_HOOK_SLOW]),
        CONNECTIONS,
        "Connection tracking refused {packets} of new connections",
        "Connection tracking could not keep an entry for each, and the table was not full: two packets opened one connection at once and \
         raced, or no port was left to translate their source to.",
    )
    .when(Counted(NamespaceCounter::ConntrackInsertFailed))
    .advised(&[Advice::look(
        "See insert_failed and drop rise, one line for each CPU. If the flows are DNS queries, let the resolver ask \
         for A and AAAA one after the other (single-request).",
        &["cat", "/proc/net/stat/nf_conntrack"],
    )]),
    Row::new(
        Reasons(&[Reason::NETFILTER_DROP]),
        CONNECTIONS,
        FULL_TABLE,
        "By the kernel's log the table was full; the log does not say in which namespace. Each connection takes an \
         entry, and without one the kernel drops the first packet. Established connections go on.",
    )
    .when(Logged("nf_conntrack: table full, dropping packet"))
    .advised(FULL_TABLE_ADVICE),
    // ip_rcv_finish_core, label drop_error, for -EXDEV.
    Row::new(
        At(WITHOUT_REASONS, &[&site::IP_RCV_FINISH_CORE]),
        Class::Flow(By::Device),
        super::routes::RPFILTER,
        super::routes::RPFILTER_MECHANISM,
    )
    .when(Counted(NamespaceCounter::ReversePathFilter))
    .advised(super::routes::RPFILTER_ADVICE),
    // ip_error, for -ENETUNREACH.
    Row::new(
        At(WITHOUT_REASONS, &[&site::IP_ERROR]),
        Class::NoWay(By::Device),
        super::routes::NO_ROUTE,
        super::routes::NO_ROUTE_MECHANISM,
    )
    .when(Counted(NamespaceCounter::InNoRoutes))
    .advised(super::routes::NO_ROUTE_ADVICE),
    // __udp_enqueue_schedule_skb refuses with -ENOMEM, and __udp_queue_rcv_skb counts and frees.
    Row::new(
        At(
            WITHOUT_REASONS,
            &[&site::UDP_QUEUE_RCV_ONE_SKB, &site::UDP_QUEUE_RCV_SKB],
        ),
        super::queues::FULL_BUFFER,
        super::queues::RECEIVE_BUFFER,
        super::queues::RECEIVE_BUFFER_MECHANISM,
    )
    .when(Counted(NamespaceCounter::UdpRcvbufErrors))
    .advised(super::queues::RECEIVE_BUFFER_ADVICE),
    Row::new(
        At(
            WITHOUT_REASONS,
            &[&site::UDPV6_QUEUE_RCV_ONE_SKB, &site::UDPV6_QUEUE_RCV_SKB],
        ),
        super::queues::FULL_BUFFER,
        super::queues::RECEIVE_BUFFER,
        super::queues::RECEIVE_BUFFER_MECHANISM,
    )
    .when(Counted(NamespaceCounter::Udp6RcvbufErrors))
    .advised(super::queues::RECEIVE_BUFFER_ADVICE),
    Row::new(
        At(WITHOUT_REASONS, &[&site::UDP4_LIB_RCV]),
        Class::Decision(Decision::ClosedPort),
        super::decisions::NO_SOCKET,
        super::decisions::NO_SOCKET_MECHANISM,
    )
    .when(Counted(NamespaceCounter::UdpNoPorts)),
    Row::new(
        At(WITHOUT_REASONS, &[&site::UDP6_LIB_RCV]),
        Class::Decision(Decision::ClosedPort),
        super::decisions::NO_SOCKET,
        super::decisions::NO_SOCKET_MECHANISM,
    )
    .when(Counted(NamespaceCounter::Udp6NoPorts)),
];

const FULL_TABLE: &str =
    "The connection tracking table was full and refused {packets} of new connections";
/// The limit is one for all namespaces, the count is each namespace's own.
const FULL_TABLE_ADVICE: &[Advice] = &[Advice::look(
    "Compare the entries with the limit, and find who opens so many connections. Where they are equal, raise \
     nf_conntrack_max on the node to twice the number shown (about 300 bytes of kernel memory an entry; kube-proxy sets \
     its own value, conntrack.maxPerCore).",
    &[
        "sysctl",
        "net.netfilter.nf_conntrack_count",
        "net.netfilter.nf_conntrack_max",
    ],
)];
