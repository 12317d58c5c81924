//! Frames of a protocol that nobody on this node receives: counted as dropped, and harmless unless they were meant for
//! this node.

mod alike;
mod frames;
mod judge;
mod opened_by;
#[cfg(test)]
mod tests;
mod text;
mod waiting;

use self::{
    judge::Unreceived,
    text::{alike as alike_text, remedies},
};
use super::{
    Detector,
    kit::{Evidence, Need},
};
use crate::{
    Window,
    causes::{Check, NO_RECEIVER, UNHANDLED_PROTOCOL},
    finding::{Assessment, Finding, Outcome, Subject},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::all(Evidence::ReasonsOrNames, "frames without a receiver"),
    Need::part(
        Evidence::Duration(LLDP_INTERVAL_MS),
        "LLDP comes every 30 s, CDP every 60 s",
    ),
];

/// The `UnhandledProtocol` check.
pub(super) struct UnhandledProtocol;

/// LLDP comes every 30 s by its default.
const LLDP_INTERVAL_MS: u64 = 30_000;

impl Detector for UnhandledProtocol {
    fn check(&self) -> &'static Check {
        &UNHANDLED_PROTOCOL
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let folded = alike::fold(window, judge::unreceived(window, so_far));
        let mut outcome = Outcome::default();
        let mut add = |finding: Finding, drops: &[Unreceived<'_>]| {
            let claims = drops.iter().flat_map(|one| one.claims(&finding.id));
            outcome.claims.extend(claims);
            outcome.findings.push(finding);
        };
        for one in &folded.single {
            add(one_finding(window, one), std::slice::from_ref(one));
        }
        for (protocol, all) in &folded.alike {
            add(alike_finding(window, protocol, all), all);
        }
        outcome
    }
}

fn one_finding(window: &Window<'_>, found: &Unreceived<'_>) -> Finding {
    let namespace = window.namespace(found.netns);
    let mut subject = Subject::of_place(found.link, namespace);
    subject.ifindex = Some(found.ifindex);
    if found.inactive_slave_of.is_none() {
        subject.protocol = Some(found.frames.name());
    }
    let assessment = found.assessment();
    let text = text::text(window, found, &assessment);
    let mut finding = Finding::new(&NO_RECEIVER, assessment, subject, text);
    finding.confidence = found.confidence();
    finding.caused_by.clone_from(&found.caused_by);
    found.tally.measure(&mut finding);
    finding.evidence = text::proofs(window, found);
    finding.details = text::details(found);
    finding.neighbours = found.neighbours();
    finding.remedies = remedies::remedies(window, found);
    finding
}

fn alike_finding(window: &Window<'_>, protocol: &str, all: &[Unreceived<'_>]) -> Finding {
    let subject = Subject::default().with_protocol(protocol);
    let tally = alike::tally(all);
    let text = alike_text::text(protocol, all.len(), &tally);
    let mut finding = Finding::new(&NO_RECEIVER, Assessment::none(), subject, text);
    finding.confidence = alike::confidence(all);
    tally.measure(&mut finding);
    finding.evidence = alike_text::all_proofs(window, protocol, all);
    finding.details = alike_text::all_details(window, all);
    finding.neighbours = all.first().map_or_else(Vec::new, Unreceived::neighbours);
    finding.remedies = vec![alike_text::remedy()];
    finding
}
