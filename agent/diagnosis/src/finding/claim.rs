//! A detector's claim on dropped packets, which the ledger books.

use super::FindingId;

/// Whether a drop hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nobody misses the packet.
    Benign,
    /// Somebody wanted it.
    Harmful,
    /// Not known.
    Unknown,
}

/// A detector's word on one key of the drop evidence: what it was and which finding explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Index into [`crate::evidence::Drops::counts`].
    pub drop: usize,
    /// Whether it hurts.
    pub verdict: Verdict,
    /// Protocol by name, when known: `LLDP`.
    pub protocol: Option<String>,
    /// The finding that explains it.
    pub finding: FindingId,
}
