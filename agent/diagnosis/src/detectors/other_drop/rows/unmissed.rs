//! Reasons of packets that nobody misses.

use crate::{
    detectors::other_drop::table::{On::Reasons, Row},
    kernel::Reason,
};

pub(super) static ROWS: &[Row] = &[
    // Left in the queue of a socket that was closed.
    Row::unmissed(Reasons(&[
        Reason::QUEUE_PURGE,
        Reason::SOCKET_CLOSE,
        Reason::UNIX_DISCONNECT,
        Reason::UNIX_SKIP_OOB,
    ])),
    // TCP had their data already, or merged it.
    Row::unmissed(Reasons(&[
        Reason::TCP_OLD_DATA,
        Reason::TCP_OLD_SEQUENCE,
        Reason::TCP_OLD_ACK,
        Reason::TCP_TOO_OLD_ACK,
        Reason::TCP_ACK_UNSENT_DATA,
        Reason::TCP_OFOMERGE,
        Reason::TCP_INVALID_SEQUENCE,
        Reason::TCP_INVALID_END_SEQUENCE,
        Reason::TCP_INVALID_ACK_SEQUENCE,
        Reason::TCP_RFC7323_PAWS,
        Reason::TCP_RFC7323_PAWS_ACK,
        Reason::TCP_RFC7323_TW_PAWS,
        Reason::TCP_RFC7323_TSECR,
    ])),
    // They end a TCP connection, or came after its end.
    Row::unmissed(Reasons(&[
        Reason::TCP_RESET,
        Reason::TCP_CLOSE,
        Reason::TCP_FLAGS,
        Reason::TCP_INVALID_SYN,
        Reason::TCP_ABORT_ON_DATA,
        Reason::TCP_FASTOPEN,
    ])),
    // For another host, or back at their sender: flooded by a switch, or seen because the device is promiscuous.
    Row::unmissed(Reasons(&[
        Reason::OTHERHOST,
        Reason::IPV6_NDISC_NS_OTHERHOST,
        Reason::LOCAL_MAC,
    ])),
    // A queue that tells a sender to slow down, as it is meant to.
    Row::unmissed(Reasons(&[
        Reason::QDISC_CONGESTED,
        Reason::DUALPI2_STEP_DROP,
    ])),
    // Control frames, and a capture's copies.
    Row::unmissed(Reasons(&[
        Reason::MAC_IEEE_MAC_CONTROL,
        Reason::PACKET_SOCK_ERROR,
    ])),
];
