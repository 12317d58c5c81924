//! The evidence of one window, as plain data.
//!
//! The agent's sources and probes fill these types; detectors only read them. They are also the recording format, so
//! every field is serialised under its own name and absent evidence is explicit ([`Observed`]).

mod capability;
mod drops;
mod frame_copies;
mod gro;
mod inet_sockets;
mod ip_settings;
mod link_kind;
mod links;
mod missing;
mod namespaces;
mod neighbours;
mod observed;
mod on_demand;
mod packet_filter;
mod queueing;
mod retransmissions;
mod routes;
mod settings;
mod softnet;

pub use capability::Capability;
pub(crate) use drops::DropPlace;
pub use drops::{DropCount, Drops, PacketSample, Route};
pub use frame_copies::{FrameCopies, FrameCopy};
pub use gro::{GroCount, GroKind, GroReceive};
pub use inet_sockets::{InetSocket, SocketQueues};
pub use ip_settings::{Ipv4Settings, Ipv6Settings};
pub use link_kind::LinkKind;
pub use links::{
    BondSettings, BondSlave, BridgePort, BridgeSettings, Link, LinkId, LinkStats, MacvlanSettings,
    Peer, VlanSettings,
};
pub use missing::{Missing, Why};
pub use namespaces::{
    Address, Membership, MembershipKind, Namespace, NetnsId, Owner, PacketSocket,
    PacketSocketReader, Pod, ProtocolHandler, TunHolder,
};
pub use neighbours::{LimitsIn, NeighbourTable, NeighbourTables};
pub use observed::Observed;
pub use on_demand::OnDemand;
pub use packet_filter::{
    FilterBackend, FilterFamily, FilterHook, FilterRule, FilterVerdict, PacketFilter, RefusedPort,
};
pub use queueing::QueueingDiscipline;
pub use retransmissions::{ExplainedRetransmissions, Retransmissions};
pub(crate) use routes::is_within;
pub use routes::{
    Refusal, RouteAnswer, RouteEntry, RouteLookup, RouteQuestion, Routes, RoutingRule,
};
pub use settings::{KernelSettings, NamespaceSettings, TrackedConnections};
pub use softnet::{CpuBacklog, Softnet, SoftnetCounters};

use serde::{Deserialize, Serialize};

/// Everything seen in one window on one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceWindow {
    /// The node and its kernel.
    pub node: NodeFacts,
    /// The start of the window, Unix time in milliseconds, by the node's wall clock. For display only.
    pub start_unix_ms: i64,
    /// The real length of the window, in milliseconds, by the monotonic clock.
    pub duration_ms: u64,
    /// Every network namespace of this node that was seen at the start or the end, the node's own first.
    pub namespaces: Vec<Namespace>,
    /// Every link of those namespaces, as of the end of the window.
    pub links: Observed<Vec<Link>>,
    /// Links that were there at the start or within the window and are gone at its end. Their counters went with them, so
    /// that `stats` is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_links: Vec<Link>,
    /// Packets that the kernel freed as dropped (`kfree_skb`).
    pub drops: Observed<Drops>,
    /// Packet sockets (AF_PACKET) of every process, with their memberships.
    pub packet_sockets: Observed<Vec<PacketSocket>>,
    /// The way in which they were read.
    #[serde(default, skip_serializing_if = "PacketSocketReader::is_iterator")]
    pub packet_socket_reader: PacketSocketReader,
    /// Sockets of TCP, UDP and raw IP that can lose packets. Recordings of older releases have none.
    #[serde(default)]
    pub inet_sockets: Observed<Vec<InetSocket>>,
    /// Processes that hold a TUN or TAP device open.
    pub tun_holders: Observed<Vec<TunHolder>>,
    /// Kernel log lines that were written within the window.
    pub kernel_log: Observed<Vec<KernelLogLine>>,
    /// The CPUs' backlogs. Recordings of older releases have none.
    #[serde(default)]
    pub softnet: Observed<Softnet>,
    /// The kernel's tables of neighbours. Recordings of older releases have none.
    #[serde(default)]
    pub neighbour_tables: Observed<NeighbourTables>,
    /// The kernel's settings. Recordings of older releases have none.
    #[serde(default, skip_serializing_if = "KernelSettings::is_empty")]
    pub settings: KernelSettings,
    /// Frames that came in on two interfaces.
    #[serde(default)]
    pub frame_copies: OnDemand<FrameCopies>,
    /// The work of generic receive offload on segment routing traffic.
    #[serde(default)]
    pub gro: OnDemand<GroReceive>,
    /// TCP retransmissions joined to drops.
    #[serde(default)]
    pub retransmissions: OnDemand<Retransmissions>,
    /// The rules of the node's own namespace that refuse packets.
    #[serde(default)]
    pub packet_filter: OnDemand<PacketFilter>,
    /// The routes of the node's own namespace for packets that found no way on.
    #[serde(default)]
    pub routes: OnDemand<Routes>,
    /// Counters that were lost to a full map or ring.
    pub lost: Lost,
}

/// The node and its kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Node name in a cluster, host name elsewhere.
    pub name: String,
    /// `uname -r`.
    pub kernel: String,
    /// Machine architecture as `uname -m` gives it.
    pub architecture: String,
    /// The distribution with its version (PRETTY_NAME of /etc/os-release), bounded; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_image: Option<String>,
}

/// One line of the kernel's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelLogLine {
    /// Milliseconds since the window began.
    pub at_ms: u64,
    /// syslog severity, 0 (emergency) to 7 (debug).
    pub level: u8,
    /// The text, bounded and with control characters escaped.
    pub text: String,
}

/// The records that a full map or ring lost within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Drops that could not be counted under their key, because the counting map was full.
    pub counts: u64,
    /// Packet samples that found the ring full.
    pub samples: u64,
}

impl EvidenceWindow {
    /// True if this number of events within the window is at least `per_minute` a minute.
    pub fn reaches_rate(&self, count: u64, per_minute: u64) -> bool {
        u128::from(count) * 60_000 >= u128::from(per_minute) * u128::from(self.duration_ms.max(1))
    }

    /// The node's own network namespace.
    pub fn node_namespace(&self) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.is_node)
    }

    /// All links that were read; empty where links are unavailable.
    pub fn links(&self) -> &[Link] {
        self.links.value().map_or(&[], Vec::as_slice)
    }
}
