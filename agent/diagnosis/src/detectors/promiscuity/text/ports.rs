//! The words about ports of bridges and Open vSwitch datapaths.

use super::{chain_of, names, sum_proof, vlan_filtering};
use crate::{
    Window,
    causes::OPEN_VSWITCH_PORT,
    detectors::{
        kit::say,
        promiscuity::{
            ports::{Group, Port, opened_filters},
            users::is_internal,
        },
    },
    evidence::Link,
    finding::{Confidence, Proof, Remedy, Text},
};

pub(crate) fn text(window: &Window<'_>, group: &Group<'_>, first: &Port<'_>) -> Text {
    let headline = match group {
        Group::Single(port) => single(window, port),
        Group::Several(ports) => several(first, ports),
    };
    let name = &first.switch.name;
    let (what, hurts) = if *first.cause == OPEN_VSWITCH_PORT {
        (
            "Open vSwitch makes every port promiscuous when it is added, whatever its flows do. The port takes every \
             frame on its wire, also those for other MAC addresses."
                .to_owned(),
            "Nobody, by design: the datapath forwards by its flows, not by the port's address.".to_owned(),
        )
    } else {
        let doubt = match group.confidence() {
            Confidence::Certain => String::new(),
            _ => format!(
                " By its settings {name} could do without; a port that cannot filter addresses stays promiscuous \
                 anyway."
            ),
        };
        (
            format!(
                "The port takes every frame on its wire, also those for other MAC addresses, and every multicast \
                 frame.{doubt}"
            ),
            format!(
                "Nobody, by design: {name} must see frames for MAC addresses behind its ports."
            ),
        )
    };
    Text {
        what: format!("{headline}. {what}"),
        headline,
        hurts,
    }
}

fn single(window: &Window<'_>, port: &Port<'_>) -> String {
    let (link, switch) = (port.link, port.switch);
    let (names, are) = opened(window, link);
    if is_internal(link) {
        return format!("{names} is promiscuous as a port that Open vSwitch made for itself");
    }
    let what = if names == link.name { "it" } else { &link.name };
    format!(
        "{names} {are} promiscuous because {switch} enslaved {what}: {} <- {switch}",
        chain_of(window, link),
        switch = switch.name
    )
}

/// The devices whose filters a port opens, the port itself where it opens none, and the verb that goes with them.
fn opened(window: &Window<'_>, port: &Link) -> (String, &'static str) {
    match opened_filters(window, port).as_slice() {
        [] => (port.name.clone(), "is"),
        [only] => ((*only).to_owned(), "is"),
        several => (say::list(several), "are"),
    }
}

fn several(first: &Port<'_>, ports: &[Port<'_>]) -> String {
    let links: Vec<&Link> = ports.iter().map(|port| port.link).collect();
    let why = if *first.cause == OPEN_VSWITCH_PORT {
        "Open vSwitch makes them so"
    } else {
        "it enslaved them"
    };
    format!(
        "{} ports of {} are promiscuous because {why}: {}",
        ports.len(),
        first.switch.name,
        names(&links)
    )
}

pub(crate) fn consequence(window: &Window<'_>, group: &Group<'_>, first: &Port<'_>) -> String {
    let switch = &first.switch.name;
    match group {
        Group::Single(port) => {
            let (names, are) = opened(window, port.link);
            let they = if are == "are" { "they" } else { "it" };
            format!("{switch} makes {names} take frames that {they} would filter out.")
        }
        Group::Several(_) => format!("{switch} makes its ports take every frame."),
    }
}

pub(crate) fn proofs(group: &Group<'_>, first: &Port<'_>) -> Vec<Proof> {
    let switch = first.switch;
    let mut sum = sum_proof(first.link, &first.users);
    sum.value.push_str(&vlan_filtering(switch));
    let ports = match group {
        Group::Single(_) => None,
        Group::Several(ports) => Some(Proof::new(
            format!("promiscuous ports of {}", switch.name),
            ports.len(),
            "ports",
            "netlink",
        )),
    };
    ports.into_iter().chain([sum]).collect()
}

pub(crate) fn remedy(first: &Port<'_>) -> Remedy {
    let filters_vlans = first
        .switch
        .bridge
        .is_some_and(|settings| settings.vlan_filtering);
    Remedy::advice(if filters_vlans || *first.cause == OPEN_VSWITCH_PORT {
        "None needed."
    } else {
        "None needed. vlan_filtering 1 may end the promiscuity, but multicast frames still come in: allmulti stays."
    })
}
