//! The kernel's tables of neighbours: one for each IP version, which all namespaces share.

use serde::{Deserialize, Serialize};

/// Both tables, and the place where their limits can be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourTables {
    /// `arp_cache`; absent where it was not read at both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<NeighbourTable>,
    /// `ndisc_cache`; the same, and absent where the kernel has no IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<NeighbourTable>,
    /// The namespace that has the limits.
    pub limits_in: LimitsIn,
}

/// One table (`struct neigh_table`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourTable {
    /// Entries at the end (`ndtc_entries`). Those that do not count against the limit are among them: permanent ones and
    /// those that a routing daemon or an overlay learned.
    pub entries: u32,
    /// `gc_thresh3`: as many entries that count, and no new one is made (`neigh_alloc`).
    pub gc_thresh3: u32,
    /// New entries within the window for which there was no room (`ndts_table_fulls`), of all namespaces.
    pub table_fulls: u64,
}

/// The place of net.ipv4.neigh.default.gc_thresh3 and its like, which only the kernel's first namespace has
/// (`neigh_sysctl_register`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitsIn {
    /// The node's own namespace.
    Node,
    /// That of the first process, which is another one than the node's.
    FirstProcess,
    /// Neither: this node is a container on another machine.
    #[default]
    Elsewhere,
}
