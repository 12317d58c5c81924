//! Devices that hand on nothing: nobody reads them, they are down, or they have no carrier.

mod discipline;
mod judge;
mod kind;
mod remedies;
mod signal;
#[cfg(test)]
mod tests;
mod text;
mod unready;

use self::judge::Fault;
use super::{
    Detector,
    kit::{Evidence, Need, explained_by},
};
use crate::{
    Window,
    causes::{Check, QUEUEING},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Links, "links"),
    Need::all(Evidence::Drops, "drop probe"),
];

/// The `Queueing` check.
pub(super) struct Queueing;

impl Detector for Queueing {
    fn check(&self) -> &'static Check {
        &QUEUEING
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for fault in judge::faults(window, so_far) {
            outcome.extend(explained(window, &fault));
        }
        outcome
    }
}

fn explained(window: &Window<'_>, fault: &Fault<'_>) -> Outcome {
    let subject = Subject::of_link(fault.link, Some(fault.namespace));
    let text = text::text(window, fault);
    let mut finding = Finding::new(fault.kind.cause(), fault.assessment.clone(), subject, text);
    finding.confidence = fault.confidence;
    finding.evidence = text::proofs(window, fault);
    finding.remedies = remedies::remedies(window, fault);
    explained_by(finding, window, &fault.tally)
}
