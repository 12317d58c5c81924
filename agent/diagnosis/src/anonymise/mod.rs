//! Evidence without the names and addresses of those it was taken from, for people who want to show it to others.
//!
//! Each name and address is replaced by the same other one wherever it stands, so that what belongs together still does
//! and detectors come to the same findings. Only what is known stays: counts, times, indexes, process ids, the kernel's
//! own names, the agent's own words, and lines of the kernel log of a known shape. Everything else goes.

mod addresses;
mod announcements;
mod kept;
mod log_lines;
mod names;
mod packet_filter;
mod packets;
mod routes;
mod sums;
mod texts;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{
        Address, BondSettings, DropCount, Drops, EvidenceWindow, ExplainedRetransmissions,
        FrameCopies, FrameCopy, GroReceive, InetSocket, KernelLogLine, KernelSettings, Link,
        LinkKind, MacvlanSettings, Namespace, NamespaceSettings, NeighbourTables, NodeFacts,
        Observed, OnDemand, Owner, PacketSocket, Pod, ProtocolHandler, QueueingDiscipline,
        Retransmissions, SocketQueues, Softnet, TrackedConnections, TunHolder,
    },
    kernel::{Function, Reason},
};
use addresses::Addresses;
use names::Names;

/// Machines that the agent runs on, as `uname -m` names them.
const ARCHITECTURES: [&str; 2] = ["aarch64", "x86_64"];
/// The kernel's own names are shorter: KSYM_NAME_LEN is 128 at first, 512 today, and few come near.
const LONGEST_SYMBOL: usize = 128;

