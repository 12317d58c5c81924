//! Connections that the node's connection tracking does not let through: no room for them, no port to translate them to,
//! or segments that fit to no connection and that a rule drops for it.

mod books;
mod fault;
mod invalid;
mod judge;
mod refused;
#[cfg(test)]
mod tests;
mod text;

use self::{fault::Fault, text::Words};
use super::{
    Detector,
    kit::{Evidence, Need, explained_by},
};
use crate::{
    Window,
    causes::{CONNECTION_TRACKING, Check},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[Need::part(Evidence::Drops, "flows of refused connections")];

/// The `ConnectionTracking` check.
pub(super) struct ConnectionTracking;

impl Detector for ConnectionTracking {
    fn check(&self) -> &'static Check {
        &CONNECTION_TRACKING
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
    let words = Words { window, fault };
    let mut finding = Finding::new(
        fault.kind.cause(),
        fault.assessment.clone(),
        Subject::of_namespace(fault.namespace),
        words.text(),
    );
    finding.confidence = fault.confidence;
    finding.evidence = words.proofs();
    finding.remedies = words.remedies();
    explained_by(finding, window, &fault.tally)
}
