//! Packets came faster than the node took them: a NIC's ring or a CPU's backlog was full.
//!
//! What a NIC drops never becomes a packet of the kernel's, so only its driver's counters tell. They are named here and
//! stay out of the ledger, which explains counters by packets.

mod backlog;
mod ring;
#[cfg(test)]
mod tests;

use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::EvidenceWindow,
    finding::{Outcome, Severity, Unchecked},
};

const NAME: &str = "ReceiveOverrun";
const RING_FULL: &str = "RingFull";
const BACKLOG_FULL: &str = "BacklogFull";

/// Losses a minute from which it is a warning: a burst at start-up costs a few.
const WARN_PER_MINUTE: u64 = 6;

/// The `ReceiveOverrun` check.
pub(super) struct ReceiveOverrun;

impl Detector for ReceiveOverrun {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[RING_FULL, BACKLOG_FULL],
            needs: &[EvidenceKind::Links, EvidenceKind::CpuBacklogs],
            summary: "packets come faster than the node takes them from its NICs",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            unchecked: unchecked(window),
            ..Outcome::default()
        };
        outcome.findings.extend(ring::full_rings(window));
        if let Some(backlog) = backlog::full_backlog(window, so_far) {
            outcome.extend(backlog);
        }
        outcome
    }
}

fn severity(window: &EvidenceWindow, count: u64) -> Severity {
    if window.reaches_rate(count, WARN_PER_MINUTE) {
        Severity::Warning
    } else {
        Severity::Info
    }
}

fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let neither = window.links.value().is_none() && window.softnet.value().is_none();
    let entry = |what: &str, reason: &str| Unchecked {
        check: NAME,
        partly: !neither,
        reason: format!("{what}: {reason}"),
    };
    let links = window.links.missing();
    let softnet = window.softnet.missing();
    let links = links.map(|reason| entry("NIC counters", reason));
    let softnet = softnet.map(|reason| entry("CPU backlogs", reason));
    links.into_iter().chain(softnet).collect()
}
