//! The queue between the kernel and the reader of a TAP, TUN or macvtap device was full: a guest or program stalled for
//! longer than its queue could hold.
//!
//! On kernels before 4.16 a macvtap could also drop while its queue had room: [`race`].

mod judge;
mod race;
#[cfg(test)]
mod tests;
mod text;

use self::judge::FullQueue;
use super::{
    Detector,
    kit::{Evidence, Need, say},
};
use crate::{
    Window,
    causes::{Check, TAP_QUEUE_DROP},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::all(Evidence::Links, "links"),
    Need::part(Evidence::Retransmissions, "retransmissions"),
];

/// The `TapQueueDrop` check.
pub(super) struct TapQueueDrop;

impl Detector for TapQueueDrop {
    fn check(&self) -> &'static Check {
        &TAP_QUEUE_DROP
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for queue in judge::full_queues(window, so_far) {
            let finding = finding(window, &queue);
            let verdict = queue.assessment.verdict();
            let keys = queue.tally.keys.iter();
            outcome.extend(Outcome::explained(finding, keys.map(|key| (*key, verdict))));
        }
        outcome
    }
}

fn finding(window: &Window<'_>, queue: &FullQueue<'_>) -> Finding {
    let subject = Subject::of_link(queue.link, Some(queue.namespace));
    let text = text::text(window, queue);
    let mut finding = Finding::new(queue.cause, queue.assessment.clone(), subject, text);
    // Not part of its identity: who reads may be started anew.
    finding.subject.process = queue.readers.first().copied().map(say::process);
    finding.confidence = queue.confidence;
    queue.tally.measure(&mut finding);
    finding.evidence = text::proofs(window, queue);
    finding.details = text::details(window, queue);
    finding.remedies = text::remedies(queue);
    finding
}
