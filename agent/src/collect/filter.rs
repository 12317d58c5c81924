//! The rules that refuse packets, at both ends of a window.

use std::time::Duration;

use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{DropCount, NetnsId, OnDemand, PacketFilter},
    kernel::{Reason, site},
};

use crate::sources::packet_filter::{self, Rules};

/// The rules at the start. They are read before anything is refused: a burst is over before a later look.
pub(super) struct FilterWatch(Rules);

impl FilterWatch {
    /// Reads the rules of the start.
    pub(super) fn begin() -> Self {
        Self(packet_filter::read())
    }

    /// Reads those of the end.
    pub(super) fn end(self) -> BothRules {
        BothRules {
            before: self.0,
            after: packet_filter::read(),
        }
    }
}

/// The rules of both ends.
pub(super) struct BothRules {
    before: Rules,
    after: Rules,
}

impl BothRules {
    /// Adds them to the window, where packets were refused in the node's own namespace.
    pub(super) fn finish(self, lasted: Duration, window: &mut EvidenceWindow) {
        window.packet_filter = self.evidence(lasted, window);
    }

    fn evidence(self, lasted: Duration, window: &EvidenceWindow) -> OnDemand<PacketFilter> {
        let node = window.node_namespace().map(|node| node.id);
        let drops = window.drops.value().map_or(&[][..], |drops| &drops.counts);
        if !drops.iter().any(|key| is_refused_in(node, key)) {
            return OnDemand::Idle {
                reason: "no rule of the node refused a packet".to_owned(),
            };
        }
        OnDemand::Ran {
            question: "rules of the node refused packets".to_owned(),
            from_ms: 0,
            until_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            value: packet_filter::between(&self.before, self.after),
        }
    }
}

fn is_refused_in(node: Option<NetnsId>, key: &DropCount) -> bool {
    let by_filter = key.reason == Reason::NETFILTER_DROP
        || (key.reason.is_unnamed() && key.location.is_of_any(site::PACKET_FILTERS));
    by_filter && node.is_some() && key.netns == node
}
