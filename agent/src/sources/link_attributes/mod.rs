//! One RTM_NEWLINK message into a [`Link`]. Pure: bytes in, a link out.

use netdiag_diagnosis::{
    evidence::{
        BondSettings, BondSlave, BridgePort, BridgeSettings, Ipv4Settings, Ipv6Settings, Link,
        LinkKind, LinkStats, MacvlanSettings, Peer, VlanSettings,
    },
    text::printable_up_to,
};

use super::attributes::{Attribute, array, attributes};

/// IFNAMSIZ without its zero; names may hold any byte but '/', space and zero.
const LONGEST_NAME: usize = 15;
/// Kinds are the kernel's own short words.
const LONGEST_KIND: usize = 32;
/// MAX_ADDR_LEN.
const LONGEST_ADDRESS: usize = 32;
/// `struct ifinfomsg`.
const IFINFOMSG: usize = 16;

/// A link whose peer is still in the kernel's terms.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ParsedLink {
    /// The link, without `netns` and `peer`.
    pub link: Link,
    /// The device that IFLA_LINK points to.
    pub peer: Option<ParsedPeer>,
}

/// IFLA_LINK with IFLA_LINK_NETNSID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParsedPeer {
    /// Index of the other device.
    pub ifindex: u32,
    /// The place of the other device.
    pub place: PeerPlace,
}

/// The namespace of a link's peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerPlace {
    /// That of the link itself.
    Same,
    /// The one with this id in the namespace of the socket that asked, also when the dump had a target:
    /// `rtnl_fill_link_netnsid` (net/core/rtnetlink.c) takes the id from `src_net`, which is the socket's.
    Other(i32),
}

impl ParsedPeer {
    /// The peer with its namespace named; `name` gives the namespace of an id.
    pub(super) fn resolve(
        self,
        same: netdiag_diagnosis::evidence::NetnsId,
        name: impl Fn(i32) -> Option<netdiag_diagnosis::evidence::NetnsId>,
    ) -> Peer {
        Peer {
            ifindex: self.ifindex,
            netns: match self.place {
                PeerPlace::Same => Some(same),
                PeerPlace::Other(nsid) => name(nsid),
            },
        }
    }
}

/// Parses what follows the netlink header. `None` when it is no link (too short, or without a name).
pub(super) fn parse(message: &[u8]) -> Option<ParsedLink> {
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_LINK: u16 = 5;
    const IFLA_QDISC: u16 = 6;
    const IFLA_MASTER: u16 = 10;
    const IFLA_TXQLEN: u16 = 13;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_STATS64: u16 = 23;
    const IFLA_AF_SPEC: u16 = 26;
    const IFLA_PROMISCUITY: u16 = 30;
    const IFLA_LINK_NETNSID: u16 = 37;
    const IFLA_GSO_MAX_SEGS: u16 = 40;
    const IFLA_ALLMULTI: u16 = 61;

    let mut link = Link {
        ifindex: u32::from_ne_bytes(array(message, 4)?),
        requested_flags: u32::from_ne_bytes(array(message, 8)?),
        ..Link::default()
    };
    let mut peer = None;
    let mut peer_nsid = None;
    for attribute in attributes(message.get(IFINFOMSG..)?) {
        match attribute.kind {
            IFLA_ADDRESS => link.address = address(attribute.value),
            IFLA_IFNAME => link.name = printable_up_to(&attribute.text(), LONGEST_NAME),
            IFLA_MTU => link.mtu = attribute.u32().unwrap_or_default(),
            IFLA_LINK => peer = attribute.u32().filter(|ifindex| *ifindex != 0),
            IFLA_LINK_NETNSID => peer_nsid = attribute.i32(),
            IFLA_QDISC => link.qdisc = Some(printable_up_to(&attribute.text(), LONGEST_KIND)),
            IFLA_MASTER => link.master = attribute.u32().filter(|ifindex| *ifindex != 0),
            IFLA_TXQLEN => link.tx_queue_length = attribute.u32().unwrap_or_default(),
            IFLA_LINKINFO => link_info(attribute, &mut link),
            IFLA_STATS64 => link.stats = stats(attribute.value),
            IFLA_AF_SPEC => families(attribute, &mut link),
            IFLA_PROMISCUITY => link.promiscuity = attribute.u32().unwrap_or_default(),
            IFLA_GSO_MAX_SEGS => link.gso_max_segments = attribute.u32(),
            IFLA_ALLMULTI => link.allmulti = attribute.u32(),
            _ => {}
        }
    }
    let place = peer_nsid.map_or(PeerPlace::Same, PeerPlace::Other);
    let peer = peer.map(|ifindex| ParsedPeer { ifindex, place });
    (!link.name.is_empty()).then_some(ParsedLink { link, peer })
}

/// A link layer address as iproute2 prints it. Tunnels carry an IP address here, which is none.
fn address(bytes: &[u8]) -> Option<String> {
    const ETH_ALEN: usize = 6;
    if bytes.len() < ETH_ALEN || bytes.len() > LONGEST_ADDRESS || bytes.len() == 16 {
        return None;
    }
    let octets: Vec<_> = bytes.iter().map(|octet| format!("{octet:02x}")).collect();
    Some(octets.join(":"))
}

