//! The drop ledger: every increase of a drop counter, booked to what caused it.

use serde::Serialize;

use crate::{
    evidence::{EvidenceWindow, NetnsId},
    finding::{Claim, FindingId, Verdict},
};

/// One counter's increase within the window, and where it went.
///
/// Invariant: `increase` is the sum of `explained` and `unexplained`, never overlapping.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The device; absent for a namespace's protocol counter.
    pub interface: Option<String>,
    /// The device's index.
    pub ifindex: Option<u32>,
    /// The namespace.
    pub netns: NetnsId,
    /// Whose namespace it is, absent for the node's own.
    pub place: Option<String>,
    /// The counter in the kernel's spelling: `rx_dropped`, `Tcp.InCsumErrors`.
    pub counter: &'static str,
    /// How much it rose.
    pub increase: u64,
    /// What it was booked to, most first.
    pub explained: Vec<Booking>,
    /// What nothing was found for.
    pub unexplained: u64,
    /// How far the booking can be off, since counters and drops are not read at one instant.
    pub uncertainty: u64,
}

/// Part of a counter's increase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Booking {
    /// The kernel's drop reason, or the location where it gives none.
    pub reason: String,
    /// Protocol by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Packets.
    pub count: u64,
    /// Whether they hurt.
    pub verdict: Verdict,
    /// The finding that explains them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingId>,
}

/// Books the drops of a window to the counters that rose.
pub fn balance(_window: &EvidenceWindow, _claims: &[Claim]) -> Vec<LedgerEntry> {
    Vec::new()
}
