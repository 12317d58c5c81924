//! TCP behind an inline segment routing header: what receive offload does not join, and what segmentation offload
//! makes the kernel drop.
//!
//! Inline mode puts the header between IPv6 and TCP (`seg6_do_srh_inline`). Encapsulation leaves the inner packet as it
//! was, and both offloads work.

mod receive;
#[cfg(test)]
mod tests;
mod transmit;

use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::EvidenceWindow,
    finding::{Outcome, Remedy, Unchecked},
};

const NAME: &str = "SegmentOffload";
const SEGMENT_ROUTING_GRO: &str = "SegmentRoutingGro";
const SEGMENT_ROUTING_GSO: &str = "SegmentRoutingGso";

/// The `SegmentOffload` check.
pub(super) struct SegmentOffload;

impl Detector for SegmentOffload {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[SEGMENT_ROUTING_GRO, SEGMENT_ROUTING_GSO],
            needs: &[EvidenceKind::Links, EvidenceKind::Drops],
            summary: "segment routing headers keep packets from being joined or segmented by offload",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            findings: receive::unmerged(window),
            unchecked: unchecked(window),
            ..Outcome::default()
        };
        for lost in transmit::bad_super_frames(window, so_far) {
            let finding = lost.describe(window);
            outcome.extend(Outcome::of_loss(finding, &lost.drops));
        }
        outcome
    }
}

/// What ends both: the header's other mode, which is chosen where the route is.
fn encapsulate() -> Remedy {
    Remedy::advice(
        "Where the route adds the header, let it encapsulate instead: `ip -6 route change PREFIX encap seg6 mode encap \
         segs SEGMENTS dev DEVICE`.",
    )
    .with_effect(
        "Packets grow by another IPv6 header: lower the route's MTU by as much. The last segment must take the inner \
         packet out again.",
    )
}

fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let entry = |partly, reason| Unchecked {
        check: NAME,
        partly,
        reason,
    };
    let drops = window.drops.value();
    // Kernels without reasons do not look at super-frames so closely, and drop none.
    let needs_reasons = drops.is_none_or(|drops| drops.has_reasons);
    let missing = window.drops.missing().filter(|_| needs_reasons);
    let drops =
        missing.map(|reason| entry(true, format!("super-frames on their way out: {reason}")));
    let links = window.links.missing();
    let links =
        links.map(|reason| entry(window.links.value().is_some(), format!("links: {reason}")));
    let received = window.gro.missing();
    let received = received.map(|reason| entry(true, format!("packets that come in: {reason}")));
    let uncounted = window.gro.value().and_then(|gro| {
        let count = gro.lost.saturating_add(gro.unread);
        let why = if gro.unread > 0 {
            "their headers lie in pages that this kernel does not let the probe find"
        } else {
            "they were on more interfaces than are counted apart"
        };
        (count > 0).then(|| entry(true, format!("{count} packets that came in: {why}")))
    });
    [drops, links, received, uncounted]
        .into_iter()
        .flatten()
        .collect()
}