/// `struct rtnl_link_stats64`. Older kernels know fewer members; those are 0.
fn stats(bytes: &[u8]) -> LinkStats {
    let member = |index: usize| array(bytes, index * 8).map_or(0, u64::from_ne_bytes);
    LinkStats {
        rx_packets: member(0),
        tx_packets: member(1),
        rx_bytes: member(2),
        tx_bytes: member(3),
        rx_errors: member(4),
        tx_errors: member(5),
        rx_dropped: member(6),
        tx_dropped: member(7),
        multicast: member(8),
        rx_over_errors: member(11),
        rx_crc_errors: member(12),
        rx_fifo_errors: member(14),
        rx_missed_errors: member(15),
        rx_nohandler: member(23),
    }
}

/// IFLA_AF_SPEC: the device's settings by address family. The only way to another namespace's: /proc/sys/net shows the
/// reader's own.
fn families(families: Attribute<'_>, link: &mut Link) {
    const IFLA_INET_CONF: u16 = 1;
    const IFLA_INET6_CONF: u16 = 2;

    for family in families.nested() {
        let wanted = match i32::from(family.kind) {
            libc::AF_INET => IFLA_INET_CONF,
            libc::AF_INET6 => IFLA_INET6_CONF,
            _ => continue,
        };
        let Some(settings) = family.nested().find(|one| one.kind == wanted) else {
            continue;
        };
        // 32-bit numbers, by the kernel's own index.
        let number = |index: usize| array(settings.value, index * 4).map(u32::from_ne_bytes);
        match i32::from(family.kind) {
            libc::AF_INET => link.ipv4 = ipv4(number),
            _ => {
                link.ipv6 = ipv6(number);
                /// DEVCONF_SEG6_ENABLED of `<linux/ipv6.h>`.
                const SEG6_ENABLED: usize = 44;
                link.segment_routing = number(SEG6_ENABLED).map(|value| value != 0);
            }
        }
    }
}

/// IPV4_DEVCONF_* of `<linux/ip.h>`, which begin with 1 (`inet_fill_link_af`).
fn ipv4(number: impl Fn(usize) -> Option<u32>) -> Option<Ipv4Settings> {
    const FORWARDING: usize = 0;
    const RP_FILTER: usize = 7;
    Some(Ipv4Settings {
        forwarding: number(FORWARDING)? != 0,
        forwarding_before: None,
        rp_filter: number(RP_FILTER)?,
    })
}

/// DEVCONF_* of `<linux/ipv6.h>` (`inet6_fill_ifla6_attrs`).
fn ipv6(number: impl Fn(usize) -> Option<u32>) -> Option<Ipv6Settings> {
    const FORWARDING: usize = 0;
    const ACCEPT_RA: usize = 3;
    Some(Ipv6Settings {
        forwarding: number(FORWARDING)? != 0,
        accept_ra: number(ACCEPT_RA)?,
    })
}

/// IFLA_LINKINFO: what the link is, and what it is to its master.
fn link_info(info: Attribute<'_>, link: &mut Link) {
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const IFLA_INFO_SLAVE_KIND: u16 = 4;
    const IFLA_INFO_SLAVE_DATA: u16 = 5;

    let mut data: &[u8] = &[];
    let mut slave_data: &[u8] = &[];
    for attribute in info.nested() {
        match attribute.kind {
            IFLA_INFO_KIND => link.kind = Some(kind_of(attribute)),
            IFLA_INFO_SLAVE_KIND => link.slave_kind = Some(kind_of(attribute)),
            IFLA_INFO_DATA => data = attribute.value,
            IFLA_INFO_SLAVE_DATA => slave_data = attribute.value,
            _ => {}
        }
    }
    match link.kind {
        Some(LinkKind::Bridge) => link.bridge = Some(bridge(data)),
        Some(LinkKind::Bond) => link.bond = Some(bond(data)),
        Some(LinkKind::Vlan) => link.vlan = Some(vlan(data)),
        Some(LinkKind::MacVlan | LinkKind::MacVtap) => link.macvlan = Some(macvlan(data)),
        _ => {}
    }
    match link.slave_kind {
        Some(LinkKind::Bridge) => link.bridge_port = Some(bridge_port(slave_data)),
        Some(LinkKind::Bond) => link.bond_slave = Some(bond_slave(slave_data)),
        _ => {}
    }
}

fn kind_of(attribute: Attribute<'_>) -> LinkKind {
    printable_up_to(&attribute.text(), LONGEST_KIND)
        .as_str()
        .into()
}

