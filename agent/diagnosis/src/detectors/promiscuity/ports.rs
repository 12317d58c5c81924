//! Ports of bridges and Open vSwitch datapaths.
//!
//! A NIC, bond or VLAN device gets a finding of its own, since it is where frames of the outside come in. The virtual
//! ports of a bridge, one for each pod on many nodes, are one finding about the bridge.

use std::collections::BTreeMap;

use super::{
    cause,
    causes::{about, sum_proof},
    chain::{self, listed},
    users::Users,
};
use crate::{
    evidence::{EvidenceWindow, Link, LinkKind, NetnsId},
    finding::{Confidence, Finding, Proof, Remedy, Severity, Text},
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
    by_switch: BTreeMap<(NetnsId, u32, &'static str), Vec<Port<'a>>>,
}

struct Port<'a> {
    link: &'a Link,
    switch: &'a Link,
    confidence: Confidence,
    proof: Proof,
}

impl<'a> Ports<'a> {
    /// Takes note of a device that is promiscuous as a port.
    pub(super) fn add(&mut self, window: &'a EvidenceWindow, link: &'a Link, users: &Users<'a>) {
        let (switch, cause, confidence) = match (users.bridge, users.open_vswitch) {
            (Some(used), _) => {
                let confidence = match used.needed {
                    Some(true) => Confidence::Certain,
                    Some(false) | None => Confidence::Likely,
                };
                (used.bridge, cause::BRIDGE_PORT, confidence)
            }
            (None, Some(switch)) => (switch, cause::OPEN_VSWITCH_PORT, Confidence::Certain),
            (None, None) if users.open_vswitch_internal => {
                let datapath = datapath_of(window, link);
                (datapath, cause::OPEN_VSWITCH_PORT, Confidence::Certain)
            }
            (None, None) => return,
        };
        let mut proof = sum_proof(link, users);
        if let Some(settings) = switch.bridge {
            proof.value.push_str(&format!(
                "; vlan_filtering {}",
                u8::from(settings.vlan_filtering)
            ));
        }
        let key = (switch.netns, switch.ifindex, cause);
        self.by_switch.entry(key).or_default().push(Port {
            link,
            switch,
            confidence,
            proof,
        });
    }

    /// One finding for each port to the outside, one for all the guests' ports of a switch.
    pub(super) fn into_findings(self, window: &EvidenceWindow) -> Vec<Finding> {
        let mut findings = Vec::new();
        for ((.., cause), ports) in self.by_switch {
            let (guests, mut outside): (Vec<_>, Vec<_>) = ports.into_iter().partition(is_guest);
            let folded_outside = outside.split_off(outside.len().min(MOST_SINGLE));
            findings.extend(outside.iter().map(|port| single(window, cause, port)));
            let folded: Vec<Port<'_>> = guests.into_iter().chain(folded_outside).collect();
            match folded.as_slice() {
                [] => {}
                [port] => findings.push(single(window, cause, port)),
                [first, ..] => findings.push(several(window, cause, first, &folded)),
            }
        }
        findings
    }
}

fn is_guest(port: &Port<'_>) -> bool {
    let kind = port.link.kind.as_ref();
    kind.is_some_and(|kind| GUEST_KINDS.contains(kind)) || is_internal(port.link)
}

/// A device that Open vSwitch made, one for each of its bridges as a rule.
pub(super) fn is_internal(link: &Link) -> bool {
    link.kind == Some(LinkKind::OpenVSwitch)
}

/// The datapath that a device of Open vSwitch is told with. netlink has the datapath of no such device, so all of a
/// namespace go with the first that has other devices as ports.
fn datapath_of<'a>(window: &'a EvidenceWindow, link: &'a Link) -> &'a Link {
    let mut internal = window
        .links()
        .iter()
        .filter(|other| other.netns == link.netns && is_internal(other));
    let first = internal.clone().next();
    internal
        .find(|datapath| window.slaves(datapath).next().is_some())
        .or(first)
        .unwrap_or(link)
}

