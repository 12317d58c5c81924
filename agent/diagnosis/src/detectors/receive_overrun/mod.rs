//! Packets came faster than the node took them: a NIC's ring or a CPU's backlog was full.
//!
//! A packet that a NIC drops never becomes one of the kernel's, so only the driver's counters tell. They are named here
//! and stay out of the ledger, which explains counters by packets.

mod judge;
#[cfg(test)]
mod tests;
mod text;

use self::judge::{FullBacklog, FullRing};
use super::{
    Detector,
    kit::{Evidence, Need, say},
};
use crate::{
    Window,
    causes::{BACKLOG_FULL, Check, RECEIVE_OVERRUN, RING_FULL},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::part(Evidence::Links, "NIC counters"),
    Need::part(Evidence::CpuBacklogs, "CPU backlogs"),
];

/// The `ReceiveOverrun` check.
pub(super) struct ReceiveOverrun;

impl Detector for ReceiveOverrun {
    fn check(&self) -> &'static Check {
        &RECEIVE_OVERRUN
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        let rings = judge::full_rings(window);
        let findings = rings.map(|ring| ring_finding(&ring));
        outcome.findings.extend(findings);
        if let Some(backlog) = judge::full_backlog(window, so_far) {
            let finding = backlog_finding(window, &backlog);
            outcome.extend(Outcome::of_loss(finding, &backlog.tally.keys));
        }
        outcome
    }
}

fn ring_finding(ring: &FullRing<'_>) -> Finding {
    let subject = Subject::of_link(ring.nic, Some(ring.namespace));
    let assessment = judge::ring_assessment(ring);
    let text = text::ring(ring, &assessment);
    let mut finding = Finding::new(&RING_FULL, assessment, subject, text);
    ring.tally.measure(&mut finding);
    finding.evidence = text::ring_proofs(ring);
    finding.remedies = text::ring_remedies(ring);
    finding
}

fn backlog_finding(window: &Window<'_>, backlog: &FullBacklog<'_>) -> Finding {
    let assessment = judge::backlog_assessment(window, backlog);
    let text = text::backlog(backlog, &assessment);
    let mut finding = Finding::new(&BACKLOG_FULL, assessment, Subject::default(), text);
    finding.confidence = backlog.confidence;
    backlog.tally.measure(&mut finding);
    finding.evidence = text::backlog_proofs(window, backlog);
    finding.details = text::devices(window, backlog).collect();
    finding.details.extend(say::flows(window, &backlog.tally));
    finding.remedies = text::backlog_remedies(backlog);
    finding
}
