//! What a person reads about packets whose bytes really changed.

use super::{counters, counts, proofs};
use crate::{
    detectors::checksum_drop::suspects::{self, Suspects},
    evidence::EvidenceWindow,
    finding::{Finding, Remedy, Subject, Text, counted_packets},
};

pub(in crate::detectors::checksum_drop) fn text(
    suspects: &Suspects<'_>,
    subject: &Subject,
) -> Text {
    let (device, place) = (subject.interface.clone(), subject.place());
    let at = match (device, place) {
        (Some(device), Some(place)) => format!("{device} of {place}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => "an unknown device".to_owned(),
    };
    let judged = suspects::judged(suspects.broken());
    let what = if suspects.only_other_checksums() {
        "The kernel found the checksum of the IP header or of ICMP wrong. No sender leaves these to the device, so the \
         bytes changed on the way: a faulty cable, port, memory, or a program that rewrites headers."
    } else if judged == 0 {
        "The kernel found the checksum wrong. No packet could be sampled, so whether bytes broke or a program passed \
         on a half-made checksum is not known."
    } else if suspects.has_fixed_field {
        "The kernel found the checksum wrong. The checksum field holds the same value in packets of different lengths or \
         addresses, so a program writes a fixed value instead of a sum."
    } else if suspects.loss().is_none() && !suspects.pseudo_header.is_empty() {
        "The kernel found the checksum wrong. Of the few packets sampled some hold a half-made checksum and would come \
         from a program that passes on unfinished packets; too few to tell it from broken bytes."
    } else {
        "The kernel found the checksum wrong. The checksum field holds no half-made checksum, so the bytes changed \
         after the sender summed them: a faulty cable, port, memory, or a program that rewrites packets."
    };
    let hurts = if suspects.has_fixed_field {
        "Packets with that value never arrive, however often they are sent."
    } else {
        "Each is lost once and sent again by TCP; UDP loses it for good."
    };
    Text {
        headline: format!(
            "{} with a wrong checksum dropped on {at}",
            counted_packets(suspects.broken_count())
        ),
        what: what.to_owned(),
        hurts: hurts.to_owned(),
    }
}

pub(in crate::detectors::checksum_drop) fn describe(
    finding: &mut Finding,
    window: &EvidenceWindow,
    suspects: &Suspects<'_>,
) {
    finding.evidence = counts(suspects.broken());
    finding.evidence.extend(proofs(suspects, suspects.broken()));
    finding.evidence.extend(counters(window, suspects));
    finding.remedies = vec![
        Remedy::advice(
            "Compare the error counters of the ports on the way (ethtool -S); the hop behind which they rise breaks \
             the bytes.",
        ),
        Remedy::advice(
            "Look for a program on the way that rewrites packets without a new checksum.",
        ),
    ];
}
