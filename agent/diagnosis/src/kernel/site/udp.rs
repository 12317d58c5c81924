//! UDP.

use super::{
    Layer::Udp,
    Raises::{self, Namespace},
    Reasons, Site, sites,
};
use crate::kernel::{NamespaceCounter, Reason};

/// The checksum is verified on arrival: no socket, a filter, or a short packet.
const ON_ARRIVAL: Reasons = Reasons::OnlyOrFound(&[Reason::UDP_CSUM]);
/// The checksum is verified while the packet is read; the reason is given from 6.15 on.
const ON_READING: Reasons = Reasons::OnlyOrUnnamed(&[Reason::UDP_CSUM, Reason::NOT_SPECIFIED]);
/// The receive buffer of the socket is full.
const FULL_BUFFER: Reasons = Reasons::Only(&[Reason::SOCKET_RCVBUFF]);
/// No program listens.
const NO_SOCKET: Reasons = Reasons::Only(&[Reason::NO_SOCKET]);

sites! {
    /// The look-up of a datagram's socket. UDP_MIB_CSUMERRORS where the checksum is verified here. Seen: UDP_CSUM
    /// (6.1). Frees for other reasons too. On 7.x it is a part of udp_rcv, which before only calls it.
    UDP4_LIB_RCV = Site::new(Udp, &["__udp4_lib_rcv", "udp_rcv"])
        .raising(&[
            (ON_ARRIVAL, Namespace(NamespaceCounter::UdpInCsumErrors)),
            (NO_SOCKET, Namespace(NamespaceCounter::UdpNoPorts)),
        ]);

    /// The same of IPv6.
    UDP6_LIB_RCV = Site::new(Udp, &["__udp6_lib_rcv", "udpv6_rcv"])
        .raising(&[
            (ON_ARRIVAL, Namespace(NamespaceCounter::Udp6InCsumErrors)),
            (NO_SOCKET, Namespace(NamespaceCounter::Udp6NoPorts)),
        ]);

    /// The queue of the datagram's socket: a filter, or a full receive buffer.
    UDP_QUEUE_RCV_ONE_SKB = Site::new(Udp, &["udp_queue_rcv_one_skb"])
        .raising(&[
            (ON_ARRIVAL, Namespace(NamespaceCounter::UdpInCsumErrors)),
            (FULL_BUFFER, Namespace(NamespaceCounter::UdpRcvbufErrors)),
        ]);

    /// The same of IPv6.
    UDPV6_QUEUE_RCV_ONE_SKB = Site::new(Udp, &["udpv6_queue_rcv_one_skb"])
        .raising(&[
            (ON_ARRIVAL, Namespace(NamespaceCounter::Udp6InCsumErrors)),
            (FULL_BUFFER, Namespace(NamespaceCounter::Udp6RcvbufErrors)),
        ]);

    /// The full receive buffer, where it is not inlined: __udp_enqueue_schedule_skb refuses with -ENOMEM, and this
    /// counts and frees.
    UDP_QUEUE_RCV_SKB = Site::new(Udp, &["__udp_queue_rcv_skb"])
        .raising(&[(FULL_BUFFER, Namespace(NamespaceCounter::UdpRcvbufErrors))]);

    /// The same of IPv6.
    UDPV6_QUEUE_RCV_SKB = Site::new(Udp, &["__udpv6_queue_rcv_skb"])
        .raising(&[(FULL_BUFFER, Namespace(NamespaceCounter::Udp6RcvbufErrors))]);

    /// A wrong checksum that is found while copying to the reader (label csum_copy_err). Seen: 20 of 20 as
    /// NOT_SPECIFIED (6.1), 50 and 50 (6.12), as UDP_CSUM (6.18).
    UDP_RECVMSG = Site::new(Udp, &["udp_recvmsg"])
        .raising(&[(ON_READING, Namespace(NamespaceCounter::UdpInCsumErrors))]);

    /// The same of IPv6 sockets, which may receive IPv4.
    UDPV6_RECVMSG = Site::new(Udp, &["udpv6_recvmsg"])
        .raising(&[(ON_READING, Raises::UdpByVersion)]);

    /// A wrong checksum that is found by poll, select or FIONREAD. Counted in the IPv4 MIB whatever the socket's
    /// family: __UDP_INC_STATS. Seen: 20 IPv6 packets to a polled socket, Udp.InCsumErrors +20 (6.18).
    FIRST_PACKET_LENGTH = Site::new(Udp, &["__first_packet_length", "first_packet_length"])
        .raising(&[(ON_READING, Namespace(NamespaceCounter::UdpInCsumErrors))]);

    /// The same in a sockmap.
    UDP_READ_SKB = Site::new(Udp, &["udp_read_skb"])
        .raising(&[(ON_READING, Namespace(NamespaceCounter::UdpInCsumErrors))]);
}

/// The sites that free a datagram only because its checksum was found wrong while a program read or polled for it. The
/// receiving process runs them itself. Kernels before 6.13 give no reason there.
pub static UDP_READING: &[&Site] = &[&UDP_RECVMSG, &UDPV6_RECVMSG, &FIRST_PACKET_LENGTH];
