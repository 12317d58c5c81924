//! Ports of bridges and Open vSwitch datapaths.
//!
//! A NIC, bond or VLAN device gets a finding of its own, because it is where frames of the outside come in. The virtual
//! ports of a bridge, one for each pod on many nodes, are one finding about the bridge.

use std::collections::BTreeMap;

use super::users::{Users, is_internal};
use crate::{
    Window,
    causes::{BRIDGE_PORT, Cause, OPEN_VSWITCH_PORT},
    evidence::{Link, LinkKind, NetnsId},
    finding::Confidence,
};

/// Findings of their own that the ports of one switch may have.
const MOST_SINGLE: usize = 8;
/// Kinds of devices that lead to a guest on this node and have no receive filter.
const GUEST_KINDS: [LinkKind; 4] = [
    LinkKind::Veth,
    LinkKind::Tun,
    LinkKind::NetKit,
    LinkKind::Dummy,
];

/// Promiscuous ports, by the switch that they belong to and why.
#[derive(Default)]
pub(super) struct Ports<'a> {
    by_switch: BTreeMap<(NetnsId, u32, &'static Cause), Vec<Port<'a>>>,
}

/// A promiscuous port.
pub(super) struct Port<'a> {
    pub(super) link: &'a Link,
    pub(super) users: Users<'a>,
    pub(super) switch: &'a Link,
    pub(super) cause: &'static Cause,
    pub(super) confidence: Confidence,
}

/// Ports with one finding.
pub(super) enum Group<'a> {
    Single(Port<'a>),
    /// Ports of one switch, at least two.
    Several(Vec<Port<'a>>),
}

impl<'a> Ports<'a> {
    /// Takes note of a device that is promiscuous as a port.
    pub(super) fn add(&mut self, window: &'a Window<'_>, link: &'a Link, users: Users<'a>) {
        let (switch, cause, confidence) = match (users.bridge, users.open_vswitch) {
            (Some(used), _) => {
                let confidence = match used.needed {
                    Some(true) => Confidence::Certain,
                    Some(false) | None => Confidence::Likely,
                };
                (used.bridge, &BRIDGE_PORT, confidence)
            }
            (None, Some(switch)) => (switch, &OPEN_VSWITCH_PORT, Confidence::Certain),
            (None, None) if users.open_vswitch_internal => {
                let datapath = datapath_of(window, link);
                (datapath, &OPEN_VSWITCH_PORT, Confidence::Certain)
            }
            (None, None) => return,
        };
        let key = (switch.netns, switch.ifindex, cause);
        self.by_switch.entry(key).or_default().push(Port {
            link,
            users,
            switch,
            cause,
            confidence,
        });
    }

    /// One group for each port to the outside, one for all the guests' ports of a switch.
    pub(super) fn into_groups(self) -> Vec<Group<'a>> {
        let mut groups = Vec::new();
        for ports in self.by_switch.into_values() {
            let (mut folded, mut outside): (Vec<_>, Vec<_>) = ports.into_iter().partition(is_guest);
            folded.extend(outside.split_off(outside.len().min(MOST_SINGLE)));
            groups.extend(outside.into_iter().map(Group::Single));
            if folded.len() > 1 {
                groups.push(Group::Several(folded));
            } else {
                groups.extend(folded.into_iter().map(Group::Single));
            }
        }
        groups
    }
}

impl<'a> Group<'a> {
    pub(super) fn ports(&self) -> &[Port<'a>] {
        match self {
            Self::Single(port) => std::slice::from_ref(port),
            Self::Several(ports) => ports,
        }
    }

    /// The least of its ports' confidences.
    pub(super) fn confidence(&self) -> Confidence {
        let least = self.ports().iter().map(|port| port.confidence).min();
        least.unwrap_or(Confidence::Likely)
    }
}

fn is_guest(port: &Port<'_>) -> bool {
    let kind = port.link.kind.as_ref();
    kind.is_some_and(|kind| GUEST_KINDS.contains(kind)) || is_internal(port.link)
}

/// The datapath that a device of Open vSwitch is told with. netlink has the datapath of no such device, so all of a
/// namespace go with the first that has other devices as ports.
fn datapath_of<'a>(window: &'a Window<'_>, link: &'a Link) -> &'a Link {
    let mut internal = window
        .topology
        .links_in(link.netns)
        .filter(|other| is_internal(other));
    let first = internal.clone().next();
    internal
        .find(|datapath| window.topology.ports(datapath).next().is_some())
        .or(first)
        .unwrap_or(link)
}

/// The devices at or below a port that have a filter, which its promiscuity opens.
pub(super) fn opened_filters<'a>(window: &'a Window<'_>, port: &'a Link) -> Vec<&'a str> {
    window
        .topology
        .stack_below(port)
        .into_iter()
        .filter(|device| device.netns == port.netns)
        .filter(|device| device.filters_addresses() && device.is_promiscuous())
        .map(|device| device.name.as_str())
        .collect()
}
