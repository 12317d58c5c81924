//! The reasons that keep a diagnosis from giving a verdict.

use std::collections::BTreeSet;

use crate::{Diagnosis, EvidenceWindow, settings::Unmatched};

/// A window shorter than this was interrupted, and nothing that it did not see is healthy.
const SHORTEST_MS: u64 = 1_000;

/// The reason for which there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blind<'a> {
    /// No interface of the node is one that was asked for.
    NoInterface(&'a Unmatched),
    /// The window ended before its time.
    Interrupted {
        /// The time after which it was stopped, in milliseconds.
        after_ms: u64,
        /// The time after which it should have ended, where that is known.
        asked_ms: Option<u64>,
    },
    /// The links and their counters could not be read.
    NoCounters {
        /// Why.
        reason: &'a str,
    },
    /// The drop probe could not be loaded, and checks that were asked for need it.
    NoDropProbe {
        /// Why.
        reason: &'a str,
    },
    /// Checks that could not be made for other reasons.
    Checks {
        /// The number of those.
        unmade: usize,
        /// The number of checks that were asked for.
        asked: usize,
    },
}

impl<'a> Blind<'a> {
    /// The first reason that this diagnosis has.
    pub fn of(diagnosis: &'a Diagnosis, window: &'a EvidenceWindow) -> Option<Self> {
        if let Some(unmatched) = &diagnosis.unmatched {
            return Some(Self::NoInterface(unmatched));
        }
        let asked_ms = diagnosis.ended_before_ms;
        if asked_ms.is_some() || window.duration_ms < SHORTEST_MS {
            return Some(Self::Interrupted {
                after_ms: window.duration_ms,
                asked_ms,
            });
        }
        if let (Some(reason), None) = (window.links.missing(), window.links.value()) {
            return Some(Self::NoCounters { reason });
        }
        let unmade = diagnosis.unchecked.iter().filter(|entry| !entry.is_made());
        let unmade: BTreeSet<_> = unmade.map(|entry| entry.check).collect();
        match (unmade.len(), window.drops.missing(), window.drops.value()) {
            (0, ..) => None,
            (_, Some(reason), None) => Some(Self::NoDropProbe { reason }),
            (unmade, ..) => Some(Self::Checks {
                unmade,
                asked: diagnosis.checks.len(),
            }),
        }
    }

    /// Nothing or next to nothing was looked at; a single check that could not be made is less than that.
    pub fn is_of_the_whole_run(&self) -> bool {
        !matches!(self, Self::Checks { .. })
    }
}
