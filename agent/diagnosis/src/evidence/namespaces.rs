//! Network namespaces of the node, and whose they are.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{NamespaceSettings, TrackedConnections};

/// A network namespace, by the inode number of its nsfs file.
///
/// The kernel reuses these numbers at once, so the agent tells namespaces apart by cookie while it reads and hands a
/// detector only numbers that meant one namespace for the whole window.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NetnsId(pub u32);

impl fmt::Display for NetnsId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "net:[{}]", self.0)
    }
}

/// One network namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its number.
    pub id: NetnsId,
    /// `net->net_cookie`, unique until reboot; absent where it could not be read (before 5.14, or without BPF).
    pub cookie: Option<u64>,
    /// The agent's own namespace: the node's in a cluster (hostNetwork), the host's elsewhere.
    pub is_node: bool,
    /// Its name under /run/netns, if it has one.
    pub name: Option<String>,
    /// A process in it, in the agent's view, so that a person can enter it.
    pub pid: Option<u32>,
    /// The start of that process, hundredths of a second since the node started; absent in older recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_started: Option<u64>,
    /// The pod it belongs to. Never set for the node's own.
    pub pod: Option<Pod>,
    /// Addresses of its links.
    pub addresses: Vec<Address>,
    /// Registered receivers of link layer protocols (/proc/net/ptype); `None` when it could not be read.
    pub protocol_handlers: Option<Vec<ProtocolHandler>>,
    /// Multicast groups of more than link-local scope that programs joined, on whatever device, at the start or the end
    /// (/proc/net/igmp, igmp6); `None` when it could not be read.
    #[serde(default)]
    pub multicast_groups: Option<Vec<IpAddr>>,
    /// /proc/net/{snmp,snmp6,netstat} at the start, as `Tcp.InCsumErrors`, `Udp6.InErrors`, `TcpExt.TCPTimeouts`, and
    /// /proc/net/stat/nf_conntrack summed over the CPUs, as `Conntrack.invalid`, `Conntrack.drop`.
    pub counters_before: BTreeMap<String, u64>,
    /// The same at the end. Empty when it could not be read.
    pub counters: BTreeMap<String, u64>,
    /// The connections that it tracks (the column `entries` of /proc/net/stat/nf_conntrack).
    #[serde(default, skip_serializing_if = "TrackedConnections::is_empty")]
    pub connections: TrackedConnections,
    /// Its settings.
    #[serde(default, skip_serializing_if = "NamespaceSettings::is_empty")]
    pub settings: NamespaceSettings,
}

impl Namespace {
    /// The increase of a protocol counter within the window; `None` when it was not read at both ends. A namespace that
    /// appeared within the window has no start, so its counters count from 0 only when `counters_before` is empty.
    pub fn increase(&self, counter: &str) -> Option<u64> {
        let after = self.counters.get(counter)?;
        if self.counters_before.is_empty() {
            return Some(*after);
        }
        Some(after.saturating_sub(self.counters_before.get(counter).copied().unwrap_or(0)))
    }
}

/// A pod, read from the kubelet's log folder names (`/var/log/pods/<namespace>_<name>_<uid>`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// An address of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The link.
    pub ifindex: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix, bits.
    pub prefix: u8,
}

/// A line of /proc/net/ptype: who receives which EtherType.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolHandler {
    /// EtherType in host order; `None` receives every protocol (`ALL`).
    pub ethertype: Option<u16>,
    /// Device name that it is limited to; `None` receives from every device.
    pub device: Option<String>,
    /// The kernel function that receives (`packet_rcv`, `ip_rcv`, ..); empty where kallsyms is blanked.
    pub function: String,
}

/// A process, as far as it could be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id in the agent's view.
    pub pid: u32,
    /// Its start, hundredths of a second since the node started; absent where it had ended, and in older recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// `comm`, at most 15 bytes, escaped.
    pub comm: String,
    /// The pod that the process runs in.
    pub pod: Option<Pod>,
    /// The container that the process runs in.
    pub container: Option<String>,
}

/// The way in which packet sockets were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PacketSocketReader {
    /// A BPF iterator, which sees owners and memberships.
    #[default]
    Iterator,
    /// /proc/net/packet, which has neither.
    Procfs,
}

impl PacketSocketReader {
    pub(super) fn is_iterator(&self) -> bool {
        *self == Self::Iterator
    }
}

/// An AF_PACKET socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketSocket {
    /// The namespace it is in.
    pub netns: NetnsId,
    /// Who holds it.
    pub owner: Owner,
    /// EtherType in host order, 0x0003 for all; 0 receives nothing.
    pub ethertype: u16,
    /// The device it is bound to, 0 for every device.
    pub ifindex: u32,
    /// PACKET_ADD_MEMBERSHIP entries.
    pub memberships: Vec<Membership>,
    /// Bytes that may wait to be read (`sk_rcvbuf`); 0 where it was not read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub receive_buffer: u32,
    /// It reads from a memory-mapped ring.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_ring: bool,
    /// Packets that found its buffer or ring full within the window.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u32,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// One PACKET_ADD_MEMBERSHIP entry (`struct packet_mclist`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The device.
    pub ifindex: u32,
    /// The mode that it asks for.
    pub kind: MembershipKind,
    /// The number of requests (`packet_mclist.count`).
    pub count: u32,
}

/// PACKET_MR_* of `<linux/if_packet.h>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub enum MembershipKind {
    Multicast,
    Promiscuous,
    AllMulticast,
    Unicast,
}

/// A process that holds a TUN, TAP, macvtap or ipvtap device open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunHolder {
    /// The device's name (`iff` of /proc/<pid>/fdinfo, or the link whose /dev/tapN it is).
    pub device: String,
    /// The namespace of the process.
    pub netns: NetnsId,
    /// Who holds it.
    pub owner: Owner,
}
