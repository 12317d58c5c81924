//! Packets that find no way on: forwarding is off, no route leads on or one refuses, routes form a circle, or the reverse path
//! filter refuses their source.

mod circle;
mod circle_text;
mod fault;
mod forwarding;
mod judge;
mod no_way;
mod no_way_text;
mod questions;
mod reverse_path;
#[cfg(test)]
mod tests;
mod text;

use self::fault::Fault;
pub use self::questions::{RouteQuestions, route_questions};
use super::{
    Detector,
    kit::{Evidence, Need, proof, say},
};
use crate::{
    Window,
    causes::{Check, ROUTING},
    finding::{Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Links, "settings of devices"),
    Need::all(Evidence::Drops, "drop probe"),
    Need::part(Evidence::Routes, "routes of packets that found no way on"),
];

/// The `Routing` check.
pub(super) struct Routing;

impl Detector for Routing {
    fn check(&self) -> &'static Check {
        &ROUTING
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
    let verdict = fault.assessment.verdict();
    let subject = Subject::of_place(fault.link, Some(fault.namespace));
    let subject = match fault.kind.protocol() {
        Some(protocol) => subject.with_protocol(protocol),
        None => subject,
    };
    let mut finding = Finding::new(
        fault.kind.cause(),
        fault.assessment.clone(),
        subject,
        text::text(window, fault),
    );
    finding.confidence = fault.confidence;
    fault.tally.measure(&mut finding);
    finding.evidence = proof::drops(window, &fault.tally);
    finding.evidence.extend(text::proofs(window, fault));
    finding.details = say::flows(window, &fault.tally).collect();
    finding.remedies = text::remedies(window, fault);
    Outcome::explained(finding, fault.tally.keys.iter().map(|key| (*key, verdict)))
}
