//! Datagrams that could not be put together.

use netdiag_e2e::scenarios::{Family, Received};
use serde_json::Value;

use super::{assert_harmless, control_frames::causes};
use crate::outcome::Outcome;

/// The finding that two NICs share a domain: both named, with sender and group; nothing else alarms, but who opened
/// them.
#[track_caller]
fn shared_domain<'a>(nics: [&str; 2], severity: &str, outcome: &'a Outcome) -> &'a Value {
    let finding = outcome.finding("FragmentReassembly", "SharedBroadcastDomain", nics[0]);
    assert_eq!(finding["severity"], severity, "{finding:#}");
    let text = finding.to_string();
    let family = Family::V4;
    for named in [nics[0], nics[1], &family.source().to_string()] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    for alarm in outcome.alarming() {
        let is_cause = causes(finding).iter().any(|cause| alarm["id"] == *cause);
        assert!(is_cause || alarm["id"] == finding["id"], "{alarm:#}");
        assert_eq!(
            alarm["severity"], severity,
            "a cause is as bad as its effect"
        );
    }
    outcome.assert_balanced();
    finding
}

/// Every datagram arrived whole on the NIC where nobody had joined the group.
#[track_caller]
pub fn every_datagram_lost(nics: [&str; 2], sent: u64, made: Received, outcome: &Outcome) {
    let counts = (made.datagrams, made.reassembled, made.failed);
    assert_eq!(counts, (0, sent, sent), "{made:?}");
    let finding = shared_domain(nics, "Critical", outcome);
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(finding["count"], sent, "{finding:#}");
    let summary = finding["summary"].as_str().unwrap();
    assert!(
        summary.contains(&format!("{sent} datagrams lost")),
        "{summary}"
    );
    assert!(summary.contains("239.77.0.15"), "{summary}");
}

/// Copies met in reassembly; the program got every datagram.
#[track_caller]
pub fn collisions_without_loss(nics: [&str; 2], sent: u64, made: Received, outcome: &Outcome) {
    let counts = (made.datagrams, made.reassembled, made.failed);
    assert_eq!(counts, (sent, sent, sent), "{made:?}");
    let finding = shared_domain(nics, "Warning", outcome);
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(
        finding["count"],
        sent * 5,
        "5 of 6 fragments find their copy: {finding:#}"
    );
}

/// Copies came in, and each died by itself where nobody had joined the group.
#[track_caller]
pub fn copies_without_collision(nics: [&str; 2], sent: u64, made: Received, outcome: &Outcome) {
    let counts = (made.datagrams, made.reassembled, made.failed);
    assert_eq!(counts, (sent, sent, 0), "{made:?}");
    shared_domain(nics, "Info", outcome);
    assert_harmless(outcome);
}

/// NICs that hand over frames as they come: which copy completes a datagram is chance. Where their driver leaves all
/// headers outside the linear part (virtio on 5.10), the domain shows by what is dropped on both, and is likely.
#[track_caller]
pub fn some_datagrams_lost(nics: [&str; 2], sent: u64, made: Received, outcome: &Outcome) {
    let lost = sent - made.datagrams;
    assert!(made.failed > 0, "no copies met: {made:?}");
    let finding = &outcome.finding("FragmentReassembly", "SharedBroadcastDomain", nics[0]);
    if finding["severity"] == "Critical" {
        let said = finding["count"].as_u64().unwrap();
        assert!(said <= lost, "{said} said, {lost} lost: {finding:#}");
    }
    let severity = if lost > sent / 4 {
        "Critical"
    } else {
        finding["severity"].as_str().unwrap()
    };
    shared_domain(nics, severity, outcome);
    assert_ne!(severity, "Info");
}

/// The NICs let the group in because somebody made them promiscuous.
#[track_caller]
pub fn opened_by(cause: &str, outcome: &Outcome) {
    let all = outcome.all().iter();
    let mut domains = all.filter(|finding| finding["cause"] == "SharedBroadcastDomain");
    let finding = domains.next().unwrap();
    let causes = causes(finding);
    assert!(
        !causes.is_empty() && causes.iter().all(|id| id.starts_with(cause)),
        "{causes:?}"
    );
}

/// Fragments were lost on a cable: one of each incomplete datagram.
#[track_caller]
pub fn lost_fragments(sent: u64, made: Received, outcome: &Outcome) {
    assert!(made.failed > sent / 2, "{made:?}");
    assert_eq!(made.datagrams + made.failed, sent, "{made:?}");
    let finding = outcome.finding("FragmentReassembly", "FragmentLoss", "lan0");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["confidence"], "Certain");
    assert_eq!(finding["count"], made.failed, "{finding:#}");
    assert_eq!(outcome.alarming().len(), 1, "{:#?}", outcome.alarming());
    outcome.assert_balanced();
}

/// Fragments came twice on one cable: reassembly fails, and nothing is lost.
#[track_caller]
pub fn repeated_fragments(sent: u64, made: Received, outcome: &Outcome) {
    assert_eq!(made.datagrams, sent, "{made:?}");
    assert!(made.failed > 0, "{made:?}");
    nothing_about_fragments(outcome);
}

/// No word of fragments, and nothing alarming.
#[track_caller]
pub fn nothing_about_fragments(outcome: &Outcome) {
    let about = |finding: &&Value| finding["check"] == "FragmentReassembly";
    assert_eq!(outcome.all().iter().find(about), None);
    assert_harmless(outcome);
}
