//! Packets that a rule of the packet filter refused: which rule, and whether it stands for a service without endpoints.

mod judge;
mod rules;
mod senders;
mod services;
#[cfg(test)]
mod tests;
mod text;

use self::{judge::Refusal, text::Words};
use super::{
    Detector,
    kit::{Evidence, Need, proof, say},
};
use crate::{
    Window,
    causes::{Check, PACKET_FILTER},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "packets that rules refused"),
    Need::part(Evidence::PacketFilter, "the rule that refused packets"),
];

/// The `PacketFilter` check.
pub(super) struct PacketFilter;

impl Detector for PacketFilter {
    fn check(&self) -> &'static Check {
        &PACKET_FILTER
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for refusal in judge::refusals(window, so_far) {
            outcome.extend(explained(window, &refusal));
        }
        outcome
    }
}

fn explained(window: &Window<'_>, refusal: &Refusal<'_>) -> Outcome {
    let words = Words { window, refusal };
    let verdict = refusal.assessment.verdict();
    let mut finding = Finding::new(
        refusal.kind.cause(),
        refusal.assessment.clone(),
        Subject::of_namespace(refusal.namespace),
        words.text(),
    );
    finding.confidence = refusal.confidence;
    refusal.tally.measure(&mut finding);
    finding.evidence = words.proofs();
    finding
        .evidence
        .extend(proof::drops(window, &refusal.tally));
    finding.details = words.senders();
    if !refusal.assessment.flows.is_empty() {
        finding.details.extend(say::flows(window, &refusal.tally));
    }
    finding.remedies = words.remedies();
    Outcome::explained(
        finding,
        refusal.tally.keys.iter().map(|key| (*key, verdict)),
    )
}