fn single(window: &EvidenceWindow, cause: &'static str, port: &Port<'_>) -> Finding {
    let (link, switch) = (port.link, port.switch);
    let chain = format!(
        "{} <- {}",
        chain::chain(window, link, Link::is_promiscuous),
        switch.name
    );
    let opened = opened_filters(window, link);
    let (names, are, they) = match opened.as_slice() {
        [] => (link.name.clone(), "is", "it"),
        [only] => ((*only).to_owned(), "is", "it"),
        several => (listed(several, " and "), "are", "they"),
    };
    let port_name = if names == link.name { "it" } else { &link.name };
    let headline = if is_internal(link) {
        format!("{names} is promiscuous as a port that Open vSwitch made for itself")
    } else {
        format!(
            "{names} {are} promiscuous because {} enslaved {port_name}: {chain}",
            switch.name
        )
    };
    let text = text(headline, cause, switch, port.confidence);
    let mut finding = about(window, link, cause, Severity::Info, text);
    finding.consequence = format!(
        "{} makes {names} take frames that {they} would filter out.",
        switch.name
    );
    finding.evidence.push(port.proof.clone());
    finding.confidence = port.confidence;
    finding.remedies.push(remedy(cause, switch));
    finding
}

/// The devices at or below a port that have a filter, which its promiscuity opens.
fn opened_filters<'a>(window: &'a EvidenceWindow, port: &'a Link) -> Vec<&'a str> {
    chain::stack_below(window, port)
        .into_iter()
        .filter(|device| device.netns == port.netns)
        .filter(|device| device.filters_addresses() && device.is_promiscuous())
        .map(|device| device.name.as_str())
        .collect()
}

fn several(
    window: &EvidenceWindow,
    cause: &'static str,
    first: &Port<'_>,
    ports: &[Port<'_>],
) -> Finding {
    let switch = first.switch;
    let names: Vec<&str> = ports.iter().map(|port| port.link.name.as_str()).collect();
    let why = if cause == cause::OPEN_VSWITCH_PORT {
        "Open vSwitch makes them so"
    } else {
        "it enslaved them"
    };
    let headline = format!(
        "{} ports of {} are promiscuous because {why}: {}",
        ports.len(),
        switch.name,
        listed(&names, " and ")
    );
    let confidence = ports
        .iter()
        .map(|port| port.confidence)
        .min()
        .unwrap_or(Confidence::Likely);
    let text = text(headline, cause, switch, confidence);
    let mut finding = about(window, switch, cause, Severity::Info, text);
    finding.consequence = format!("{} makes its ports take every frame.", switch.name);
    finding.evidence.push(Proof::new(
        format!("promiscuous ports of {}", switch.name),
        ports.len(),
        "ports",
        "netlink",
    ));
    finding.evidence.push(first.proof.clone());
    finding.confidence = confidence;
    finding.remedies.push(remedy(cause, switch));
    finding
}

/// The sentences about it, the same for one port and many except for the headline.
fn text(headline: String, cause: &str, switch: &Link, confidence: Confidence) -> Text {
    if cause == cause::OPEN_VSWITCH_PORT {
        return Text {
            headline,
            what: "Open vSwitch makes every port promiscuous when it is added, whatever its flows do. The port takes \
                   every frame on its wire, also those for other MAC addresses."
                .to_owned(),
            hurts: "By design: the datapath forwards by its flows, not by the port's address."
                .to_owned(),
        };
    }
    let name = &switch.name;
    let doubt = if confidence < Confidence::Certain {
        format!(
            " By its settings {name} could do without; a port that cannot filter addresses stays promiscuous anyway."
        )
    } else {
        String::new()
    };
    Text {
        headline,
        what: format!(
            "The port takes every frame on its wire, also those for other MAC addresses, and every multicast \
             frame.{doubt}"
        ),
        hurts: format!("By design: {name} must see frames for MAC addresses behind its ports."),
    }
}

fn remedy(cause: &str, switch: &Link) -> Remedy {
    let filters_vlans = switch
        .bridge
        .is_some_and(|settings| settings.vlan_filtering);
    Remedy::advice(if filters_vlans || cause == cause::OPEN_VSWITCH_PORT {
        "None needed."
    } else {
        "None needed. vlan_filtering 1 may end the promiscuity, but multicast frames still come in: allmulti stays."
    })
}
