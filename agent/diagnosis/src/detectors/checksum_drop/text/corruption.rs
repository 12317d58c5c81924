//! The words about packets whose bytes really changed.

use super::{counters, signatures};
use crate::{
    Window,
    detectors::{
        checksum_drop::judge::{Broken, Shows},
        kit::{proof, say},
    },
    finding::{Proof, Remedy, Subject, Text},
};

pub(crate) fn text(found: &Broken<'_>, subject: &Subject) -> Text {
    let what = match found.shows {
        Shows::OtherChecksum => {
            "The kernel found the checksum of the IP header or of ICMP wrong. No sender leaves these to the device, so \
             the bytes changed on the way: a faulty cable, port, memory, or a program that rewrites headers."
        }
        Shows::Nothing => {
            "The kernel found the checksum wrong. No packet could be sampled, so whether bytes broke or a program \
             passed on a half-made checksum is not known."
        }
        Shows::FixedValue => {
            "The kernel found the checksum wrong. The checksum field holds the same value in packets of different \
             lengths or addresses, so a program writes a fixed value instead of a sum."
        }
        Shows::FewHalfMade => {
            "The kernel found the checksum wrong. Of the few packets sampled some hold a half-made checksum and would \
             come from a program that passes on unfinished packets; too few to tell it from broken bytes."
        }
        Shows::ChangedBytes => {
            "The kernel found the checksum wrong. The checksum field holds no half-made checksum, so the bytes changed \
             after the sender summed them: a faulty cable, port, memory, or a program that rewrites packets."
        }
    };
    let hurts = match found.shows {
        Shows::FixedValue => "Packets with that value never arrive, however often they are sent.",
        _ => "Each is lost once and sent again by TCP; UDP loses it for good.",
    };
    Text {
        headline: format!(
            "{} with a wrong checksum dropped {}",
            say::count(found.tally.count, "packet"),
            say::place(subject)
        ),
        what: what.to_owned(),
        hurts: hurts.to_owned(),
    }
}

pub(crate) fn evidence(window: &Window<'_>, found: &Broken<'_>) -> Vec<Proof> {
    let candidates = found.candidates;
    let mut proofs = proof::drops(window, &found.tally);
    proofs.extend(signatures(candidates, candidates.broken()));
    proofs.extend(counters(window, candidates));
    proofs
}

pub(crate) fn remedies() -> Vec<Remedy> {
    vec![
        Remedy::advice(
            "Compare the error counters of the ports on the way (ethtool -S); the hop behind which they rise breaks \
             the bytes.",
        ),
        Remedy::advice(
            "Look for a program on the way that rewrites packets without a new checksum.",
        ),
    ]
}
