//! The work of generic receive offload on the packets of an interface, as the probe on `napi_gro_receive` counts it.

use serde::{Deserialize, Serialize};

use super::NetnsId;

/// Packets offered to generic receive offload (GRO), by interface and kind.
///
/// Counted are those that it joins when it works: with data, not the last of a burst (TCP's PSH flag), and not joined
/// already by the device. Of encapsulated packets the inner headers are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroReceive {
    /// Which backend watched: `tp_btf`, `raw_tracepoint`.
    pub backend: String,
    /// Packets that could not be counted, because a map was full.
    pub lost: u64,
    /// Packets whose headers were out of the probe's reach.
    #[serde(default)]
    pub unread: u64,
    /// One entry an interface and kind.
    pub counts: Vec<GroCount>,
}

/// The results of generic receive offload for the packets of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroCount {
    /// Namespace of the interface.
    pub netns: NetnsId,
    /// Its index.
    pub ifindex: u32,
    /// The content of the packets.
    pub kind: GroKind,
    /// Packets that were handed to GRO and that it could join.
    pub offered: u64,
    /// Of those, joined to one that waited (`enum gro_result`: GRO_MERGED, GRO_MERGED_FREE).
    pub merged: u64,
    /// Of those, kept to be joined with later ones (GRO_HELD).
    pub held: u64,
}

/// The content of a packet, as far as it decides whether GRO can join the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroKind {
    /// TCP directly in IPv4 or IPv6.
    PlainTcp,
    /// TCP behind an IPv6 segment routing header (routing type 4) in the same IPv6 header.
    SegmentRoutingInline,
    /// An IP packet inside an IPv6 one with a segment routing header.
    SegmentRoutingEncapsulated,
}
