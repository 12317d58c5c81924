//! Evidence without the names and addresses of those it was taken from, for people who want to show it to others.
//!
//! Each name and address is replaced by the same other one wherever it stands, so that what belongs together still does
//! and detectors come to the same findings. What cannot be replaced with sense (payloads of packets, lines of the
//! kernel log about other things) is blanked. Counts, times, indexes, process ids and the kernel's own names stay.

mod addresses;
mod announcements;
mod names;
mod packets;
mod sums;

#[cfg(test)]
mod tests;

use crate::evidence::{
    Drops, EvidenceWindow, FrameCopies, KernelLogLine, Link, Namespace, Observed, OnDemand, Owner,
    PacketSocket, Pod, ProtocolHandler, TunHolder,
};
use addresses::Addresses;
use names::Names;

/// What lines of the kernel log hold that detectors look for. Others may say anything about the node and are blanked.
const TELLING: [&str; 5] = [
    "promiscuous mode",
    "checksum",
    "csum",
    "table full",
    "table overflow",
];

/// The same window with names and addresses replaced. The seed chooses the replacement: whoever knows it can undo that
/// of addresses, so take a random one and forget it.
pub fn anonymise(window: &EvidenceWindow, seed: u64) -> EvidenceWindow {
    let mut anonymiser = Anonymiser {
        addresses: Addresses::new(seed),
        names: Names::default(),
    };
    anonymiser.learn(window);
    anonymiser.window(window)
}

struct Anonymiser {
    addresses: Addresses,
    names: Names,
}

impl Anonymiser {
    /// Names that may stand in texts must be known before the first text is read.
    fn learn(&mut self, window: &EvidenceWindow) {
        self.names.of("node", &window.node.name);
        for link in window.links() {
            self.names.of_interface(&link.name, link.kind.as_ref());
        }
        for namespace in &window.namespaces {
            self.namespace(namespace);
        }
        for socket in window.packet_sockets.value().into_iter().flatten() {
            self.owner(&socket.owner);
        }
        for holder in window.tun_holders.value().into_iter().flatten() {
            self.owner(&holder.owner);
        }
    }

    fn window(&mut self, window: &EvidenceWindow) -> EvidenceWindow {
        let mut new = window.clone();
        new.node.name = self.names.of("node", &window.node.name);
        let namespaces = window.namespaces.iter();
        new.namespaces = namespaces.map(|one| self.namespace(one)).collect();
        new.links = self.each(&window.links, Self::link);
        new.packet_sockets = self.each(&window.packet_sockets, Self::packet_socket);
        new.tun_holders = self.each(&window.tun_holders, Self::tun_holder);
        new.kernel_log = self.each(&window.kernel_log, Self::log_line);
        new.drops = self.observed(&window.drops, Self::drops);
        new.softnet = self.observed(&window.softnet, |_, softnet| softnet.clone());
        new.frame_copies = self.on_demand(&window.frame_copies, Self::frame_copies);
        new.gro = self.on_demand(&window.gro, |_, gro| gro.clone());
        new.retransmissions = self.on_demand(&window.retransmissions, |_, value| value.clone());
        new
    }

    fn observed<T>(
        &mut self,
        evidence: &Observed<T>,
        change: fn(&mut Self, &T) -> T,
    ) -> Observed<T> {
        match evidence {
            Observed::Complete { value } => Observed::Complete {
                value: change(self, value),
            },
            Observed::Partial { value, missing } => Observed::Partial {
                value: change(self, value),
                missing: self.text(missing),
            },
            Observed::Unavailable { reason } => Observed::Unavailable {
                reason: self.text(reason),
            },
        }
    }

    fn each<T>(
        &mut self,
        evidence: &Observed<Vec<T>>,
        change: fn(&mut Self, &T) -> T,
    ) -> Observed<Vec<T>> {
        let mut change = |values: &Vec<T>| values.iter().map(|value| change(self, value)).collect();
        match evidence {
            Observed::Complete { value } => Observed::Complete {
                value: change(value),
            },
            Observed::Partial { value, missing } => Observed::Partial {
                value: change(value),
                missing: self.text(missing),
            },
            Observed::Unavailable { reason } => Observed::Unavailable {
                reason: self.text(reason),
            },
        }
    }

