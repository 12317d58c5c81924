//! The queue between the kernel and whoever reads a TAP, TUN or macvtap device was full: a guest or program stalled for
//! longer than its queue could hold.
//!
//! On kernels before 4.16 a macvtap could also drop while its queue had room: [`race`].

mod queue;
mod race;
#[cfg(test)]
mod tests;
mod wording;

use self::queue::FullQueue;
use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::EvidenceWindow,
    explained_retransmissions::Explained,
    finding::{Confidence, Finding, Outcome, Severity, Subject, Unchecked},
};

const NAME: &str = "TapQueueDrop";
const RECEIVE_QUEUE_FULL: &str = "ReceiveQueueFull";
const TRANSMIT_QUEUE_FULL: &str = "TransmitQueueFull";
const QUEUE_CHECK_RACE: &str = "QueueCheckRace";

/// Drops a minute from which it is a warning, and retransmissions a minute from which it is critical: TCP that probes
/// for bandwidth fills any queue once in a while.
const WARN_PER_MINUTE: u64 = 6;

/// The `TapQueueDrop` check.
pub(super) struct TapQueueDrop;

impl Detector for TapQueueDrop {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[RECEIVE_QUEUE_FULL, TRANSMIT_QUEUE_FULL, QUEUE_CHECK_RACE],
            needs: &[EvidenceKind::Links, EvidenceKind::Drops],
            summary: "a guest or program reads its device more slowly than packets come",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            unchecked: unchecked(window),
            ..Outcome::default()
        };
        for queue in queue::full_queues(window, so_far) {
            let finding = finding(window, &queue);
            outcome.extend(Outcome::of_loss(finding, &queue.drops));
        }
        outcome
    }
}

fn finding(window: &EvidenceWindow, queue: &FullQueue<'_>) -> Finding {
    let explained = Explained::by(window, &queue.drops);
    let resent = explained.map_or(0, |explained| explained.segments);
    let may_race = queue.cause == QUEUE_CHECK_RACE;
    let is_loss = may_race && window.reaches_rate(queue.count, WARN_PER_MINUTE);
    let severity = if is_loss || window.reaches_rate(resent, WARN_PER_MINUTE) {
        Severity::Critical
    } else if window.reaches_rate(queue.count, WARN_PER_MINUTE) {
        Severity::Warning
    } else {
        Severity::Info
    };
    let subject = Subject::of_link(queue.link, Some(queue.namespace));
    let text = wording::text(window, queue, explained);
    let mut finding = Finding::new(NAME, queue.cause, severity, subject, text);
    finding.confidence = if may_race {
        // A queue that was really full looks the same there.
        Confidence::Possible
    } else if queue.is_proved {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    finding.count = queue.count;
    (finding.first_ms, finding.last_ms) = queue.times;
    wording::describe(&mut finding, window, queue);
    finding
}

fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let entry = |partly, reason| Unchecked {
        check: NAME,
        partly,
        reason,
    };
    let drops = window.drops.missing().map(|reason| {
        let partly = window.drops.value().is_some();
        entry(partly, format!("drop probe: {reason}"))
    });
    let links = window.links.missing().map(|reason| {
        let partly = window.links.value().is_some();
        entry(partly, format!("links: {reason}"))
    });
    let retransmissions = window
        .retransmissions
        .missing()
        .map(|reason| entry(true, format!("retransmissions: {reason}")));
    drops
        .into_iter()
        .chain(links)
        .chain(retransmissions)
        .collect()
}
