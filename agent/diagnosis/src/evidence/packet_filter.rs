//! The rules of the node's own namespace that refuse packets.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The rules that refuse packets, and what kube-proxy refuses, as read at both ends of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PacketFilter {
    /// The rules that drop or reject, those whose counter rose first, and the policies that drop.
    pub rules: Vec<FilterRule>,
    /// The ports that kube-proxy refuses by a map of nftables, as of the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_ports: Vec<RefusedPort>,
    /// The parts that were not read, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// A rule that refuses what it matches, or the policy of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterRule {
    /// The kind of rules that it belongs to.
    pub backend: FilterBackend,
    /// The packets that its table sees.
    pub family: FilterFamily,
    /// The table.
    pub table: String,
    /// The chain that it stands in.
    pub chain: String,
    /// The rule's handle; of legacy rules its place in the chain, from 1 on. Absent for the chain's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The verdict.
    pub verdict: FilterVerdict,
    /// The hooks from which its chain is reached.
    pub hooks: Vec<FilterHook>,
    /// Packets that it had refused at the start; 0 for a rule that is newer. Absent where it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_before: Option<u64>,
    /// Packets that it had refused at the end. Absent without a counter that counts just these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// The comment that its writer gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A port of a service in one of the maps `no-endpoint-services` and `no-endpoint-nodeports` of kube-proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPort {
    /// The service's address; absent for a port of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The IP protocol.
    pub protocol: u8,
    /// The port.
    pub port: u16,
    /// The verdict: a service without endpoints is rejected, one without endpoints on this node dropped.
    pub verdict: FilterVerdict,
    /// The comment, `namespace/name:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The programs of the kernel that hold rules.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum FilterBackend {
    /// nftables, with iptables-nft.
    #[default]
    Nftables,
    /// The older tables of iptables-legacy and ip6tables-legacy.
    Legacy,
}

/// The packets that a table sees.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of nftables")]
pub enum FilterFamily {
    #[default]
    Ip,
    Ip6,
    Inet,
    Arp,
    Bridge,
    Netdev,
}

/// A place on a packet's way where rules see it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of nftables")]
pub enum FilterHook {
    #[default]
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
    Ingress,
    Egress,
}

/// The verdict of a rule that refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FilterVerdict {
    /// The sender learns nothing.
    #[default]
    Drop,
    /// The sender gets an ICMP error or a reset.
    Reject,
}

impl FilterRule {
    /// The ends of comments by which kube-proxy tells why it refuses (pkg/proxy/iptables/proxier.go of Kubernetes), and
    /// whether the service has endpoints on other nodes. Before them stands the service's name.
    pub(crate) const WITHOUT_ENDPOINTS: [(&str, bool); 2] = [
        (" has no endpoints", false),
        (" has no local endpoints", true),
    ];

    /// The table and the chain in which kube-proxy rejects what its map of services without endpoints sends there
    /// (pkg/proxy/nftables/proxier.go of Kubernetes).
    const KUBE_PROXY_REJECTS: (&str, &str) = ("kube-proxy", "reject-chain");

    /// kube-proxy sends there what is for services without endpoints.
    pub(crate) fn is_for_refused_ports(&self) -> bool {
        (self.table.as_str(), self.chain.as_str()) == Self::KUBE_PROXY_REJECTS
    }

    /// The packets that it refused within the window; `None` where no counter tells.
    pub fn increase(&self) -> Option<u64> {
        Some(self.packets?.saturating_sub(self.packets_before?))
    }
}

impl FilterFamily {
    /// The name that nft uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

impl FilterHook {
    /// The name that nft uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}
