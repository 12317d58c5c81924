//! Packets dropped for a wrong checksum: one that was not filled in, and that a program between sender and receiver
//! passed on so, or broken bytes.

mod candidates;
#[cfg(test)]
mod fixtures;
mod flips;
mod judge;
mod path;
mod processes;
mod received;
mod sender;
mod signature;
#[cfg(test)]
mod tests;
mod text;
mod translation;
mod trigger;
mod way;

use self::{
    judge::{Broken, Counted, Lost, Shows},
    processes::Processes,
    text::corruption,
};
use super::{
    Detector,
    kit::{Evidence, Need, proof, say},
};
use crate::{
    Window,
    causes::{CHECKSUM_DROP, CORRUPTION, Check, PARTIAL_CHECKSUM_LOST, UNSEEN},
    evidence::DropCount,
    finding::{Confidence, Finding, Outcome, Subject, Unchecked},
    kernel::NamespaceCounter,
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::part(
        Evidence::PacketSockets,
        "programs that pass frames on may be missing",
    ),
];

/// A drop of which too few packets were seen to exclude that it lost a checksum elsewhere: what a filter or a route
/// refuses while connection tracking finds packets invalid.
pub(super) fn may_have_lost_checksum(window: &Window<'_>, index: usize, key: &DropCount) -> bool {
    window.lacks_samples(index)
        && trigger::of(window, key) == Some(trigger::Trigger::Elsewhere)
        && trigger::finds_invalid(window, key)
}

/// The `ChecksumDrop` check.
pub(super) struct ChecksumDrop;

impl Detector for ChecksumDrop {
    fn check(&self) -> &'static Check {
        &CHECKSUM_DROP
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, _so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        let unchecked = |reason: String| Unchecked::in_part(&CHECKSUM_DROP, reason);
        let unseen = judge::unseen(window).map(|found| unchecked(text::unseen(&found)));
        outcome.unchecked.extend(unseen);
        let counted = judge::counted(window).map(|counted| counted_finding(&counted));
        outcome.findings.extend(counted);
        let places = candidates::by_place(window);
        if places.is_empty() {
            return outcome;
        }
        let processes = Processes::of(window);
        for candidates in places {
            if let Some(lost) = Lost::of(window, &processes, &candidates) {
                let finding = lost_finding(window, &lost);
                outcome.extend(Outcome::of_loss(finding, &candidates.lost_keys()));
            }
            let uncounted = judge::uncounted(window, &candidates);
            let uncounted = uncounted.map(|namespace| unchecked(text::uncounted(namespace)));
            outcome.unchecked.extend(uncounted);
            if let Some(broken) = Broken::of(window, &candidates) {
                let finding = broken_finding(window, &broken);
                outcome.extend(Outcome::of_loss(finding, &broken.tally.keys));
            }
        }
        outcome
    }
}

fn lost_finding(window: &Window<'_>, lost: &Lost<'_>) -> Finding {
    let subject = lost.candidates.subject(window);
    let assessment = lost.assessment(window);
    let text = text::lost(lost, &subject, &assessment);
    let mut finding = Finding::new(&PARTIAL_CHECKSUM_LOST, assessment, subject, text);
    if let Some(forwarder) = lost.responsible() {
        // Not part of its identity: the program may be started anew.
        finding.subject.process = Some(say::process(forwarder.process.owner));
        finding.subject.container = forwarder.process.owner.container.clone();
    }
    finding.confidence = lost.confidence;
    lost.tally.measure(&mut finding);
    finding.evidence = text::evidence(window, lost);
    finding.details = text::details(window, lost);
    finding.remedies = text::remedies(lost);
    finding
}

fn counted_finding(counted: &Counted<'_>) -> Finding {
    let subject = Subject::of_namespace(counted.namespace);
    let assessment = counted.assessment();
    let text = text::counted(counted, &assessment);
    let mut finding = Finding::new(&UNSEEN, assessment, subject, text);
    // Which of both it was is not known.
    finding.confidence = Confidence::Possible;
    counted.tally.measure(&mut finding);
    let counter = NamespaceCounter::TcpInCsumErrors.name();
    finding.evidence = proof::counter_rose(counted.namespace, counter, "segments")
        .into_iter()
        .collect();
    finding.remedies = text::counted_remedies(counted);
    finding
}

fn broken_finding(window: &Window<'_>, broken: &Broken<'_>) -> Finding {
    let subject = broken.candidates.subject(window);
    let assessment = broken.assessment(window);
    let text = corruption::text(broken, &subject, &assessment);
    let cause = match broken.shows {
        Shows::Nothing => &UNSEEN,
        _ => &CORRUPTION,
    };
    let mut finding = Finding::new(cause, assessment, subject, text);
    finding.confidence = broken.confidence;
    broken.tally.measure(&mut finding);
    finding.evidence = corruption::evidence(window, broken);
    finding.remedies = corruption::remedies(window, broken);
    finding
}
