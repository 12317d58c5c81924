//! Drops that happen alike in many pods: a broadcast reaches every one of them and is dropped in each.

use std::collections::BTreeMap;

use super::judge::Unreceived;
use crate::{
    Window,
    detectors::kit::Tally,
    finding::{Confidence, Verdict},
};

/// Alike drops that still have a finding for each device.
const MOST_ALIKE: usize = 8;

/// Drops by the finding that they get.
#[derive(Default)]
pub(super) struct Folded<'a> {
    /// Those with a finding for each device.
    pub(super) single: Vec<Unreceived<'a>>,
    /// Harmless ones on many devices, by protocol.
    pub(super) alike: BTreeMap<String, Vec<Unreceived<'a>>>,
}

/// Folds harmless drops of many guests by protocol.
pub(super) fn fold<'a>(window: &Window<'_>, all: Vec<Unreceived<'a>>) -> Folded<'a> {
    let mut folded = Folded::default();
    for one in all {
        let is_alike = one.inactive_slave_of.is_none()
            && one.is_of_guest(window)
            && one.verdict() == Verdict::Benign
            && one.caused_by.is_empty();
        if is_alike {
            let of_protocol = folded.alike.entry(one.frames.name());
            of_protocol.or_default().push(one);
        } else {
            folded.single.push(one);
        }
    }
    let Folded { single, alike } = &mut folded;
    alike.retain(|_, ones| {
        let are_many = ones.len() > MOST_ALIKE;
        if !are_many {
            single.append(ones);
        }
        are_many
    });
    folded
}

/// The drops of all devices.
pub(super) fn tally(all: &[Unreceived<'_>]) -> Tally {
    let mut sum = Tally::default();
    for one in all {
        sum.merge(&one.tally);
    }
    sum
}

/// The least confidence.
pub(super) fn confidence(all: &[Unreceived<'_>]) -> Confidence {
    let least = all.iter().map(Unreceived::confidence).min();
    least.unwrap_or(Confidence::Certain)
}
