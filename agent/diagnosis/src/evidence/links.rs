//! Network devices as RTM_GETLINK, sysfs and ethtool show them.

use serde::{Deserialize, Serialize};

use super::{Ipv4Settings, Ipv6Settings, LinkKind, NetnsId, QueueingDiscipline};
use crate::uapi::flags::{IFF_ALLMULTI, IFF_LOWER_UP, IFF_PROMISC, IFF_UP};

/// The namespace of a link and its index there.
pub type LinkId = (NetnsId, u32);

/// One network device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The namespace it is in.
    pub netns: NetnsId,
    /// Its index there.
    pub ifindex: u32,
    /// Its name there.
    pub name: String,
    /// Its kind (IFLA_INFO_KIND); absent for a physical device.
    pub kind: Option<LinkKind>,
    /// The kind of its master (IFLA_INFO_SLAVE_KIND).
    pub slave_kind: Option<LinkKind>,
    /// Index of its master in the same namespace (IFLA_MASTER).
    pub master: Option<u32>,
    /// Its lower device or veth peer (IFLA_LINK, IFLA_LINK_NETNSID).
    pub peer: Option<Peer>,
    /// Link layer address, colon separated; absent where the device has none.
    pub address: Option<String>,
    /// IFLA_MTU, bytes.
    pub mtu: u32,
    /// IFLA_TXQLEN, packets.
    pub tx_queue_length: u32,
    /// The kind of its root queueing discipline (IFLA_QDISC): `noqueue`, `fq_codel`, `mq`; `noop` while the device is not
    /// active. Absent in older recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdisc: Option<String>,
    /// Its queueing disciplines. Absent where they cannot be read: in namespaces other than the node's own, and in older
    /// recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disciplines: Option<Vec<QueueingDiscipline>>,
    /// IFLA_GSO_MAX_SEGS: the most segments of a super-frame. Absent in older recordings.
    pub gso_max_segments: Option<u32>,
    /// `ifi_flags`: IFF_PROMISC and IFF_ALLMULTI here are a user's request (`dev->gflags`), never a
    /// bridge's.
    pub requested_flags: u32,
    /// `net_device.flags`: what is in force. Absent when neither BPF nor sysfs could be read.
    pub effective_flags: Option<u32>,
    /// IFLA_PROMISCUITY: how many users want the device promiscuous.
    pub promiscuity: u32,
    /// The same before the window; absent for a link that appeared within it.
    pub promiscuity_before: Option<u32>,
    /// IFLA_ALLMULTI (6.1 on): how many users want every multicast frame.
    pub allmulti: Option<u32>,
    /// `net_device.uc_promisc`: promiscuous because the device cannot filter one more unicast address.
    pub unicast_promiscuous: Option<bool>,
    /// Driver name (ethtool), bounded.
    pub driver: Option<String>,
    /// Version of its firmware (ethtool), bounded; absent where the driver gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// ethtool feature `tx-checksum-*`: the sender may leave checksums to the device.
    pub tx_checksum_offload: Option<bool>,
    /// ethtool feature `generic-receive-offload`: the stack may join packets that came in.
    pub receive_offload: Option<bool>,
    /// `net.ipv6.conf.<device>.seg6_enabled`: the device takes packets with a segment routing header that are addressed
    /// to the node. Absent where the device has no IPv6.
    pub segment_routing: Option<bool>,
    /// Settings of IPv4 on the device (`net.ipv4.conf.<device>`). Absent where the device has no IPv4, and in older
    /// recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Settings>,
    /// The same of IPv6 (`net.ipv6.conf.<device>`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Settings>,
    /// Settings of a bridge.
    pub bridge: Option<BridgeSettings>,
    /// Settings of a bridge's port.
    pub bridge_port: Option<BridgePort>,
    /// Settings of a bond.
    pub bond: Option<BondSettings>,
    /// State of a bond's slave.
    pub bond_slave: Option<BondSlave>,
    /// Settings of a VLAN device.
    pub vlan: Option<VlanSettings>,
    /// Settings of a macvlan or macvtap device.
    pub macvlan: Option<MacvlanSettings>,
    /// Counters at the start; absent for a link that appeared within the window.
    pub stats_before: Option<LinkStats>,
    /// Counters at the end.
    pub stats: LinkStats,
}

/// The device that IFLA_LINK points to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Index of the other device.
    pub ifindex: u32,
    /// Namespace of the other device; absent when it is none that this node could name.
    pub netns: Option<NetnsId>,
}

/// IFLA_STATS64: packets, bytes and drops since the device was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the kernel's own counter names, documented in statistics.rst"
)]
pub struct LinkStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_nohandler: u64,
    pub multicast: u64,
    pub rx_missed_errors: u64,
    pub rx_fifo_errors: u64,
    pub rx_over_errors: u64,
    pub rx_crc_errors: u64,
}

