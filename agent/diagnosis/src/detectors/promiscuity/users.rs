//! The users of promiscuity: the kernel keeps only a count (`net_device.promiscuity`), so its users are told
//! one by one and what is left over is unexplained.

use std::collections::HashSet;

use super::doubts::{Doubt, doubts};
use crate::{
    Window,
    evidence::{Link, LinkKind, MembershipKind, PacketSocket},
};

/// The users of one device's promiscuity.
#[derive(Debug, Default)]
pub(super) struct Users<'a> {
    /// `IFF_PROMISC` was set by a person or program.
    pub requested: bool,
    /// The bridge that holds the device, when it makes the device promiscuous.
    pub bridge: Option<BridgeUse<'a>>,
    /// The Open vSwitch datapath that holds the device.
    pub open_vswitch: Option<&'a Link>,
    /// The device is an internal port of Open vSwitch, which the kernel makes promiscuous (`internal_dev_create`).
    pub open_vswitch_internal: bool,
    /// Passthru devices on top of it.
    pub passthru: Vec<&'a Link>,
    /// The device cannot filter one more unicast address (`net_device.uc_promisc`).
    pub unicast_filter: bool,
    /// Packet sockets with a promiscuous membership.
    pub sockets: Vec<&'a PacketSocket>,
    /// Promiscuous devices above that pass it on.
    pub inherited: Vec<&'a Link>,
    /// Users left over.
    pub unexplained: u32,
    /// Reasons why the users left over may have an explanation that could not be seen.
    pub doubts: Vec<Doubt<'a>>,
}

/// The use that a bridge makes of its port.
#[derive(Clone, Copy, Debug)]
pub(super) struct BridgeUse<'a> {
    /// The bridge.
    pub bridge: &'a Link,
    /// It needs the port promiscuous; `None` where its settings were not read.
    pub needed: Option<bool>,
}

impl<'a> Users<'a> {
    /// Counts the users of `link`; `changed` are the names of devices whose promiscuity changed by the log.
    pub(super) fn of(window: &'a Window<'_>, link: &'a Link, changed: &HashSet<&str>) -> Self {
        let mut users = Self {
            requested: link.promiscuity_requested(),
            open_vswitch: open_vswitch_of(window, link),
            open_vswitch_internal: is_internal(link),
            passthru: passthru_on(window, link),
            unicast_filter: link.unicast_promiscuous == Some(true),
            sockets: sockets_on(window, link, MembershipKind::Promiscuous),
            inherited: inherited_from(window, link),
            ..Self::default()
        };
        let bridge = bridge_of(window, link);
        let others = users.count(link);
        users.bridge = bridge.filter(|bridge| {
            bridge.needed != Some(false)
                // Since 5.18 a port that cannot filter unicast stays promiscuous even where the bridge could do without
                // (`br_manage_promisc`), so one user that nobody else accounts for is the bridge.
                || link.promiscuity == others.saturating_add(1)
        });
        // Where `uc_promisc` was not read: a veth or dummy has no filter, so the address of a macvlan on it is one
        // user.
        users.unicast_filter |= link.unicast_promiscuous.is_none()
            && has_address_above(window, link)
            && link.promiscuity == users.count(link).saturating_add(1);
        users.unexplained = link.promiscuity.saturating_sub(users.count(link));
        if users.unexplained > 0 {
            users.doubts = doubts(window, link, changed);
        }
        users
    }

    /// The number of users that were found.
    fn count(&self, link: &Link) -> u32 {
        let memberships = self.memberships(link);
        let single = [
            self.requested,
            self.bridge.is_some(),
            self.open_vswitch.is_some(),
            self.open_vswitch_internal,
            self.unicast_filter,
        ];
        let single = single.into_iter().filter(|user| *user).count();
        let total = single + self.passthru.len() + self.inherited.len() + memberships;
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// Memberships that want `link` promiscuous. A socket that asks twice for one device is one entry and one user
    /// (`packet_mc_add`).
    pub(super) fn memberships(&self, link: &Link) -> usize {
        self.sockets
            .iter()
            .map(|socket| memberships_of(socket, link, MembershipKind::Promiscuous))
            .sum()
    }
}

/// The bridge of a port and whether it needs the port promiscuous.
pub(super) fn bridge_of<'a>(window: &'a Window<'_>, link: &'a Link) -> Option<BridgeUse<'a>> {
    let bridge = window
        .topology
        .master(link)
        .filter(|master| master.kind == Some(LinkKind::Bridge))?;
    Some(BridgeUse {
        bridge,
        needed: needs_promiscuous_port(window, bridge, link),
    })
}