    fn on_demand<T>(
        &mut self,
        evidence: &OnDemand<T>,
        change: fn(&mut Self, &T) -> T,
    ) -> OnDemand<T> {
        match evidence {
            OnDemand::Idle { reason } => OnDemand::Idle {
                reason: self.text(reason),
            },
            OnDemand::Ran {
                question,
                from_ms,
                until_ms,
                value,
            } => OnDemand::Ran {
                question: self.text(question),
                from_ms: *from_ms,
                until_ms: *until_ms,
                value: change(self, value),
            },
            OnDemand::Unavailable { reason } => OnDemand::Unavailable {
                reason: self.text(reason),
            },
        }
    }

    fn namespace(&mut self, namespace: &Namespace) -> Namespace {
        let mut new = namespace.clone();
        new.name = self.optional("netns", namespace.name.as_ref());
        new.pod = namespace.pod.as_ref().map(|pod| self.pod(pod));
        for address in &mut new.addresses {
            address.address = self.addresses.ip(address.address);
        }
        for group in new.multicast_groups.iter_mut().flatten() {
            *group = self.addresses.ip(*group);
        }
        for handler in new.protocol_handlers.iter_mut().flatten() {
            self.protocol_handler(handler);
        }
        new
    }

    fn protocol_handler(&mut self, handler: &mut ProtocolHandler) {
        handler.device = handler
            .device
            .as_ref()
            .map(|name| self.names.of_interface(name, None));
    }

    fn pod(&mut self, pod: &Pod) -> Pod {
        Pod {
            namespace: self.names.of("namespace", &pod.namespace),
            name: self.names.of("pod", &pod.name),
            uid: self.names.of("uid", &pod.uid),
        }
    }

    fn owner(&mut self, owner: &Owner) -> Owner {
        Owner {
            pid: owner.pid,
            comm: self.names.of("process", &owner.comm),
            pod: owner.pod.as_ref().map(|pod| self.pod(pod)),
            container: self.optional("container", owner.container.as_ref()),
        }
    }

    fn optional(&mut self, kind: &'static str, name: Option<&String>) -> Option<String> {
        name.map(|name| self.names.of(kind, name))
    }

    fn link(&mut self, link: &Link) -> Link {
        let mut new = link.clone();
        new.name = self.names.of_interface(&link.name, link.kind.as_ref());
        new.address = link.address.as_ref().map(|text| self.text(text));
        new
    }

    fn packet_socket(&mut self, socket: &PacketSocket) -> PacketSocket {
        let mut new = socket.clone();
        new.owner = self.owner(&socket.owner);
        new
    }

    fn tun_holder(&mut self, holder: &TunHolder) -> TunHolder {
        let mut new = holder.clone();
        new.device = self.names.of_interface(&holder.device, None);
        new.owner = self.owner(&holder.owner);
        new
    }

    fn log_line(&mut self, line: &KernelLogLine) -> KernelLogLine {
        let mut new = line.clone();
        new.text = match TELLING.iter().any(|words| line.text.contains(words)) {
            true => self.text(&line.text),
            false => "(removed)".to_owned(),
        };
        new
    }

    fn drops(&mut self, drops: &Drops) -> Drops {
        let mut new = drops.clone();
        for sample in &mut new.samples {
            let key = drops.counts.get(sample.key);
            packets::anonymise(sample, key.map_or(0, |key| key.ethertype), self);
        }
        new
    }

    fn frame_copies(&mut self, copies: &FrameCopies) -> FrameCopies {
        let mut new = copies.clone();
        for copy in &mut new.copies {
            copy.source = copy.source.map(|address| self.addresses.ip(address));
            copy.destination = copy.destination.map(|address| self.addresses.ip(address));
        }
        new
    }

    /// Replaces the names and addresses in a text.
    fn text(&mut self, text: &str) -> String {
        let separates = |character: char| {
            character.is_whitespace() || "()[]{}<>,;=\"'`/\\|".contains(character)
        };
        text.split_inclusive(separates)
            .map(|piece| {
                let word = piece.trim_end_matches(separates);
                let core = word.trim_end_matches([':', '.', '!', '?']);
                let rest = piece.get(core.len()..).unwrap_or_default();
                match self.word(core) {
                    Some(new) => new + rest,
                    None => piece.to_owned(),
                }
            })
            .collect()
    }

    fn word(&mut self, word: &str) -> Option<String> {
        if let Some(name) = self.names.known(word) {
            return Some(name);
        }
        if let Ok(address) = word.parse() {
            return Some(self.addresses.ip(address).to_string());
        }
        self.addresses.mac_text(word)
    }
}
