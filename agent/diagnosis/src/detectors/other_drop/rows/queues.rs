//! Queues, buffers and memory without room, and packets that were broken on their way: wanted packets are gone.

use crate::{
    detectors::other_drop::{
        advice::{Advice, DEVICE},
        class::{By, Carried, Class},
        table::{On::Reasons, Row, When::NotYetActive},
    },
    finding::Culprit,
    kernel::Reason,
};

/// A queue or buffer of this node.
pub(super) const FULL_BUFFER: Class = Class::Loss(Culprit::Here, Carried::BySite);
/// Packets that arrived broken, by somebody before this node or by its own offload.
const BROKEN: Class = Class::Loss(Culprit::Unknown, Carried::BySite);

pub(super) static ROWS: &[Row] = &[
    Row::new(
        Reasons(&[Reason::SOCKET_RCVBUFF]),
        FULL_BUFFER,
        RECEIVE_BUFFER,
        RECEIVE_BUFFER_MECHANISM,
    )
    .advised(RECEIVE_BUFFER_ADVICE),
    Row::new(
        Reasons(&[Reason::SOCKET_BACKLOG]),
        FULL_BUFFER,
        "A socket that its program held locked dropped {packets}",
        "Packets wait in the socket's backlog while its program works on the socket, and the backlog was full.",
    )
    .advised(&[Advice::look(
        "Find the socket with a large Recv-Q, and see why its program holds it so long.",
        &["ss", "-A", "inet", "-anmp"],
    )]),
    Row::new(
        Reasons(&[Reason::PROTO_MEM]),
        FULL_BUFFER,
        "{packets were} dropped {on} because the memory for sockets was used up",
        "The protocol has a limit for all sockets of the node, and a pod has its own memory limit; either refuses.",
    )
    .advised(&[
        Advice::look(
            "Compare the limits (the third number, pages) with what is in use (mem of the next command). If they are \
             equal, raise the limit to twice the number shown; else look at the pod's memory limit.",
            &["sysctl", "net.ipv4.tcp_mem", "net.ipv4.udp_mem"],
        )
        .on_node(),
        Advice::look("See what is in use (mem, pages).", &["cat", "/proc/net/sockstat"]),
    ]),
    Row::new(
        Reasons(&[Reason::TCP_LISTEN_OVERFLOW]),
        Class::Delay,
        "A listening socket's queue of connections to accept was full and refused {packets}",
        "A program accepts too slowly or not at all. The client sends the packet again after 1 s, 3 s and 7 s, and then \
         gives up.",
    )
    .advised(LISTENER_ADVICE),
    Row::new(
        Reasons(&[Reason::TCP_OFO_QUEUE_PRUNE, Reason::TCP_OFO_DROP]),
        FULL_BUFFER,
        "A socket had no memory for {packets} that arrived out of order",
        "TCP keeps what arrives before its turn, and the socket's memory was used up.",
    ),
    // The receiver decides by its window; the sender probes it, so most of these are no loss. Nothing tells which.
    Row::new(
        Reasons(&[Reason::TCP_ZEROWINDOW, Reason::TCP_OVERWINDOW]),
        Class::Unknown,
        "A program had closed its receive window: {packets were} dropped",
        "The program had left no room for the data. Its peer probes until there is room.",
    )
    .advised(&[Advice::look(
        "Find the socket whose Recv-Q does not shrink, and see why its program does not read.",
        &["ss", "-tanmp"],
    )]),
    Row::new(
        Reasons(&[Reason::QDISC_DROP]),
        Class::Unknown,
        "The device was not active yet: {packets} could not be sent",
        "The device has no queue that could be full. Until its other end is up, the kernel drops what it is to send.",
    )
    .when(NotYetActive),
    // Where the kind of the queueing discipline is not known, a queue, a shaper and netem look alike.
    Row::new(
        Reasons(&[
            Reason::QDISC_DROP,
            Reason::QDISC_OVERLIMIT,
            Reason::QDISC_MAXFLOWS,
            Reason::FQ_BAND_LIMIT,
            Reason::FQ_FLOW_LIMIT,
            Reason::FQ_HORIZON_LIMIT,
            Reason::CAKE_FLOOD,
        ]),
        Class::Loss(Culprit::Unknown, Carried::Sent),
        "The queueing discipline dropped {packets}",
        "The queue was full, or a shaper was set to drop them: its kind is not known.",
    )
    .advised(&[Advice::look(
        "See which queueing discipline drops, its kind and its limit, before you change any.",
        &["tc", "-s", "qdisc", "show", "dev", DEVICE],
    )]),
    // __dev_xmit_skb (6.19 on): packets wait in a list of their own while another CPU has the queueing discipline.
    Row::new(
        Reasons(&[Reason::QDISC_BURST_DROP]),
        Class::Loss(Culprit::Here, Carried::Sent),
        "Too many packets at once waited to enter the queueing discipline: {packets were} dropped",
        "Several CPUs send faster than one CPU takes the packets in; net.core.qdisc_max_burst bounds the number of those that wait.",
    )
    .advised(&[Advice::look(
        "See the limit. Twice the number helps only against short bursts: the device has to send faster, or fewer \
         programs may send at once.",
        &["sysctl", "net.core.qdisc_max_burst"],
    )
    .on_node()]),
    Row::new(
        Reasons(&[
            Reason::MACVLAN_BROADCAST_BACKLOG,
            Reason::IPVLAN_MULTICAST_BACKLOG,
        ]),
        BROADCASTS,
        BROADCAST_QUEUE,
        BROADCAST_QUEUE_MECHANISM,
    ),
    Row::new(
        Reasons(&[Reason::CPU_BACKLOG]),
        Class::Loss(Culprit::Here, Carried::Received),
        "The backlog of a CPU was full and dropped {packets}",
        "Received packets wait for a CPU, and they came faster than it handled them.",
    )
    .advised(&[Advice::look(
        "See the limit. If one CPU has most of the work, spread the packets; else raise the limit to twice the number \
         shown: packets then wait longer before they are lost.",
        &["sysctl", "net.core.netdev_max_backlog"],
    )
    .on_node()]),
    Row::new(
        Reasons(&[Reason::FULL_RING]),
        FULL_BUFFER,
        "The queue to the program or guest behind the device was full and dropped {packets}",
        "The program reads slower than packets arrive.",
    )
    .advised(&[Advice::look(
        "See the queue's length (qlen), and why its reader stalls. A queue of twice the length helps in short stalls \
         only.",
        &["ip", "-details", "link", "show", "dev", DEVICE],
    )]),
    Row::new(
        Reasons(&[Reason::SKB_BAD_GSO, Reason::SKB_GSO_SEG]),
        Class::Loss(Culprit::Here, Carried::Sent),
        "{packets were} dropped {on} because the stack could not cut super-frames into packets",
        "A sender left it to the stack to cut one large frame into packets, and its headers did not allow that.",
    )
    .advised(&[Advice::look(
        "See the largest super-frame that the device takes (gso_max_size, gso_max_segs).",
        &["ip", "-details", "link", "show", "dev", DEVICE],
    )]),
    Row::new(
        Reasons(&[
            Reason::TCP_CSUM,
            Reason::UDP_CSUM,
            Reason::IP_CSUM,
            Reason::ICMP_CSUM,
            Reason::SKB_CSUM,
        ]),
        BROKEN,
        "{packets} had a wrong checksum",
        "The checksum of a packet did not fit its bytes, or was missing where IPv6 demands one.",
    ),
    Row::new(
        Reasons(&[
            Reason::IP_INHDR,
            Reason::PKT_TOO_SMALL,
            Reason::HDR_TRUNC,
            Reason::IPV6_BAD_EXTHDR,
            Reason::VXLAN_INVALID_HDR,
        ]),
        Class::Loss(Culprit::Unknown, Carried::Received),
        "The headers of {packets} were broken",
        "A header was cut, or contradicts itself.",
    ),
    // RFC 6040: the outer header says that the way is congested, and the inner one cannot carry that on.
    Row::new(
        Reasons(&[Reason::IP_TUNNEL_ECN]),
        Class::Loss(Culprit::Unknown, Carried::Received),
        "A tunnel dropped {packets} that a congested way had marked",
        "The packets in the tunnel do not take part in congestion notification (ECN), so the mark becomes a drop.",
    ),
    Row::new(
        Reasons(&[Reason::NOMEM, Reason::PFMEMALLOC]),
        FULL_BUFFER,
        "{packets were} dropped {on} because the kernel had no memory for them",
        "An allocation failed, or the node was so short of memory that only what frees memory may take some.",
    )
    .advised(&[Advice::look("See how much memory is free.", &["free", "-m"]).on_node()]),
    Row::new(
        Reasons(&[Reason::RECURSION_LIMIT]),
        Class::Loss(Culprit::Here, Carried::Sent),
        "Stacked devices sent {packets} to each other in a circle",
        "Each device hands them to the next, and the last to the first; the kernel ends it.",
    )
    .advised(&[Advice::look(
        "See which devices lie on which.",
        &["ip", "-details", "link", "show"],
    )]),
    // A copied last fragment ends so as well, and nothing is lost then.
    Row::new(
        Reasons(&[Reason::FRAG_REASM_TIMEOUT, Reason::FRAG_TOO_FAR]),
        Class::Unknown,
        "{packets} of datagrams that never became complete were given up",
        "Fragments were missing, or a last fragment arrived twice, and then nothing is lost.",
    ),
    Row::new(
        Reasons(&[Reason::DEV_READY, Reason::DEV_HDR]),
        Class::Flow(By::Culprit(Culprit::Unknown)),
        "The device was not ready for {packets}",
        "The device was down, nobody had it open, or it had no link layer header for the packets.",
    ),
];

