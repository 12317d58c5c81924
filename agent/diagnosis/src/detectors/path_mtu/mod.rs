//! Packets that are longer than the way onward takes: senders that shorten them, and senders that never learn of it.

mod answers;
mod fate;
mod judge;
mod sender;
#[cfg(test)]
mod tests;
mod text;

use self::judge::TooLong;
use super::{
    Detector,
    kit::{Evidence, Need, explained_by},
};
use crate::{
    Window,
    causes::{Check, PATH_MTU},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::part(Evidence::Links, "MTU of the way onward"),
];

/// The `PathMtu` check.
pub(super) struct PathMtu;

impl Detector for PathMtu {
    fn check(&self) -> &'static Check {
        &PATH_MTU
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for too_long in judge::too_long(window, so_far) {
            outcome.extend(explained(window, &too_long));
        }
        outcome
    }
}

fn explained(window: &Window<'_>, too_long: &TooLong<'_>) -> Outcome {
    let subject = Subject::of_place(too_long.way.device, Some(too_long.namespace));
    let subject = match too_long.is_ipv6 {
        true => subject.with_protocol("IPv6"),
        false => subject,
    };
    let mut finding = Finding::new(
        too_long.fate.kind.cause(),
        too_long.fate.assessment.clone(),
        subject,
        text::text(window, too_long),
    );
    finding.confidence = too_long.confidence;
    finding.evidence = text::proofs(window, too_long);
    finding.remedies = text::remedies(window, too_long);
    finding.caused_by = too_long.answers.refused_by.clone();
    explained_by(finding, window, &too_long.tally)
}