/// The same window with names and addresses replaced. The seed chooses the replacement: a reader that knows it can undo that
/// of addresses, so take a random one and forget it.
pub fn anonymise(window: &EvidenceWindow, seed: u128) -> EvidenceWindow {
    let mut anonymiser = Anonymiser {
        addresses: Addresses::new(seed),
        names: Names::default(),
        drivers: BTreeSet::new(),
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
    /// Of the window's links.
    drivers: BTreeSet<String>,
}

impl Anonymiser {
    /// Names that may stand in texts must be known before the first text is read.
    fn learn(&mut self, window: &EvidenceWindow) {
        self.names.of("node", &window.node.name);
        for link in window.links().iter().chain(&window.ended_links) {
            self.names.of_interface(&link.name, link.kind.as_ref());
            self.drivers.extend(link.driver.clone());
        }
        for namespace in &window.namespaces {
            self.namespace(&mut namespace.clone());
        }
        for socket in window.packet_sockets.value().into_iter().flatten() {
            self.owner(&mut socket.owner.clone());
        }
        for socket in window.inet_sockets.value().into_iter().flatten() {
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
            ended_links,
            drops,
            packet_sockets,
            packet_socket_reader: _,
            inet_sockets,
            tun_holders,
            kernel_log,
            softnet,
            neighbour_tables,
            settings:
                KernelSettings {
                    conntrack_max: _,
                    conntrack_buckets: _,
                    rmem_default: _,
                    rmem_max: _,
                },
            frame_copies,
            gro,
            retransmissions,
            packet_filter,
            routes,
            lost: _,
        } = window;
        self.node(node);
        for namespace in namespaces {
            self.namespace(namespace);
        }
        self.each(links, Self::link);
        for link in ended_links {
            self.link(link);
        }
        self.each(packet_sockets, Self::packet_socket);
        self.each(inet_sockets, Self::inet_socket);
        self.each(tun_holders, Self::tun_holder);
        self.observed(kernel_log, Self::log);
        self.observed(drops, Self::drops);
        self.observed(softnet, |_, _: &mut Softnet| {});
        self.observed(neighbour_tables, |_, _: &mut NeighbourTables| {});
        self.on_demand(frame_copies, Self::frame_copies);
        self.on_demand(gro, Self::gro);
        self.on_demand(retransmissions, Self::retransmissions);
        self.on_demand(packet_filter, Self::packet_filter);
        self.on_demand(routes, Self::routes);
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
            kernel,
            architecture,
            os_image,
        } = node;
        self.name("node", name);
        *kernel = without_local_version(kernel);
        // Who builds images and devices writes there what they like.
        *os_image = None;
        if !ARCHITECTURES.contains(&architecture.as_str()) {
            architecture.clear();
        }
    }

    fn namespace(&mut self, namespace: &mut Namespace) {
        let Namespace {
            id: _,
            cookie: _,
            is_node: _,
            name,
            pid: _,
            pid_started: _,
            pod,
            addresses,
            protocol_handlers,
            multicast_groups,
            counters_before,
            counters,
            connections:
                TrackedConnections {
                    before: _,
                    after: _,
                },
            settings:
                NamespaceSettings {
                    conntrack_tcp_be_liberal: _,
                    somaxconn: _,
                    tcp_max_syn_backlog: _,
                    tcp_syncookies: _,
                    tcp_abort_on_overflow: _,
                    ipv4_all: _,
                    ipv4_default: _,
                    ipv6_all: _,
                    ipv6_default: _,
                },
        } = namespace;
        for counters in [counters_before, counters] {
            *counters = plain_counters(counters);
        }
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
            function,
        } = handler;
        *function = symbol(function);
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
            started: _,
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
            slave_kind,
            master: _,
            peer: _,
            address,
            mtu: _,
            tx_queue_length: _,
            qdisc,
            disciplines,
            gso_max_segments: _,
            requested_flags: _,
            effective_flags: _,
            promiscuity: _,
            promiscuity_before: _,
            allmulti: _,
            unicast_promiscuous: _,
            driver,
            firmware,
            tx_checksum_offload: _,
            receive_offload: _,
            segment_routing: _,
            ipv4: _,
            ipv6: _,
            bridge: _,
            bridge_port: _,
            bond,
            bond_slave: _,
            vlan: _,
            macvlan,
            stats_before: _,
            stats: _,
        } = link;
        *name = self.names.of_interface(name, kind.as_ref());
        *address = address
            .as_ref()
            .and_then(|address| self.addresses.link_address(address));
        for kind in [kind, slave_kind].into_iter().flatten() {
            if let LinkKind::Other(name) = kind {
                *name = symbol(name);
            }
        }
        *firmware = None;
        if let Some(qdisc) = qdisc {
            *qdisc = symbol(qdisc);
        }
        for QueueingDiscipline {
            kind,
            handle: _,
            parent: _,
            limit: _,
            drops_before: _,
            drops: _,
        } in disciplines.iter_mut().flatten()
        {
            *kind = symbol(kind);
        }
        if let Some(driver) = driver {
            *driver = symbol(driver);
        }
        if let Some(BondSettings {
            mode,
            active_slave: _,
        }) = bond
        {
            *mode = symbol(mode);
        }
        if let Some(MacvlanSettings {
            mode,
            no_promiscuity: _,
        }) = macvlan
        {
            *mode = symbol(mode);
        }
    }

    fn packet_socket(&mut self, socket: &mut PacketSocket) {
        let PacketSocket {
            netns: _,
            owner,
            ethertype: _,
            ifindex: _,
            memberships: _,
            receive_buffer: _,
            has_ring: _,
            dropped: _,
        } = socket;
        self.owner(owner);
    }

    fn inet_socket(&mut self, socket: &mut InetSocket) {
        let InetSocket {
            netns: _,
            owner,
            protocol: _,
            is_listening: _,
            address,
            port: _,
            is_v6_only: _,
            ifindex: _,
            accept_limit: _,
            receive_buffer: _,
            before,
            after,
        } = socket;
        self.owner(owner);
        *address = self.addresses.ip(*address);
        for queues in before.iter_mut().chain([after]) {
            let SocketQueues {
                accept: _,
                syn: _,
                oldest: _,
                memory: _,
                drops: _,
            } = queues;
        }
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

    fn log(&mut self, lines: &mut Vec<KernelLogLine>) {
        let rebuilt = lines.iter().filter_map(|line| {
            let KernelLogLine { at_ms, level, text } = line;
            Some(KernelLogLine {
                at_ms: *at_ms,
                level: *level,
                text: log_lines::rebuilt(text, self)?,
            })
        });
        *lines = rebuilt.collect();
    }

    fn drops(&mut self, drops: &mut Drops) {
        let Drops {
            backend,
            has_reasons: _,
            has_locations: _,
            counts,
            samples,
        } = drops;
        *backend = symbol(backend);
        for count in &mut *counts {
            let DropCount {
                netns: _,
                ifindex: _,
                ethertype: _,
                reason,
                location,
                at_least: _,
                count: _,
                first_ms: _,
                last_ms: _,
            } = count;
            place(reason, location);
        }
        for sample in samples {
            let key = counts.get(sample.key);
            packets::anonymise(sample, key.map_or(0, |key| key.ethertype), self);
        }
    }

    fn frame_copies(&mut self, copies: &mut FrameCopies) {
        let FrameCopies {
            backend,
            compared: _,
            unreadable: _,
            lost: _,
            copies,
        } = copies;
        *backend = symbol(backend);
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

    fn gro(&mut self, gro: &mut GroReceive) {
        let GroReceive {
            backend,
            lost: _,
            unread: _,
            counts: _,
        } = gro;
        *backend = symbol(backend);
    }

    fn retransmissions(&mut self, retransmissions: &mut Retransmissions) {
        let Retransmissions {
            backend,
            segments: _,
            explained,
            lost: _,
        } = retransmissions;
        *backend = symbol(backend);
        for one in explained {
            let ExplainedRetransmissions {
                netns: _,
                ifindex: _,
                ethertype: _,
                reason,
                location,
                segments: _,
                late: _,
            } = one;
            place(reason, location);
        }
    }

    /// Keeps the agent's own words of a sentence.
    fn text(&mut self, text: &mut String) {
        *text = texts::anonymise(text, self);
    }
}

fn place(reason: &mut Reason, location: &mut Function) {
    *reason = Reason::from(symbol(reason.as_str()));
    *location = Function::from(symbol(location.named().unwrap_or_default()));
}

/// `6.12.1` of `6.12.1-acme+`: who built a kernel writes behind the version what they like.
fn without_local_version(release: &str) -> String {
    let is_version = |c: char| c.is_ascii_digit() || c == '.';
    let end = release.find(|c| !is_version(c)).unwrap_or(release.len());
    let numbers = release.get(..end).unwrap_or_default().split('.');
    let numbers = numbers.filter(|number| !number.is_empty() && number.len() <= 5);
    numbers.take(3).collect::<Vec<_>>().join(".")
}

/// A name that the kernel gives to something of its own: function, counter, driver, kind. Nothing for another text.
fn symbol(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+".contains(&byte);
    match text.len() <= LONGEST_SYMBOL && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => String::new(),
    }
}

fn plain_counters(counters: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let plain = counters.iter().filter(|(name, _)| symbol(name) == **name);
    plain.map(|(name, count)| (name.clone(), *count)).collect()
}
