//! Where the packets came from, as far as this node knows.

use std::net::IpAddr;

use super::{path, suspects::Suspects};
use crate::{
    evidence::{EvidenceWindow, Link, Namespace},
    finding::{Proof, Remedy, Subject},
    packets::ip::IpPacket,
};

/// Senders beyond these are counted, not named.
const MOST_NAMED: usize = 5;

/// A device of this node, or an address that is none of its, or of several.
pub(super) struct Sender<'a> {
    addresses: Vec<IpAddr>,
    namespace: Option<&'a Namespace>,
    pub(super) link: Option<&'a Link>,
}

/// The senders of what was lost, those first that this node can name.
pub(super) fn senders<'a>(window: &'a EvidenceWindow, suspects: &Suspects<'_>) -> Vec<Sender<'a>> {
    let whole = suspects
        .pseudo_header
        .iter()
        .map(|packet| Sender::of(window, packet));
    // Such a field has been through an address translation, and the node's own address may stand for a pod's.
    let translated = suspects
        .translated
        .iter()
        .map(|packet| Sender::of(window, packet).unless_node());
    let mut senders: Vec<Sender<'a>> = Vec::new();
    for sender in whole.chain(translated) {
        match senders.iter().position(|known| known.is(&sender)) {
            Some(at) => senders[at].add(&sender.addresses),
            None if senders.len() < MOST_NAMED => senders.push(sender),
            None => {}
        }
    }
    senders.sort_by_key(|sender| sender.namespace.is_none());
    senders
}

impl<'a> Sender<'a> {
    fn of(window: &'a EvidenceWindow, packet: &IpPacket<'_>) -> Self {
        let holder = path::holder_of(window, packet.source);
        Self {
            addresses: vec![packet.source],
            namespace: holder.map(|(namespace, _)| namespace),
            link: holder.and_then(|(_, link)| link),
        }
    }

    fn unless_node(self) -> Self {
        if self.namespace.is_some_and(|namespace| namespace.is_node) {
            return Self {
                namespace: None,
                link: None,
                ..self
            };
        }
        self
    }

    fn add(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            if !self.addresses.contains(address) {
                self.addresses.push(*address);
            }
        }
    }

    fn is(&self, other: &Self) -> bool {
        let key = |sender: &Self| {
            let link = sender.link?;
            Some((link.netns, link.ifindex))
        };
        match (key(self), key(other)) {
            (None, None) => self.addresses == other.addresses,
            (one, two) => one == two,
        }
    }

    /// `eth0 of pod shop/client`.
    pub(super) fn name(&self) -> String {
        match (self.namespace, self.link) {
            (Some(namespace), Some(link)) => format!("{} of {}", link.name, place_of(namespace)),
            (Some(namespace), None) => place_of(namespace),
            _ => self.list(),
        }
    }

    fn list(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        addresses.join(", ")
    }

    /// Name and addresses, or why there is no name.
    pub(super) fn detail(&self, window: &EvidenceWindow) -> String {
        if self.namespace.is_some() {
            return format!("{} ({})", self.name(), self.list());
        }
        let any = |holds: fn(&EvidenceWindow, IpAddr) -> bool| {
            let mut addresses = self.addresses.iter();
            addresses.any(|address| holds(window, *address))
        };
        let why = if any(|window, address| path::holder_of(window, address).is_some()) {
            "an address of the node, which may stand for another"
        } else if any(path::is_held) {
            "more than one namespace here holds it"
        } else {
            "not on this node"
        };
        format!("{}: {why}", self.list())
    }

    pub(super) fn offload_proof(&self) -> Option<Proof> {
        let link = self.link?;
        (link.tx_checksum_offload == Some(true)).then(|| {
            let name = format!("{}: tx-checksumming", self.name());
            Proof::new(name, "on", "", "ethtool")
        })
    }

    pub(super) fn turn_offload_off(&self) -> Option<Remedy> {
        let (namespace, link) = (self.namespace?, self.link?);
        let device = link.name.as_str();
        let set = ["ethtool", "-K", device, "tx", "off"];
        let text = format!("Let the sender finish its checksums: {}.", self.name());
        let remedy = Remedy::command_in(namespace, text, &set, &[device]);
        Some(remedy.with_effect(
            "Takes effect at once, costs that sender some CPU, and ends with its pod.",
        ))
    }
}

pub(super) fn place_of(namespace: &Namespace) -> String {
    Subject::of_namespace(namespace)
        .place()
        .unwrap_or_else(|| "the node".to_owned())
}
