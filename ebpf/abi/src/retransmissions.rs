//! The record that the `retransmissions` probe keeps of dropped TCP segments, and its counts.

use crate::drop::{DropKey, DropLayout};
use crate::plain::plain;

plain!(RememberedDrop, RetransmissionLayout, Retransmitted);

/// Dropped segments that are remembered at a time; the least recently used one makes room for the next.
pub const MAX_REMEMBERED: u32 = 8192;

/// Most places of drops that explain retransmissions within one window.
pub const MAX_PLACES: u32 = 256;

/// Segments of one packet that are looked at, from its first on. A packet before segmentation offload holds up to 64
/// KiB, which is 45 segments of an ordinary MTU.
pub const MAX_SEGMENTS: u32 = 48;

/// From here on a segment waited for the retransmission timer: `TCP_RTO_MIN` (include/net/tcp.h), nanoseconds.
pub const LATE_NS: u64 = 200_000_000;

/// Both ends of a connection, as the one that sends sees or a packet says it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Sender's address in network order, IPv4 as `::ffff:a.b.c.d`.
    pub source: [u32; 4],
    /// Receiver's address, likewise.
    pub destination: [u32; 4],
    /// Sender's port in network order.
    pub source_port: u16,
    /// Receiver's port in network order.
    pub destination_port: u16,
}

impl Ends {
    /// True if both may be of one connection: a translation (NAT) on the way changes one end and leaves the other.
    #[inline(always)]
    pub const fn share_an_end(&self, other: &Self) -> bool {
        (same(&self.source, &other.source) && self.source_port == other.source_port)
            || (same(&self.destination, &other.destination)
                && self.destination_port == other.destination_port)
    }
}

/// Word by word: comparing arrays would call `memcmp`, a loop over bytes in a program.
#[inline(always)]
const fn same(one: &[u32; 4], other: &[u32; 4]) -> bool {
    one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3]
}

/// The owner of a dropped segment, with place and time. Remembered by its first sequence number, which is the same when it is
/// sent again; numbers of different connections begin at random, so that they hardly ever meet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RememberedDrop {
    /// The place, as the `drop` probe counts it.
    pub place: DropKey,
    /// The time, CLOCK_MONOTONIC in nanoseconds.
    pub at_ns: u64,
    /// The time at which its next copy was dropped, before the first was known to be sent again; 0 if none was.
    ///
    /// The kernel tells of a retransmission after the packet has gone down the stack, where it may be dropped at once:
    /// that drop explains the retransmission after this one.
    pub again_ns: u64,
    /// The owner of the segment.
    pub ends: Ends,
    /// No meaning; keeps the size a multiple of eight.
    pub reserved: u32,
}

/// Retransmissions that drops at one place explain.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retransmitted {
    /// Segments sent again.
    pub segments: u64,
    /// Of those, [`LATE_NS`] or more after the drop.
    pub late: u64,
}

/// Elements of the array of totals.
pub mod total {
    /// Segments that sockets sent again.
    pub const SEGMENTS: u32 = 0;
    /// Dropped segments that came to be remembered.
    pub const REMEMBERED: u32 = 1;
    /// Of those, forgotten since they were sent again.
    pub const ANSWERED: u32 = 2;
    /// Dropped segments, and retransmissions of such, that a map had no room for.
    pub const LOST: u32 = 3;
    /// The number of elements.
    pub const ELEMENTS: u32 = 4;
}

/// Layout of the kernel structures the probe reads, as [`DropLayout`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetransmissionLayout {
    /// The part of the layout that it shares with the `drop` probe.
    pub drop: DropLayout,
    /// `sk_buff.end`, an offset from `head`, where `struct skb_shared_info` begins.
    pub skb_end: u32,
    /// `skb_shared_info.gso_size`.
    pub shared_gso_size: u32,
    /// `tcp_skb_cb.seq` in a `sk_buff`.
    pub segment_sequence: u32,
    /// `tcp_skb_cb.tcp_gso_segs` in a `sk_buff`.
    pub segment_count: u32,
    /// `tcp_skb_cb.tcp_gso_size` in a `sk_buff`.
    pub segment_size: u32,
    /// `sock_common.skc_family`, as the further fields at the beginning of `sock` and `request_sock` alike.
    pub common_family: u32,
    /// `sock_common.skc_num`.
    pub common_source_port: u32,
    /// `sock_common.skc_dport`.
    pub common_destination_port: u32,
    /// `sock_common.skc_rcv_saddr`.
    pub common_source: u32,
    /// `sock_common.skc_daddr`.
    pub common_destination: u32,
    /// `sock_common.skc_v6_rcv_saddr`; meaningless in a kernel without IPv6.
    pub common_source6: u32,
    /// `sock_common.skc_v6_daddr`; meaningless in a kernel without IPv6.
    pub common_destination6: u32,
    /// `request_sock.rsk_ops`.
    pub request_operations: u32,
    /// `request_sock_ops.family`.
    pub operations_family: u32,
    /// `tcp_request_sock.snt_isn`.
    pub request_sequence: u32,
    /// Number of arguments of `tcp_retransmit_skb`: 2, or 3 with what came of it (6.16 on).
    pub retransmit_arguments: u32,
    /// `SKB_DROP_REASON_OTHERHOST`: a copy of a packet for somebody else.
    pub reason_other_host: u32,
}

impl RetransmissionLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        drop: DropLayout::ZERO,
        skb_end: 0,
        shared_gso_size: 0,
        segment_sequence: 0,
        segment_count: 0,
        segment_size: 0,
        common_family: 0,
        common_source_port: 0,
        common_destination_port: 0,
        common_source: 0,
        common_destination: 0,
        common_source6: 0,
        common_destination6: 0,
        request_operations: 0,
        operations_family: 0,
        request_sequence: 0,
        retransmit_arguments: 0,
        reason_other_host: 0,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [u32; 4] = [0, 0, 0xffff_0000, 0x0100_000a];
    const SERVICE: [u32; 4] = [0, 0, 0xffff_0000, 0x0100_600a];
    const SERVER: [u32; 4] = [0, 0, 0xffff_0000, 0x0200_000a];

    fn ends(source: [u32; 4], source_port: u16, destination: [u32; 4], port: u16) -> Ends {
        Ends {
            source,
            destination,
            source_port,
            destination_port: port,
        }
    }

    #[test]
    fn a_connection_is_known_by_the_end_that_was_not_translated() {
        let of_socket = ends(CLIENT, 40_000, SERVICE, 80);
        assert!(of_socket.share_an_end(&of_socket));
        assert!(of_socket.share_an_end(&ends(CLIENT, 40_000, SERVER, 8080)));
        assert!(of_socket.share_an_end(&ends(SERVER, 1_024, SERVICE, 80)));
    }

    #[test]
    fn the_way_back_and_other_connections_are_not_the_same() {
        let of_socket = ends(CLIENT, 40_000, SERVICE, 80);
        assert!(!of_socket.share_an_end(&ends(SERVICE, 80, CLIENT, 40_000)));
        assert!(!of_socket.share_an_end(&ends(CLIENT, 40_001, SERVER, 80)));
    }
}
