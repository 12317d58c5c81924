//! Datagrams that came in fragments and could not be put together: because two interfaces are in one broadcast domain
//! and every fragment comes in twice, or because fragments never came.
//!
//! The kernel keeps the fragments of one IPv4 datagram in one queue, whatever ordinary interface they came in on
//! (`ip_defrag`: the key holds addresses, identification, protocol and the VRF). So copies of one datagram collide.
//! Queues of IPv6 groups and link-local addresses belong to one interface (`fq_find` in reassembly.c).

mod collisions;
mod domain;
mod domains;
mod fragments;
mod incomplete;
mod judge;
#[cfg(test)]
mod tests;
mod text;

use self::{
    collisions::Collisions,
    fragments::Version,
    incomplete::Incomplete,
    judge::Shared,
    text::{incomplete as incomplete_text, remedies},
};
use super::{
    Detector,
    kit::{Evidence, Need},
    promiscuity::Openers,
};
use crate::{
    Window,
    causes::{Check, FRAGMENT_LOSS, FRAGMENT_REASSEMBLY, SHARED_BROADCAST_DOMAIN},
    finding::{Finding, Outcome, Subject, Unchecked},
};

const NEEDS: &[Need] = &[
    // What became of fragments is told by the functions that free them.
    Need::all(Evidence::FunctionNames, "what became of fragments"),
    Need::all(Evidence::Drops, "drop probe"),
    Need::part(Evidence::Links, "links"),
    Need::part(
        Evidence::FrameCopies,
        "whether two interfaces share a broadcast domain",
    ),
    Need::part(
        Evidence::Duration(Version::V4.timeout_ms()),
        "an incomplete IPv4 datagram is given up after net.ipv4.ipfrag_time (30 s unless changed)",
    ),
];

/// The `FragmentReassembly` check.
pub(super) struct FragmentReassembly;

impl Detector for FragmentReassembly {
    fn check(&self) -> &'static Check {
        &FRAGMENT_REASSEMBLY
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let drops = fragments::of_fragments(window, so_far);
        let openers = Openers::of(window, so_far);
        let domains = domains::shared(window, &drops);
        let collide = |domain| Collisions::of(domain, &drops);
        let collisions: Vec<Collisions<'_>> = domains.iter().map(collide).collect();
        let mut outcome = Outcome::default();
        for (domain, collisions) in domains.iter().zip(&collisions) {
            let shared = Shared::of(window, &openers, domain, collisions);
            let finding = shared_finding(window, &shared);
            outcome.extend(Outcome::explained(finding, shared.verdicts()));
        }
        for found in incomplete::incomplete(window, &drops, &collisions) {
            let finding = incomplete_finding(&found);
            outcome.extend(Outcome::of_loss(finding, &found.tally.keys));
        }
        let unplaced = judge::unplaced_copies(window, &drops, &collisions);
        let unplaced =
            unplaced.map(|found| Unchecked::in_part(&FRAGMENT_REASSEMBLY, text::unplaced(found)));
        outcome.unchecked.extend(unplaced);
        let may_be_open = incomplete::may_be_open(window);
        let open = may_be_open.then(|| incomplete_text::may_be_open(window));
        let open = open.map(|reason| Unchecked::too_rare(&FRAGMENT_REASSEMBLY, reason));
        outcome.unchecked.extend(open);
        outcome
    }
}

fn shared_finding(window: &Window<'_>, shared: &Shared<'_>) -> Finding {
    let domain = shared.domain;
    // One device of the domain, always the same one, gives the finding its place and identity.
    let subject = Subject::of_link(domain.links[0], Some(domain.namespace));
    let assessment = shared.assessment();
    let text = text::text(shared, &assessment);
    let mut finding = Finding::new(&SHARED_BROADCAST_DOMAIN, assessment, subject, text);
    finding.confidence = shared.confidence;
    shared.collisions.tally().measure(&mut finding);
    finding.count = shared.count;
    finding.caused_by.clone_from(&shared.caused_by);
    finding.evidence = text::proofs(window, shared);
    finding.details = text::details(domain);
    finding.details.extend(text::unseen(shared.collisions));
    finding.remedies = remedies::of_domain(window, shared);
    finding
}

fn incomplete_finding(found: &Incomplete<'_>) -> Finding {
    let subject = Subject::of_place(found.link, Some(found.namespace));
    let subject = subject.with_protocol(found.version.name());
    let assessment = found.assessment();
    let text = incomplete_text::text(found, &assessment);
    let mut finding = Finding::new(&FRAGMENT_LOSS, assessment, subject, text);
    finding.confidence = found.confidence;
    found.tally.measure(&mut finding);
    finding.evidence = incomplete_text::proofs(found);
    finding.details = incomplete_text::details(found);
    finding.remedies = remedies::of_loss(found);
    finding
}
