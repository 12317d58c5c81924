//! The ledger: every increase of a drop counter, booked to what caused it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// One counter's increase: the sum of the counts of `explained` and of `unexplained`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The device; absent for a protocol counter, and for devices that are summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub interface: Option<String>,
    /// The network namespace, by pod, name or number; absent for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::FINDING_ID))]
    pub netns: Option<String>,
    /// The counter in the kernel's spelling: `rx_dropped`, `Tcp.InCsumErrors`.
    #[schemars(length(max = limits::WORD))]
    pub counter: String,
    /// The increase of the counter.
    pub increase: i64,
    /// The drops that the increase was booked to, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::EXPLAINED))]
    pub explained: Vec<Explained>,
    /// The part of the increase that nothing explains.
    pub unexplained: i64,
    /// The largest possible error of the booking, because counters and drops are not read at one instant.
    #[serde(default)]
    pub uncertainty: i64,
}

/// Part of a counter's increase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The kernel's drop reason, or where it dropped.
    #[schemars(length(max = limits::LINE))]
    pub reason: String,
    /// The protocol by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub protocol: Option<String>,
    /// Packets.
    pub count: i64,
    /// `Benign`, `Harmful` or `Unknown`.
    #[schemars(length(max = limits::WORD))]
    pub verdict: String,
    /// Id of the finding that explains them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::FINDING_ID))]
    pub finding: Option<String>,
}
