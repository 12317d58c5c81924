//! Changes that several checks offer.

use crate::{
    evidence::{Link, Namespace},
    finding::Remedy,
};

/// The command that gives a device another MTU, and the one that gives it back what it has.
pub(crate) fn set_mtu(link: &Link, namespace: &Namespace, text: &str, mtu: u32) -> Remedy {
    let name = link.name.as_str();
    let set = |mtu: u32| {
        let words = ["ip", "link", "set", "dev", name, "mtu", &mtu.to_string()];
        Remedy::command_in(namespace, text, &words, &[name])
    };
    set(mtu).undone_by(set(link.mtu))
}

/// The command that switches a device on, and the one that switches it off again.
pub(crate) fn switch_on(link: &Link, namespace: &Namespace) -> Remedy {
    let name = link.name.as_str();
    let text = "Switch it on, if it should work.";
    let set = |state: &str| {
        let words = ["ip", "link", "set", "dev", name, state];
        Remedy::command_in(namespace, text, &words, &[name])
    };
    let change = set("up").undone_by(set("down"));
    match (&namespace.pod, namespace.is_node) {
        (Some(_), _) => change.with_effect("it ends with the pod"),
        (None, true) => change.lasting(
            "ActivationPolicy=always-up in [Link] of the .network file for the device (/etc/systemd/network/)",
        ),
        (None, false) => change,
    }
}

/// A part of the name of a table of nftables: letters, digits and underscores.
pub(crate) fn part_of_table_name(text: &str) -> String {
    let clean = |character: char| match character.is_ascii_alphanumeric() {
        true => character.to_ascii_lowercase(),
        false => '_',
    };
    text.chars().map(clean).collect()
}
