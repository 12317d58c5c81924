//! A veth pair with unequal MTUs: what the larger end sends and the smaller end refuses is lost without a word.

mod judge;
mod port;
#[cfg(test)]
mod tests;
mod text;

use self::judge::Loss;
use super::{
    Detector,
    kit::{Evidence, Need, say},
};
use crate::{
    Window,
    causes::{Check, LINK_MTU, PEER_MTU_SMALLER},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Links, "links"),
    Need::part(Evidence::Drops, "sizes of lost packets"),
];

/// The `LinkMtu` check.
pub(super) struct LinkMtu;

impl Detector for LinkMtu {
    fn check(&self) -> &'static Check {
        &LINK_MTU
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        for loss in judge::losses(window) {
            outcome.extend(Outcome::of_loss(finding(window, &loss), &loss.tally.keys));
        }
        outcome.extend(port::outcome(window, so_far));
        outcome
    }
}

fn finding(window: &Window<'_>, loss: &Loss<'_>) -> Finding {
    let subject = Subject::of_link(loss.sender.link, Some(loss.sender.namespace));
    let assessment = judge::assessment(window, loss);
    let text = text::text(window, loss, &assessment);
    let mut finding = Finding::new(&PEER_MTU_SMALLER, assessment, subject, text);
    finding.confidence = loss.confidence;
    loss.tally.measure(&mut finding);
    finding.evidence = text::proofs(window, loss);
    finding.details = say::flows(window, &loss.tally).collect();
    finding.remedies = text::remedies(loss);
    finding
}