fn bridge(data: &[u8]) -> BridgeSettings {
    const IFLA_BR_FORWARD_DELAY: u16 = 1;
    const IFLA_BR_STP_STATE: u16 = 5;
    const IFLA_BR_VLAN_FILTERING: u16 = 7;
    const IFLA_BR_GROUP_FWD_MASK: u16 = 9;

    let mut bridge = BridgeSettings::default();
    for attribute in attributes(data) {
        match attribute.kind {
            IFLA_BR_FORWARD_DELAY => bridge.forward_delay_cs = attribute.u32(),
            IFLA_BR_STP_STATE => bridge.stp = attribute.u32().is_some_and(|state| state != 0),
            IFLA_BR_VLAN_FILTERING => bridge.vlan_filtering = is_set(attribute),
            IFLA_BR_GROUP_FWD_MASK => {
                bridge.group_forward_mask = attribute.u16().unwrap_or_default();
            }
            _ => {}
        }
    }
    bridge
}

fn bridge_port(data: &[u8]) -> BridgePort {
    const IFLA_BRPORT_STATE: u16 = 1;
    const IFLA_BRPORT_MODE: u16 = 4;
    const IFLA_BRPORT_LEARNING: u16 = 8;
    const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
    const IFLA_BRPORT_ISOLATED: u16 = 33;
    const IFLA_BRPORT_LOCKED: u16 = 39;

    let mut port = BridgePort::default();
    for attribute in attributes(data) {
        match attribute.kind {
            IFLA_BRPORT_STATE => port.state = attribute.u8().unwrap_or_default(),
            IFLA_BRPORT_MODE => port.hairpin = Some(is_set(attribute)),
            IFLA_BRPORT_ISOLATED => port.isolated = Some(is_set(attribute)),
            IFLA_BRPORT_LOCKED => port.locked = Some(is_set(attribute)),
            IFLA_BRPORT_LEARNING => port.learning = is_set(attribute),
            IFLA_BRPORT_UNICAST_FLOOD => port.unicast_flood = is_set(attribute),
            _ => {}
        }
    }
    port
}

fn bond(data: &[u8]) -> BondSettings {
    const IFLA_BOND_MODE: u16 = 1;
    const IFLA_BOND_ACTIVE_SLAVE: u16 = 2;
    /// BOND_MODE_* of `<linux/if_bonding.h>`, from 0 on.
    const MODES: [&str; 7] = [
        "balance-rr",
        "active-backup",
        "balance-xor",
        "broadcast",
        "802.3ad",
        "balance-tlb",
        "balance-alb",
    ];

    let mut bond = BondSettings::default();
    for attribute in attributes(data) {
        match attribute.kind {
            IFLA_BOND_MODE => {
                let mode = attribute.u8().unwrap_or(u8::MAX);
                bond.mode = MODES
                    .get(usize::from(mode))
                    .map_or_else(|| mode.to_string(), |name| (*name).to_owned());
            }
            IFLA_BOND_ACTIVE_SLAVE => bond.active_slave = attribute.u32(),
            _ => {}
        }
    }
    bond
}

fn bond_slave(data: &[u8]) -> BondSlave {
    const IFLA_BOND_SLAVE_STATE: u16 = 1;
    const IFLA_BOND_SLAVE_MII_STATUS: u16 = 2;
    const BOND_STATE_ACTIVE: u8 = 0;
    const BOND_LINK_UP: u8 = 0;

    let mut slave = BondSlave::default();
    for attribute in attributes(data) {
        match attribute.kind {
            IFLA_BOND_SLAVE_STATE => slave.active = attribute.u8() == Some(BOND_STATE_ACTIVE),
            IFLA_BOND_SLAVE_MII_STATUS => slave.mii_up = attribute.u8() == Some(BOND_LINK_UP),
            _ => {}
        }
    }
    slave
}

fn vlan(data: &[u8]) -> VlanSettings {
    const IFLA_VLAN_ID: u16 = 1;
    let id = attributes(data).find(|attribute| attribute.kind == IFLA_VLAN_ID);
    VlanSettings {
        id: id.and_then(|id| id.u16()).unwrap_or_default(),
    }
}

fn macvlan(data: &[u8]) -> MacvlanSettings {
    const IFLA_MACVLAN_MODE: u16 = 1;
    const IFLA_MACVLAN_FLAGS: u16 = 2;
    const MACVLAN_FLAG_NOPROMISC: u16 = 1;

    let mut macvlan = MacvlanSettings::default();
    for attribute in attributes(data) {
        match attribute.kind {
            IFLA_MACVLAN_MODE => {
                macvlan.mode = match attribute.u32().unwrap_or_default() {
                    1 => "private".to_owned(),
                    2 => "vepa".to_owned(),
                    4 => "bridge".to_owned(),
                    8 => "passthru".to_owned(),
                    16 => "source".to_owned(),
                    other => other.to_string(),
                };
            }
            IFLA_MACVLAN_FLAGS => {
                macvlan.no_promiscuity = attribute
                    .u16()
                    .is_some_and(|flags| flags & MACVLAN_FLAG_NOPROMISC != 0);
            }
            _ => {}
        }
    }
    macvlan
}

fn is_set(attribute: Attribute<'_>) -> bool {
    attribute.u8().is_some_and(|value| value != 0)
}

#[cfg(test)]
mod tests;
