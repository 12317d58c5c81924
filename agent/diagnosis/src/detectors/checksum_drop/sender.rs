//! The senders of the packets, as far as this node knows.

use std::net::IpAddr;

use super::{candidates::Candidates, path};
use crate::{
    Window,
    evidence::{Link, Namespace},
    packets::ip::IpPacket,
};

/// Senders beyond these are counted, not named.
const MOST_NAMED: usize = 5;

/// A device of this node, or an address that is none of its, or of several.
pub(super) struct Sender<'a> {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) namespace: Option<&'a Namespace>,
    pub(super) link: Option<&'a Link>,
}

/// The place of a sender.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Origin<'a> {
    /// In this namespace.
    Known(&'a Namespace),
    /// Behind an address of the node, which may stand for another.
    NodeAddress,
    /// More than one namespace of this node holds the address.
    Ambiguous,
    /// Not on this node.
    Elsewhere,
}

/// The senders of what was lost, those first that this node can name.
pub(super) fn senders<'a>(window: &'a Window<'_>, candidates: &Candidates<'_>) -> Vec<Sender<'a>> {
    let whole = candidates
        .pseudo_header
        .iter()
        .map(|packet| Sender::of(window, packet));
    // Such a field has been through an address translation, and the node's own address may stand for a pod's.
    let translated = candidates
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
    fn of(window: &'a Window<'_>, packet: &IpPacket<'_>) -> Self {
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

    /// The place of the sender, as far as it is known.
    pub(super) fn origin(&self, window: &Window<'_>) -> Origin<'a> {
        let any = |holds: fn(&Window<'_>, IpAddr) -> bool| {
            let mut addresses = self.addresses.iter();
            addresses.any(|address| holds(window, *address))
        };
        if let Some(namespace) = self.namespace {
            Origin::Known(namespace)
        } else if any(|window, address| path::holder_of(window, address).is_some()) {
            Origin::NodeAddress
        } else if any(path::is_held) {
            Origin::Ambiguous
        } else {
            Origin::Elsewhere
        }
    }
}
