//! The mechanisms by which connection tracking ended packets.

use super::{
    books::{Books, Entries},
    invalid, refused,
};
use crate::{
    Window,
    causes::{
        Cause, HASH_CHAIN_FULL, INSERT_RACE, INVALID_DROPPED, SOURCE_PORTS_EXHAUSTED, TABLE_FULL,
    },
    detectors::kit::{Tally, unclaimed},
    evidence::{DropCount, Namespace},
    finding::{Assessment, Confidence, Outcome},
    kernel::Reason,
};

/// A mechanism, with what proves it beside the counters.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// The table had no room.
    TableFull(Option<Entries>),
    /// A chain of the hash table had no room.
    HashChainFull,
    /// No source port was left for connections to this destination.
    SourcePortsExhausted(refused::Crowd),
    /// Packets that opened one connection at once collided.
    InsertRace,
    /// A rule drops what fits to no connection.
    InvalidDropped,
}

/// Packets that ended by one mechanism in one namespace.
pub(super) struct Fault<'a> {
    pub(super) kind: Kind,
    pub(super) namespace: &'a Namespace,
    pub(super) books: Books,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl Kind {
    pub(super) fn cause(&self) -> &'static Cause {
        match self {
            Self::TableFull(_) => &TABLE_FULL,
            Self::HashChainFull => &HASH_CHAIN_FULL,
            Self::SourcePortsExhausted(_) => &SOURCE_PORTS_EXHAUSTED,
            Self::InsertRace => &INSERT_RACE,
            Self::InvalidDropped => &INVALID_DROPPED,
        }
    }
}

/// The faults of every namespace.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut faults = Vec::new();
    for namespace in &window.namespaces {
        let books = Books::of(namespace);
        if books == Books::default() {
            continue;
        }
        let keys: Vec<(usize, &DropCount)> = unclaimed(window, so_far)
            .filter(|(_, key)| key.netns == Some(namespace.id) && is_verdict(key))
            .collect();
        let by_tracking = refused::faults(window, namespace, books, &keys);
        let is_left = |index: usize| {
            let mut claimed = by_tracking.iter().flat_map(|fault| &fault.tally.keys);
            claimed.all(|key| *key != index)
        };
        let by_rules: Vec<_> = keys
            .iter()
            .copied()
            .filter(|(index, _)| is_left(*index))
            .collect();
        faults.extend(invalid::fault(window, namespace, books, &by_rules));
        faults.extend(by_tracking);
    }
    faults
}

/// The key's packets ended by a verdict of netfilter, as far as the kernel tells.
fn is_verdict(key: &DropCount) -> bool {
    use crate::kernel::site::PACKET_FILTERS;
    key.location.is_of_any(PACKET_FILTERS)
        && (key.reason == Reason::NETFILTER_DROP || key.reason.is_absent())
}
