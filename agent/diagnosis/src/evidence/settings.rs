//! Settings of the kernel that decide where packets end.

use serde::{Deserialize, Serialize};

use super::{Ipv4Settings, Ipv6Settings};

/// Settings that hold for all namespaces, as of the end of the window, from /proc/sys of the agent's own. Each is absent
/// where the kernel has no such file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelSettings {
    /// `net.netfilter.nf_conntrack_max`: connections that a namespace may track (nf_ct_max).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_max: Option<u64>,
    /// `net.netfilter.nf_conntrack_buckets`: chains of the one hash table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_buckets: Option<u64>,
    /// `net.core.rmem_default`: the receive buffer of a socket that asks for none, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmem_default: Option<u64>,
    /// `net.core.rmem_max`: the most that SO_RCVBUF may ask for, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmem_max: Option<u64>,
}

impl KernelSettings {
    /// Nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Settings of one namespace, as of the end of the window. Each is absent where it could not be read there: a pod's is
/// never answered from the node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespaceSettings {
    /// `net.netfilter.nf_conntrack_tcp_be_liberal`: segments outside of the window are not invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_tcp_be_liberal: Option<bool>,
    /// `net.core.somaxconn`: the most connections that may wait for a listener's program, whatever it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub somaxconn: Option<u32>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_max_syn_backlog: Option<u32>,
    /// `net.ipv4.tcp_syncookies`: 0 never, 1 when a listener's queue is full, 2 always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_syncookies: Option<u8>,
    /// `net.ipv4.tcp_abort_on_overflow`: a full accept queue answers with RST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_abort_on_overflow: Option<bool>,
    /// `net.ipv4.conf.all`: what all devices share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_all: Option<Ipv4Settings>,
    /// `net.ipv4.conf.default`: what a new device begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_default: Option<Ipv4Settings>,
    /// `net.ipv6.conf.all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_all: Option<Ipv6Settings>,
    /// `net.ipv6.conf.default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_default: Option<Ipv6Settings>,
}

impl NamespaceSettings {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Connections that a namespace tracks (`net->ct.count`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackedConnections {
    /// At the start; absent where it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl TrackedConnections {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