/// IFLA_BR_*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeSettings {
    /// IFLA_BR_VLAN_FILTERING.
    pub vlan_filtering: bool,
    /// IFLA_BR_STP_STATE is not 0.
    pub stp: bool,
    /// IFLA_BR_GROUP_FWD_MASK.
    pub group_forward_mask: u16,
    /// IFLA_BR_FORWARD_DELAY, hundredths of a second: how long a port listens, and then learns, before it forwards.
    /// Absent in older recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_delay_cs: Option<u32>,
}

/// IFLA_BRPORT_*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePort {
    /// IFLA_BRPORT_LEARNING.
    pub learning: bool,
    /// IFLA_BRPORT_UNICAST_FLOOD.
    pub unicast_flood: bool,
    /// IFLA_BRPORT_STATE (BR_STATE_*): 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking.
    pub state: u8,
    /// The same before the window; absent for a port that was none then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<u8>,
    /// IFLA_BRPORT_MODE: what came in on the port may go out on it. Absent in older recordings, like those below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hairpin: Option<bool>,
    /// IFLA_BRPORT_ISOLATED: nothing goes from one isolated port to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<bool>,
    /// IFLA_BRPORT_LOCKED (5.18 on): only sources that the forwarding table has are let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
}

/// IFLA_BOND_*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondSettings {
    /// The mode's name as iproute2 prints it: `active-backup`, `802.3ad`, ..
    pub mode: String,
    /// Index of the active slave (IFLA_BOND_ACTIVE_SLAVE).
    pub active_slave: Option<u32>,
}

/// IFLA_BOND_SLAVE_*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondSlave {
    /// IFLA_BOND_SLAVE_STATE is active.
    pub active: bool,
    /// IFLA_BOND_SLAVE_MII_STATUS is up.
    pub mii_up: bool,
}

/// IFLA_VLAN_*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanSettings {
    /// IFLA_VLAN_ID.
    pub id: u16,
}

/// IFLA_MACVLAN_*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacvlanSettings {
    /// The mode's name as iproute2 prints it: `bridge`, `private`, `vepa`, `passthru`, `source`.
    pub mode: String,
    /// MACVLAN_FLAG_NOPROMISC: a passthru device that does not raise its lower device's promiscuity.
    pub no_promiscuity: bool,
}

impl Link {
    /// Its identity on the node.
    pub fn id(&self) -> LinkId {
        (self.netns, self.ifindex)
    }

    /// Administratively up.
    pub fn is_up(&self) -> bool {
        self.requested_flags & IFF_UP != 0
    }

    /// A person or program asked for promiscuity through `ip link set promisc on` or SIOCSIFFLAGS.
    pub fn promiscuity_requested(&self) -> bool {
        self.requested_flags & IFF_PROMISC != 0
    }

    /// A person or program asked for every multicast frame through `ip link set allmulticast on` or SIOCSIFFLAGS.
    pub fn all_multicast_requested(&self) -> bool {
        self.requested_flags & IFF_ALLMULTI != 0
    }

    /// The device is switched on and has nobody to send to: the cable is out, or the other end is down.
    pub fn lacks_carrier(&self) -> bool {
        self.requested_flags & (IFF_UP | IFF_LOWER_UP) == IFF_UP
    }

    /// The device queues nothing: a packet that its queueing discipline dropped came while it was not yet active, when
    /// noop_qdisc stands in (`dev_activate`).
    pub fn has_no_queue(&self) -> bool {
        self.qdisc
            .as_deref()
            .is_some_and(|kind| ["noqueue", "noop"].contains(&kind))
    }

    /// The device is promiscuous now, by any request.
    pub fn is_promiscuous(&self) -> bool {
        self.promiscuity > 0
            || self
                .effective_flags
                .is_some_and(|flags| flags & IFF_PROMISC != 0)
    }

    /// The device takes every multicast frame, by any request.
    pub fn is_all_multicast(&self) -> bool {
        self.allmulti.is_some_and(|users| users > 0)
            || self
                .effective_flags
                .is_some_and(|flags| flags & IFF_ALLMULTI != 0)
    }

    /// A port of a team that leaves every frame, link-local ones too, to listeners on the port itself: what nobody
    /// there takes counts in rx_nohandler (`team_handle_frame`, RX_HANDLER_EXACT).
    ///
    /// Rtnetlink shows neither a team's mode nor the state of its ports, so the counters tell. A disabled port lets
    /// link-local frames pass instead, and those without a listener count in rx_dropped.
    pub fn is_waiting_team_port(&self) -> bool {
        self.slave_kind == Some(LinkKind::Team)
            && self.increase(|stats| stats.rx_nohandler) > 0
            && self.increase(|stats| stats.rx_dropped) == 0
    }

    /// The increase of a counter within the window. A link that appeared within it counts from 0, and a counter that
    /// went back (the device was replaced under its name) counts as 0.
    pub fn increase(&self, counter: impl Fn(&LinkStats) -> u64) -> u64 {
        let before = self.stats_before.as_ref().map_or(0, &counter);
        counter(&self.stats).saturating_sub(before)
    }
}
