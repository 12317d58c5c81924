//! A mechanism by which connection tracking ended packets, and what proves it.

use std::net::IpAddr;

use super::books::{Books, Entries};
use crate::{
    causes::{
        Cause, HASH_CHAIN_FULL, INSERT_RACE, INVALID_DROPPED, SOURCE_PORTS_EXHAUSTED, TABLE_FULL,
    },
    detectors::kit::Tally,
    evidence::Namespace,
    finding::{Assessment, Confidence},
};

/// A mechanism, with what proves it beside the counters.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// The table had no room.
    TableFull(Option<Entries>),
    /// A chain of the hash table had no room.
    HashChainFull,
    /// No source port was left for connections to this destination.
    SourcePortsExhausted(Crowd),
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

/// Connections from one address of this node to one destination: they differ by their source port only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crowd {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: u8,
}
