//! Packets dropped for a wrong checksum: half-made ones that a program between sender and receiver passed on, or
//! bytes that really broke.

#[cfg(test)]
mod fixtures;
mod path;
mod sender;
mod signature;
mod suspects;
#[cfg(test)]
mod tests;
mod translation;
mod trigger;
mod wording;

use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::EvidenceWindow,
    finding::{Confidence, Finding, Outcome, Severity, Unchecked, counted_packets},
};
use signature::ENOUGH;
use suspects::Suspects;
use trigger::Trigger;
use wording::Lost;

const NAME: &str = "ChecksumDrop";
const PARTIAL_CHECKSUM_LOST: &str = "PartialChecksumLost";
const CORRUPTION: &str = "Corruption";

/// The `ChecksumDrop` check.
pub(super) struct ChecksumDrop;

impl Detector for ChecksumDrop {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            causes: &[PARTIAL_CHECKSUM_LOST, CORRUPTION],
            needs: &[EvidenceKind::Drops, EvidenceKind::ProtocolCounters],
            summary: "packets are dropped for a wrong checksum",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, _so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            unchecked: unchecked(window),
            ..Outcome::default()
        };
        for suspects in suspects::by_place(window) {
            if let Some(confidence) = suspects.loss() {
                outcome.extend(partial_checksum_lost(window, &suspects, confidence));
            }
            outcome.unchecked.extend(uncounted(window, &suspects));
            if is_corruption(&suspects) {
                outcome.extend(corruption(window, &suspects));
            }
        }
        outcome
    }
}

/// Both proofs of a lost partial checksum fail for at least some of the packets that the kernel dropped for their
/// checksum. A filter's drop says nothing of the kind.
fn is_corruption(suspects: &Suspects<'_>) -> bool {
    if suspects.trigger != Trigger::Checksum {
        return false;
    }
    // Beside a proved loss a few packets that fit neither proof are no second fault (other flows' few samples).
    suspects.loss().is_none() || (suspects.translated.is_empty() && suspects.other >= ENOUGH)
}

fn partial_checksum_lost(
    window: &EvidenceWindow,
    suspects: &Suspects<'_>,
    confidence: Confidence,
) -> Outcome {
    let subject = suspects.subject(window);
    // One packet is no reason to wake somebody.
    let severity = match confidence {
        Confidence::Possible => Severity::Warning,
        _ => Severity::Critical,
    };
    let words = Lost::of(window, suspects, &subject);
    let mut finding = Finding::new(NAME, PARTIAL_CHECKSUM_LOST, severity, subject, words.text());
    finding.confidence = confidence;
    finding.count = suspects.lost_count().0;
    (finding.first_ms, finding.last_ms) = suspects::times(suspects.lost());
    words.describe(&mut finding);
    Outcome::of_loss(finding, &suspects.lost_keys())
}

fn corruption(window: &EvidenceWindow, suspects: &Suspects<'_>) -> Outcome {
    let subject = suspects.subject(window);
    let text = wording::corruption::text(suspects, &subject);
    let mut finding = Finding::new(NAME, CORRUPTION, Severity::Warning, subject, text);
    let proofs_failed = suspects.pseudo_header.is_empty() && suspects.translated.is_empty();
    let is_sure = suspects.only_other_checksums() || suspects.other >= ENOUGH;
    finding.confidence = if proofs_failed && is_sure {
        Confidence::Likely
    } else {
        Confidence::Possible
    };
    finding.count = suspects.broken_count();
    (finding.first_ms, finding.last_ms) = suspects::times(suspects.broken());
    wording::corruption::describe(&mut finding, window, suspects);
    Outcome::of_loss(finding, &suspects.broken_keys())
}

/// What died in a namespace whose counters are closed to the agent stands in no ledger.
fn uncounted(window: &EvidenceWindow, suspects: &Suspects<'_>) -> Option<Unchecked> {
    let namespace = window.namespace(suspects.netns?)?;
    let is_missing = namespace.counters.is_empty() && suspects.trigger == Trigger::Checksum;
    is_missing.then(|| Unchecked {
        check: NAME,
        partly: true,
        reason: format!(
            "the protocol counters of {} could not be read (a process in it is needed): its drops are missing from the \
             ledger",
            namespace.label()
        ),
    })
}

fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let mut entries = Vec::new();
    if let Some(reason) = window.drops.missing() {
        let partly = window.drops.value().is_some();
        entries.push(Unchecked {
            check: NAME,
            partly,
            reason: format!("drop probe: {reason}"),
        });
    }
    entries.extend(unseen(window));
    if let Some(reason) = window.packet_sockets.missing() {
        entries.push(Unchecked {
            check: NAME,
            partly: true,
            reason: format!("programs that pass frames on may be missing: {reason}"),
        });
    }
    entries
}

/// Wrong checksums of which no packet could be seen.
fn unseen(window: &EvidenceWindow) -> Option<Unchecked> {
    let mut places: Vec<(u64, String)> = window
        .namespaces
        .iter()
        .map(|namespace| (trigger::unseen(window, namespace), namespace.label()))
        .filter(|(count, _)| *count > 0)
        .collect();
    places.sort_by(|a, b| b.cmp(a));
    let count = places
        .iter()
        .fold(0_u64, |sum, (count, _)| sum.saturating_add(*count));
    let more = match places.len() {
        0 => return None,
        1 => String::new(),
        many => format!(" and other namespaces ({})", many - 1),
    };
    let (_, first) = places.first()?;
    Some(Unchecked {
        check: NAME,
        partly: true,
        reason: format!(
            "TCP found {} with a wrong checksum in {first}{more} that this kernel freed without an event (tcp_drop, \
             before 5.17): whether half-made or broken is not known",
            counted_packets(count)
        ),
    })
}