pub(super) const BROADCASTS: Class = Class::Loss(Culprit::Unknown, Carried::Received);
pub(super) const BROADCAST_QUEUE: &str =
    "The queue of broadcasts for macvlan or ipvlan devices was full and dropped {packets}";
pub(super) const BROADCAST_QUEUE_MECHANISM: &str =
    "Broadcasts and multicasts for the devices on top wait there for a worker of the kernel.";
pub(super) const RECEIVE_BUFFER: &str = "A socket's receive buffer was full and dropped {packets}";
pub(super) const RECEIVE_BUFFER_MECHANISM: &str =
    "The program of the socket reads slower than packets arrive.";
pub(super) const RECEIVE_BUFFER_ADVICE: &[Advice] = &[Advice::look(
    "Find the socket (its drops are the d of skmem, its buffer the rb). Let its program read faster, or ask for a \
     SO_RCVBUF of twice that; net.core.rmem_max bounds it.",
    &["ss", "-A", "inet", "-anmp"],
)];
pub(super) const LISTENER_ADVICE: &[Advice] = &[LISTENER];
const LISTENER: Advice = Advice::look(
    "Find the listener whose Recv-Q reaches its Send-Q. Let it accept faster, or call listen() with a larger backlog; \
     net.core.somaxconn bounds it.",
    &["ss", "-ltnp"],
);
