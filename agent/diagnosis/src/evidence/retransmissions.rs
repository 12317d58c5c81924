//! TCP segments that this node's sockets sent again, joined to drops on this node.

use serde::{Deserialize, Serialize};

use super::{NetnsId, drops::DropPlace};
use crate::kernel::{Function, Reason};

/// The evidence that the retransmission probe took while it was attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retransmissions {
    /// Which backend watched: `tp_btf`, `raw_tracepoint`.
    pub backend: String,
    /// Segments that sockets of this node's kernel sent again (`tcp_retransmit_skb`).
    pub segments: u64,
    /// Those whose earlier copy was dropped on this node: same first sequence number, and same address and port of at
    /// least one end, because a translation changes the other. A packet of which both ends were translated, or that was
    /// dropped before the probe was attached, is not found again, so these are at least as many.
    pub explained: Vec<ExplainedRetransmissions>,
    /// Drops that could not be remembered, because a map was full.
    pub lost: u64,
}

/// Retransmissions of what was dropped at one place. The fields are those of a [`DropCount`](super::DropCount).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRetransmissions {
    /// Namespace of the device that the packet was dropped on, if it could be told.
    pub netns: Option<NetnsId>,
    /// Index of that device, 0 when unknown.
    pub ifindex: u32,
    /// `skb->protocol` in host order: IPv4 or IPv6.
    pub ethertype: u16,
    /// The kernel's own reason.
    pub reason: Reason,
    /// The function that dropped it.
    pub location: Function,
    /// Segments sent again.
    pub segments: u64,
    /// Of those, sent again 200 ms or more after the drop: a retransmission timeout, the tail that a user feels.
    pub late: u64,
}

impl ExplainedRetransmissions {
    pub(crate) fn place(&self) -> DropPlace<'_> {
        (
            self.netns,
            self.ifindex,
            self.ethertype,
            &self.reason,
            &self.location,
        )
    }
}
