//! Functions, for kernels or drops that come without a reason.

use crate::{
    detectors::{
        kit::seen::Seen,
        other_drop::{
            advice::{Advice, DESTINATION, DEVICE, Version},
            class::{By, Carried, Class},
            table::{
                On::{At, Sites},
                Row,
                When::All,
            },
        },
    },
    finding::{Culprit, Decision},
    kernel::{Reason, site},
};

const UNNAMED: &[Reason] = &[Reason::ABSENT, Reason::NOT_SPECIFIED];
const UNKNOWN: Class = Class::Flow(By::Culprit(Culprit::Unknown));
const NO_WAY: Class = Class::NoWay(By::Culprit(Culprit::Unknown));

pub(super) static ROWS: &[Row] = &[
    Row::new(
        Sites(&[&site::DEV_FORWARD_SKB]),
        Class::Loss(Culprit::Unknown, Carried::Sent),
        "The other end of a veth did not take {packets}",
        "The other end is down, gone, or has a smaller MTU.",
    )
    .advised(OTHER_END),
    // The ring of a receiver with XDP or threaded NAPI: the packet's device is the receiver then.
    Row::new(
        Sites(&[&site::VETH_XMIT]),
        Class::Loss(Culprit::Unknown, Carried::Received),
        "A veth could not hand over {packets}",
        "The receiver's ring was full, or the other end is gone. A ring is there where the receiver has an XDP program \
         or receives by NAPI (GRO is on).",
    )
    .advised(RECEIVER),
    Row::new(
        Sites(&[&site::ENQUEUE_TO_BACKLOG]),
        Class::Loss(Culprit::Here, Carried::Received),
        "The backlog of a CPU was full and dropped {packets}",
        "Received packets wait for a CPU, and they came faster than it handled them, or the device was down.",
    ),
    Row::new(
        Sites(&[&site::TAP_HANDLE_FRAME, &site::TUN_NET_XMIT]),
        Class::Loss(Culprit::Unknown, Carried::BySite),
        "The program or guest behind the device did not take {packets}",
        "The queue of the device was full, or nobody read it.",
    ),
    Row::new(
        Sites(&[&site::VALIDATE_XMIT_SKB]),
        Class::Loss(Culprit::Here, Carried::Sent),
        "{packets were} dropped on the way out",
        "The kernel could not cut a super-frame into packets, or compute a checksum.",
    ),
    Row::new(
        Sites(&[
            &site::MACVLAN_BROADCAST_ENQUEUE,
            &site::IPVLAN_MULTICAST_ENQUEUE,
        ]),
        super::queues::BROADCASTS,
        super::queues::BROADCAST_QUEUE,
        super::queues::BROADCAST_QUEUE_MECHANISM,
    ),
    // Frees a packet itself only with "don't fragment", after icmp_send(ICMP_FRAG_NEEDED).
    Row::new(
        Sites(&[&site::IP_FRAGMENT]),
        Class::Flow(By::Culprit(Culprit::Here)),
        super::routes::TOO_LONG,
        super::routes::TOO_LONG_MECHANISM,
    )
    .advised(super::routes::TOO_LONG_ADVICE),
    Row::new(
        Sites(&[&site::INET_FRAG_RBTREE_PURGE, &site::IP_EXPIRE]),
        Class::Unknown,
        "{packets} of datagrams that never became complete were given up",
        "Fragments were missing, or a last fragment arrived twice, and then nothing is lost.",
    ),
    Row::new(
        Sites(&[&site::IP_DEFRAG]),
        Class::Unknown,
        "{packets were} refused on their way into a datagram",
        "A fragment arrived twice, did not fit its datagram, or found no memory.",
    )
    .advised(&[Advice::look(
        "See the memory that fragments take, against net.ipv4.ipfrag_high_thresh.",
        &["cat", "/proc/net/sockstat"],
    )]),
    Row::new(
        Sites(site::PACKET_FILTERS),
        Class::Decision(Decision::Rule),
        super::decisions::FILTER,
        super::decisions::FILTER_MECHANISM,
    )
    .advised(super::decisions::FILTER_ADVICE),
    // A group that no program joined there; the reverse path filter has a row before.
    Row::unmissed(At(&[Reason::ABSENT], &[&site::IP_RCV_FINISH_CORE])).when(All(Seen::Group)),
    Row::new(
        Sites(&[&site::IP_RCV_FINISH_CORE]),
        UNKNOWN,
        "IP refused {packets} on arrival",
        "Nobody joined their group on this interface, or their addresses must not occur there: among them a source \
         that is this host's own address.",
    ),
    // What is for everybody or a group has a row before. A switch floods unicast for nobody here as well.
    Row::new(
        Sites(&[&site::BR_HANDLE_FRAME_FINISH]),
        NO_WAY,
        "A bridge did not forward {packets}",
        "The port is locked, isolated or not in the frame's VLAN, or no other port leads to the destination.",
    )
    .advised(&[
        Advice::look(
            "See the port's flags.",
            &["bridge", "-details", "link", "show", "dev", DEVICE],
        ),
        Advice::look(
            "See the port's VLANs.",
            &["bridge", "vlan", "show", "dev", DEVICE],
        ),
    ]),
    // ip_error of a route of type blackhole, prohibit or unreachable; a missing route has a reason.
    Row::new(
        Sites(&[&site::IP_ERROR]),
        Class::NoWay(By::Culprit(Culprit::Here)),
        "A route refuses {packets}",
        "The route to their destination is of the type blackhole, prohibit or unreachable.",
    )
    .advised(ROUTE),
    // A missing route, a route that refuses, and forwarding that is off, all without a reason.
    Row::new(
        At(
            &[Reason::ABSENT],
            &[
                &site::IP_ERROR,
                &site::DST_DISCARD,
                &site::IP_FORWARD,
                &site::IP6_FORWARD,
                &site::IP6_PKT_DROP,
            ],
        ),
        NO_WAY,
        "There was no way on for {packets}",
        "No route leads to their destination, the route refuses them, or the host does not forward; this kernel does \
         not say which.",
    )
    .advised(ROUTE),
    // A listener with SYN cookies whose queue is full refuses here as well.
    Row::new(
        At(UNNAMED, &[&site::TCP_V4_DO_RCV, &site::TCP_V6_DO_RCV]),
        Class::Unknown,
        "TCP dropped {packets} of a connection",
        "Segments that come after a connection's end are dropped here in their ordinary course, and those that a full \
         listener refuses too; the kernel gives no reason.",
    ),
    Row::new(
        Sites(&[&site::DST_DISCARD]),
        NO_WAY,
        "A route or an IPsec policy refuses {packets}",
        "The route to their destination is of the type blackhole, or a policy of IPsec blocks it.",
    )
    .advised(ROUTE),
    Row::new(
        At(UNNAMED, &[&site::VXLAN_XMIT]),
        Class::Unreachable(Culprit::Unknown),
        super::routes::NO_REMOTE,
        super::routes::NO_REMOTE_MECHANISM,
    )
    .advised(super::routes::NO_REMOTE_ADVICE),
    // This kernel frees the parts of a merged packet there as well.
    Row::new(
        Sites(&[&site::KFREE_SKB_LIST]),
        UNKNOWN,
        "{packets were} dropped {on}, perhaps by the queueing discipline",
        "A full queue and a shaper end packets at this function, and so do parts of packets that were merged. This \
         kernel does not say which.",
    )
    .advised(&[Advice::look(
        "See whether a queueing discipline counts as many drops.",
        &["tc", "-s", "qdisc", "show", "dev", DEVICE],
    )]),
    Row::unmissed(Sites(&[
        // Multicasts and control frames that the stack has read or that are not for it.
        &site::IP6_MC_INPUT,
        &site::ICMPV6_RCV,
        &site::STP_PDU_RCV,
        &site::LLC_RCV,
        // Left in the queue of a socket that was closed, or a sender's own copies.
        &site::SKB_RELEASE_DATA,
        &site::SK_STREAM_KILL_QUEUES,
        &site::TCP_DISCONNECT,
        &site::SKB_QUEUE_PURGE,
        &site::SKB_RBTREE_PURGE,
        &site::INET_SOCK_DESTRUCT,
        &site::UDP_DESTRUCT_SOCK,
        // virtio_transport_recv_listen and others return the packet to this function, which frees it when it is done.
        &site::VIRTIO_TRANSPORT_RECV_PKT,
        // tcp_v4_rcv, do_time_wait: after TCP_TW_SUCCESS the segment is freed without a reason; seen with every
        // connection that ends (6.18). tcp_rcv_state_process frees each segment of a handshake or an end so until 6.8.
        &site::TCP_V4_RCV,
        &site::TCP_V6_RCV,
        &site::TCP_RCV_STATE_PROCESS,
        &site::TCP_DROP_REASON,
    ])),
];

const OTHER_END: &[Advice] = &[Advice::look(
    "Compare state and MTU with the other end.",
    &["ip", "-details", "link", "show", "dev", DEVICE],
)];
const RECEIVER: &[Advice] = &[Advice::look(
    "See whether the receiver has an XDP program. Where the other end is there, its ring of 256 packets was full: smaller \
     bursts help, or a receiving CPU that has less to do.",
    &["ip", "-details", "link", "show", "dev", DEVICE],
)];
/// `ip route get` shows no prefix of a route that refuses: the kernel answers with an error.
const ROUTE: &[Advice] = &[
    Advice::look(
        "If they should pass, see which routes fit the destination: the one with the longest prefix refuses.",
        &[
            "ip", "-4", "route", "show", "table", "all", "match", DESTINATION,
        ],
    )
    .of(Version::V4),
    Advice::look(
        "If they should pass, see which routes fit the destination: the one with the longest prefix refuses.",
        &[
            "ip", "-6", "route", "show", "table", "all", "match", DESTINATION,
        ],
    )
    .of(Version::V6),
];
