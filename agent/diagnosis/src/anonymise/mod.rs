//! Evidence without the names and addresses of those it was taken from, for people who want to show it to others.
//!
//! Each name and address is replaced by the same other one wherever it stands, so that what belongs together still does
//! and detectors come to the same findings. What cannot be replaced with sense (payloads of packets, lines of the
//! kernel log about other things) is blanked. Counts, times, indexes, process ids and the kernel's own names stay.

mod addresses;
mod announcements;
mod kept;
mod names;
mod packets;
mod sums;

#[cfg(test)]
mod tests;

use crate::evidence::{
    Address, Drops, EvidenceWindow, FrameCopies, FrameCopy, GroReceive, KernelLogLine, Link,
    Namespace, NodeFacts, Observed, OnDemand, Owner, PacketSocket, Pod, ProtocolHandler,
    Retransmissions, Softnet, TunHolder,
};
use addresses::Addresses;
use names::Names;

/// The text that detectors look for in lines of the kernel log. Other lines may contain anything about the node and are
/// blanked.
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
    let mut new = window.clone();
    anonymiser.window(&mut new);
    new
}

/// Every structure is taken apart field by field here and in [`kept`], so that a new field of the evidence does not
/// compile until somebody has decided whether it may leave the node.
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
            self.namespace(&mut namespace.clone());
        }
        for socket in window.packet_sockets.value().into_iter().flatten() {
            self.owner(&mut socket.owner.clone());
        }
        for holder in window.tun_holders.value().into_iter().flatten() {
            self.owner(&mut holder.owner.clone());
        }
    }

    fn window(&mut self, window: &mut EvidenceWindow) {
        let EvidenceWindow {
            node,
            start_unix_ms: _,
            duration_ms: _,
            namespaces,
            links,
            drops,
            packet_sockets,
            packet_socket_reader: _,
            tun_holders,
            kernel_log,
            softnet,
            frame_copies,
            gro,
            retransmissions,
            lost: _,
        } = window;
        self.node(node);
        for namespace in namespaces {
            self.namespace(namespace);
        }
        self.each(links, Self::link);
        self.each(packet_sockets, Self::packet_socket);
        self.each(tun_holders, Self::tun_holder);
        self.each(kernel_log, Self::log_line);
        self.observed(drops, Self::drops);
        self.observed(softnet, |_, _: &mut Softnet| {});
        self.on_demand(frame_copies, Self::frame_copies);
        self.on_demand(gro, |_, _: &mut GroReceive| {});
        self.on_demand(retransmissions, |_, _: &mut Retransmissions| {});
    }

    fn observed<T>(&mut self, evidence: &mut Observed<T>, change: impl FnOnce(&mut Self, &mut T)) {
        match evidence {
            Observed::Complete { value } => change(self, value),
            Observed::Partial {
                value,
                missing,
                why: _,
            } => {
                change(self, value);
                self.text(missing);
            }
            Observed::Unavailable { reason, why: _ } => self.text(reason),
        }
    }

    fn each<T>(&mut self, evidence: &mut Observed<Vec<T>>, change: fn(&mut Self, &mut T)) {
        self.observed(evidence, |this, values| {
            values.iter_mut().for_each(|value| change(this, value));
        });
    }

    fn on_demand<T>(&mut self, evidence: &mut OnDemand<T>, change: fn(&mut Self, &mut T)) {
        match evidence {
            OnDemand::Ran {
                question,
                from_ms: _,
                until_ms: _,
                value,
            } => {
                self.text(question);
                change(self, value);
            }
            OnDemand::Idle { reason } | OnDemand::Unavailable { reason } => self.text(reason),
        }
    }

    fn node(&mut self, node: &mut NodeFacts) {
        let NodeFacts {
            name,
            kernel: _,
            architecture: _,
            os_image: _,
        } = node;
        self.name("node", name);
    }

    fn namespace(&mut self, namespace: &mut Namespace) {
        let Namespace {
            id: _,
            cookie: _,
            is_node: _,
            name,
            pid: _,
            pod,
            addresses,
            protocol_handlers,
            multicast_groups,
            counters_before: _,
            counters: _,
        } = namespace;
        if let Some(name) = name {
            self.name("netns", name);
        }
        if let Some(pod) = pod {
            self.pod(pod);
        }
        for address in addresses {
            self.address(address);
        }
        for group in multicast_groups.iter_mut().flatten() {
            *group = self.addresses.ip(*group);
        }
        for handler in protocol_handlers.iter_mut().flatten() {
            self.protocol_handler(handler);
        }
    }

    fn address(&mut self, address: &mut Address) {
        let Address {
            ifindex: _,
            address,
            prefix: _,
        } = address;
        *address = self.addresses.ip(*address);
    }

    fn protocol_handler(&mut self, handler: &mut ProtocolHandler) {
        let ProtocolHandler {
            ethertype: _,
            device,
            function: _,
        } = handler;
        if let Some(name) = device {
            *name = self.names.of_interface(name, None);
        }
    }

    fn pod(&mut self, pod: &mut Pod) {
        let Pod {
            namespace,
            name,
            uid,
        } = pod;
        self.name("namespace", namespace);
        self.name("pod", name);
        self.name("uid", uid);
    }

    fn owner(&mut self, owner: &mut Owner) {
        let Owner {
            pid: _,
            comm,
            pod,
            container,
        } = owner;
        self.name("process", comm);
        if let Some(pod) = pod {
            self.pod(pod);
        }
        if let Some(container) = container {
            self.name("container", container);
        }
    }

    fn name(&mut self, kind: &'static str, name: &mut String) {
        *name = self.names.of(kind, name);
    }

    fn link(&mut self, link: &mut Link) {
        let Link {
            netns: _,
            ifindex: _,
            name,
            kind,
            slave_kind: _,
            master: _,
            peer: _,
            address,
            mtu: _,
            tx_queue_length: _,
            gso_max_segments: _,
            requested_flags: _,
            effective_flags: _,
            promiscuity: _,
            promiscuity_before: _,
            allmulti: _,
            unicast_promiscuous: _,
            driver: _,
            firmware: _,
            tx_checksum_offload: _,
            receive_offload: _,
            segment_routing: _,
            bridge: _,
            bridge_port: _,
            bond: _,
            bond_slave: _,
            vlan: _,
            macvlan: _,
            stats_before: _,
            stats: _,
        } = link;
        *name = self.names.of_interface(name, kind.as_ref());
        if let Some(address) = address {
            self.text(address);
        }
    }

    fn packet_socket(&mut self, socket: &mut PacketSocket) {
        let PacketSocket {
            netns: _,
            owner,
            ethertype: _,
            ifindex: _,
            memberships: _,
        } = socket;
        self.owner(owner);
    }

    fn tun_holder(&mut self, holder: &mut TunHolder) {
        let TunHolder {
            device,
            netns: _,
            owner,
        } = holder;
        *device = self.names.of_interface(device, None);
        self.owner(owner);
    }

    fn log_line(&mut self, line: &mut KernelLogLine) {
        let KernelLogLine {
            at_ms: _,
            level: _,
            text,
        } = line;
        if TELLING.iter().any(|words| text.contains(words)) {
            self.text(text);
        } else {
            "(removed)".clone_into(text);
        }
    }

    fn drops(&mut self, drops: &mut Drops) {
        let Drops {
            backend: _,
            has_reasons: _,
            has_locations: _,
            counts,
            samples,
        } = drops;
        for sample in samples {
            let key = counts.get(sample.key);
            packets::anonymise(sample, key.map_or(0, |key| key.ethertype), self);
        }
    }

    fn frame_copies(&mut self, copies: &mut FrameCopies) {
        let FrameCopies {
            backend: _,
            compared: _,
            unreadable: _,
            lost: _,
            copies,
        } = copies;
        for copy in copies {
            self.frame_copy(copy);
        }
    }

    fn frame_copy(&mut self, copy: &mut FrameCopy) {
        let FrameCopy {
            netns: _,
            first: _,
            second: _,
            ethertype: _,
            source,
            destination,
            fragments: _,
            count: _,
            longest_gap_us: _,
        } = copy;
        for address in [source, destination].into_iter().flatten() {
            *address = self.addresses.ip(*address);
        }
    }

    /// Replaces the names and addresses in a text.
    fn text(&mut self, text: &mut String) {
        let separates = |character: char| {
            character.is_whitespace() || "()[]{}<>,;=\"'`/\\|".contains(character)
        };
        *text = text
            .split_inclusive(separates)
            .map(|piece| {
                let word = piece.trim_end_matches(separates);
                let core = word.trim_end_matches([':', '.', '!', '?']);
                let rest = piece.get(core.len()..).unwrap_or_default();
                match self.word(core) {
                    Some(new) => new + rest,
                    None => piece.to_owned(),
                }
            })
            .collect();
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