/// The rule of `br_manage_promisc`: every port, unless the bridge filters VLANs, is not promiscuous itself, and no
/// other port floods or learns, so that the addresses behind the bridge are known.
fn needs_promiscuous_port(window: &Window<'_>, bridge: &Link, port: &Link) -> Option<bool> {
    if !bridge.bridge?.vlan_filtering || bridge.is_promiscuous() {
        return Some(true);
    }
    let is_auto = |link: &Link| {
        link.bridge_port
            .map(|port| port.learning || port.unicast_flood)
    };
    let mut auto_ports = 0;
    for link in window.topology.ports(bridge) {
        auto_ports += usize::from(is_auto(link)?);
    }
    Some(auto_ports > usize::from(is_auto(port)?))
}

fn open_vswitch_of<'a>(window: &'a Window<'_>, link: &'a Link) -> Option<&'a Link> {
    let is_port = link.slave_kind == Some(LinkKind::OpenVSwitch);
    window
        .topology
        .master(link)
        .filter(|master| is_port || is_internal(master))
}

/// `macvlan_open` raises the lower device's promiscuity once for a passthru device that is up, unless it was made with
/// `nopromisc`.
fn passthru_on<'a>(window: &'a Window<'_>, link: &Link) -> Vec<&'a Link> {
    let raises = |upper: &&Link| {
        let settings = upper.macvlan.as_ref();
        upper.is_passthru() && upper.is_up() && settings.is_some_and(|one| !one.no_promiscuity)
    };
    window.topology.on_top(link).filter(raises).collect()
}

/// A macvlan device with an address of its own lies on a device that has no filter for unicast addresses.
fn has_address_above(window: &Window<'_>, link: &Link) -> bool {
    matches!(link.kind, Some(LinkKind::Veth | LinkKind::Dummy))
        && window.topology.on_top(link).any(|upper| {
            matches!(upper.kind, Some(LinkKind::MacVlan | LinkKind::MacVtap))
                && !upper.is_passthru()
                && upper.is_up()
        })
}

/// Packet sockets with this kind of membership on `link`.
pub(super) fn sockets_on<'a>(
    window: &'a Window<'_>,
    link: &Link,
    kind: MembershipKind,
) -> Vec<&'a PacketSocket> {
    window
        .sockets_on(link)
        .filter(|socket| memberships_of(socket, link, kind) > 0)
        .collect()
}

fn memberships_of(socket: &PacketSocket, link: &Link, kind: MembershipKind) -> usize {
    if socket.netns != link.netns {
        return 0;
    }
    socket
        .memberships
        .iter()
        .filter(|membership| membership.ifindex == link.ifindex && membership.kind == kind)
        .count()
}

/// Promiscuous devices above that pass it on. A bond passes it to the active slave only, in the modes that have one
/// (`bond_set_promiscuity`); a passthru device is a user of its own.
fn inherited_from<'a>(window: &'a Window<'_>, link: &'a Link) -> Vec<&'a Link> {
    window
        .topology
        .uppers(link)
        .filter(|upper| upper.is_promiscuous() && upper.is_up() && !upper.is_passthru())
        .filter(|upper| upper.bond.is_none() || !is_inactive_slave(link, upper))
        .collect()
}

fn is_inactive_slave(slave: &Link, bond: &Link) -> bool {
    let Some(settings) = &bond.bond else {
        return false;
    };
    let uses_primary = matches!(
        settings.mode.as_str(),
        "active-backup" | "balance-tlb" | "balance-alb"
    );
    uses_primary
        && settings
            .active_slave
            .is_some_and(|active| active != slave.ifindex)
}

/// A device that Open vSwitch made, one for each of its bridges as a rule.
pub(super) fn is_internal(link: &Link) -> bool {
    link.kind == Some(LinkKind::OpenVSwitch)
}
