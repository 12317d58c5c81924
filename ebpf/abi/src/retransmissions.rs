//! What the `retransmissions` probe remembers of dropped TCP segments, and what it counts.

use crate::drop::{DropKey, DropLayout};

/// Dropped segments that are remembered at a time; the least recently used one makes room for the next.
pub const MAX_REMEMBERED: u32 = 8192;

/// Most places of drops that explain retransmissions within one window.
pub const MAX_PLACES: u32 = 256;

/// Segments of one packet that are looked at, from its first on. A packet before segmentation offload holds up to 64 KiB,
/// which is 45 segments of an ordinary MTU.
pub const MAX_SEGMENTS: u32 = 48;

/// From here on a segment waited for the retransmission timer: `TCP_RTO_MIN` (include/net/tcp.h), nanoseconds.
pub const LATE_NS: u64 = 200_000_000;

/// A TCP segment: the same when it is dropped and when it is sent again.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SegmentKey {
    /// Sender's address in network order, IPv4 as `::ffff:a.b.c.d`.
    pub source: [u32; 4],
    /// Receiver's address, likewise.
    pub destination: [u32; 4],
    /// Sender's port in network order.
    pub source_port: u16,
    /// Receiver's port in network order.
    pub destination_port: u16,
    /// First sequence number, host order.
    pub sequence: u32,
}

/// Where and when a segment was dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RememberedDrop {
    /// Where, as the `drop` probe counts it.
    pub place: DropKey,
    /// When, CLOCK_MONOTONIC in nanoseconds.
    pub at_ns: u64,
    /// When its next copy was dropped, before the first was known to be sent again; 0 if none was.
    ///
    /// The kernel tells of a retransmission after the packet has gone down the stack, where it may be dropped at once:
    /// that drop explains the retransmission after this one.
    pub again_ns: u64,
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
    /// How many elements there are.
    pub const ELEMENTS: u32 = 4;
}

/// Layout of the kernel structures the probe reads, as [`DropLayout`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetransmissionLayout {
    /// What it shares with the `drop` probe.
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
