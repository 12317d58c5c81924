//! Datagrams that came in fragments and could not be put together: because two interfaces are in one broadcast domain
//! and every fragment comes in twice, or because fragments never came.
//!
//! The kernel keeps the fragments of one IPv4 datagram in one queue, whatever ordinary interface they came in on
//! (`ip_defrag`: the key holds addresses, identification, protocol and the VRF). So copies of one datagram collide.
//! Queues of IPv6 groups and link-local addresses belong to one interface (`fq_find` in reassembly.c).

mod domains;
mod loss;
mod remains;
mod remedies;
#[cfg(test)]
mod tests;
mod toll;
mod wording;

use self::{
    domains::Domain,
    remains::{Place, Remains},
    toll::Toll,
};
use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::EvidenceWindow,
    finding::{Claim, Confidence, Finding, Outcome, Severity, Subject, Unchecked, Verdict},
};

const NAME: &str = "FragmentReassembly";
const SHARED_BROADCAST_DOMAIN: &str = "SharedBroadcastDomain";
const FRAGMENT_LOSS: &str = "FragmentLoss";

/// `IP_FRAG_TIME`, the default of net.ipv4.ipfrag_time, in milliseconds.
const DEFAULT_REASSEMBLY_MS: u64 = 30_000;

/// The `FragmentReassembly` check.
pub(super) struct FragmentReassembly;

impl Detector for FragmentReassembly {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[SHARED_BROADCAST_DOMAIN, FRAGMENT_LOSS],
            needs: &[EvidenceKind::Links, EvidenceKind::Drops],
            summary: "fragmented datagrams cannot be put together",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, so_far: &Outcome) -> Outcome {
        let remains = remains::of_fragments(window, so_far);
        let mut outcome = Outcome::default();
        let mut tolls = Vec::new();
        for domain in domains::shared(window, &remains) {
            let toll = Toll::of(&domain, &remains);
            outcome.extend(report(window, so_far, &domain, &toll));
            tolls.push(toll);
        }
        outcome.extend(loss::report(window, &remains, &tolls));
        outcome.unchecked = unchecked(window, &remains, &tolls);
        outcome
    }
}

fn report(
    window: &EvidenceWindow,
    so_far: &Outcome,
    domain: &Domain<'_>,
    toll: &Toll<'_>,
) -> Outcome {
    let lost = toll.lost(domain);
    let severity = if lost.at_least > 0 {
        Severity::Critical
    } else if toll.collides() && domain.has_receiver() != Some(false) {
        Severity::Warning
    } else {
        Severity::Info
    };
    // One device of the domain, always the same one, gives the finding its place and identity.
    let subject = Subject::of_link(domain.links[0], Some(domain.namespace));
    let text = wording::text(severity, domain, toll);
    let mut finding = Finding::new(NAME, SHARED_BROADCAST_DOMAIN, severity, subject, text);
    finding.confidence = if domain.is_proved() {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    finding.count = match severity {
        Severity::Critical => lost.at_least,
        Severity::Warning => toll.duplicates.at_most,
        Severity::Info => domain.copied(),
    };
    (finding.first_ms, finding.last_ms) = toll.times();
    finding.caused_by = domains::opened_by(window, so_far, domain, toll);
    wording::describe(&mut finding, window, domain, toll);
    let claims = toll
        .remains
        .iter()
        .filter(|remains| remains.is_all_of(domain));
    let claims = claims.map(|remains| Claim {
        drop: remains.drop,
        verdict: match remains.place {
            Place::Routing if remains.wholes > 0 && lost.at_least > 0 => Verdict::Harmful,
            Place::Reassembly | Place::Routing | Place::Expiry => Verdict::Benign,
        },
        protocol: None,
        finding: finding.id.clone(),
    });
    Outcome {
        claims: claims.collect(),
        findings: vec![finding],
        unchecked: Vec::new(),
    }
}

fn unchecked(
    window: &EvidenceWindow,
    remains: &[Remains<'_>],
    tolls: &[Toll<'_>],
) -> Vec<Unchecked> {
    let mut entries = Vec::new();
    let mut add = |partly, reason: String| {
        entries.push(Unchecked {
            check: NAME,
            partly,
            reason,
        });
    };
    let drops = window.drops.value();
    if let Some(missing) = window.drops.missing() {
        // What became of fragments is told by the functions that free them.
        let partly = drops.is_some_and(|drops| drops.has_locations);
        add(partly, format!("drop probe: {missing}"));
    }
    // Fragments in a namespace whose counters are closed raise no question.
    if window.links.value().is_some()
        && let Some(missing) = window.links.missing()
    {
        add(true, format!("links: {missing}"));
    }
    if let Some(missing) = window.frame_copies.missing() {
        let reason = format!("whether two interfaces share a broadcast domain: {missing}");
        add(true, reason);
    } else if remains
        .iter()
        .any(|one| is_unplaced_copy(window, one, tolls))
    {
        let unreadable = window.frame_copies.value().map(|seen| seen.unreadable);
        match unreadable {
            None => add(
                true,
                "fragments came twice; whether on two interfaces was not watched meanwhile"
                    .to_owned(),
            ),
            Some(0) => {}
            Some(unreadable) => add(
                true,
                format!(
                    "fragments came twice; whether on two interfaces could not be seen of {unreadable} frames whose \
                     headers were outside the linear part"
                ),
            ),
        }
    }
    if let Some(lost) = window.frame_copies.value().map(|copies| copies.lost)
        && lost > 0
    {
        let reason =
            format!("{lost} copies of frames could not be counted, because a map was full");
        add(true, reason);
    }
    if window.duration_ms < DEFAULT_REASSEMBLY_MS {
        let seconds = window.duration_ms / 1000;
        let reason = format!(
            "a datagram that stays incomplete is given up after net.ipv4.ipfrag_time (30 s unless changed): {seconds} s \
             can miss them"
        );
        add(true, reason);
    }
    entries
}

/// Fragments that came twice in a namespace with two interfaces to come in on, and that belong to no known domain.
fn is_unplaced_copy(window: &EvidenceWindow, one: &Remains<'_>, tolls: &[Toll<'_>]) -> bool {
    let links = window.links().iter();
    let ways_in =
        links.filter(|link| Some(link.netns) == one.key.netns && link.is_up() && link.name != "lo");
    let mut placed = tolls.iter().flat_map(|toll| &toll.remains);
    one.place == Place::Reassembly
        && ways_in.count() > 1
        && !placed.any(|other| other.drop == one.drop)
}
