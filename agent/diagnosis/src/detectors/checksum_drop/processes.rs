//! The processes that take frames in on one device and may send them out on another.
//!
//! They are gathered once a window: a node has as many of them as it has guests, and drops at as many places.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    Window,
    evidence::{Link, LinkId, NetnsId, Owner},
    uapi::ethertype::{ETH_P_ALL, ETH_P_IP, ETH_P_IPV6},
};

/// EtherTypes that a packet socket must receive to take part in forwarding IP.
const FORWARDED_ETHERTYPES: [u16; 3] = [ETH_P_ALL, ETH_P_IP, ETH_P_IPV6];

/// The processes with a way out, and the veths between namespaces.
pub(super) struct Processes<'a> {
    /// In the order of their process ids.
    pub(super) all: Vec<Process<'a>>,
    /// The namespaces that a veth leads to, by the namespace that it leads from.
    pub(super) behind_veths: HashMap<NetnsId, BTreeSet<NetnsId>>,
}

/// A process that may hand frames on, and where its devices are.
pub(super) struct Process<'a> {
    pub(super) owner: &'a Owner,
    /// The devices on which it holds packet sockets.
    pub(super) sockets: Vec<&'a str>,
    /// The TUN devices that it holds.
    pub(super) tuns: Vec<&'a str>,
    /// All these devices.
    pub(super) links: BTreeSet<LinkId>,
    /// Their namespaces.
    pub(super) namespaces: BTreeSet<NetnsId>,
    /// Those of the TUN devices.
    pub(super) tun_namespaces: BTreeSet<NetnsId>,
    /// The namespaces that have a link on a device's segment.
    pub(super) segments: BTreeSet<NetnsId>,
    /// As many packets at most went into the process through one of its devices and out of it through another.
    pub(super) carried: u64,
}

#[derive(Clone, Copy)]
struct Device<'a> {
    link: &'a Link,
    is_tun: bool,
}

impl<'a> Processes<'a> {
    pub(super) fn of(window: &'a Window<'_>) -> Self {
        let mut held: BTreeMap<u32, (&Owner, BTreeMap<_, Device<'_>>)> = BTreeMap::new();
        for (owner, device) in held_devices(window) {
            let (_, devices) = held
                .entry(owner.pid)
                .or_insert_with(|| (owner, BTreeMap::new()));
            devices.insert((device.link.id(), device.is_tun), device);
        }
        let mut behind_veths: HashMap<_, BTreeSet<_>> = HashMap::new();
        for link in window.links() {
            if let Some(peer) = window.topology.veth_peer(link) {
                let behind = behind_veths.entry(link.netns).or_default();
                behind.insert(peer.netns);
            }
        }
        Self {
            all: held
                .into_values()
                .map(|(owner, devices)| (owner, devices.into_values().collect::<Vec<_>>()))
                .filter(|(_, devices)| has_way_out(devices))
                .map(|(owner, devices)| Process::of(window, owner, &devices))
                .collect(),
            behind_veths,
        }
    }
}

impl<'a> Process<'a> {
    fn of(window: &Window<'_>, owner: &'a Owner, devices: &[Device<'a>]) -> Self {
        let (tuns, sockets): (Vec<Device<'a>>, Vec<Device<'a>>) =
            devices.iter().partition(|device| device.is_tun);
        let names = |devices: &[Device<'a>]| {
            let names = devices.iter().map(|device| device.link.name.as_str());
            names.collect()
        };
        let links: BTreeSet<LinkId> = devices.iter().map(|device| device.link.id()).collect();
        let links_around = devices
            .iter()
            .flat_map(|device| window.topology.segment(device.link));
        Self {
            owner,
            sockets: names(&sockets),
            tuns: names(&tuns),
            namespaces: links.iter().map(|link| link.0).collect(),
            tun_namespaces: tuns.iter().map(|device| device.link.netns).collect(),
            segments: links_around.map(|link| link.0).collect(),
            carried: carried(devices),
            links,
        }
    }

    pub(super) fn has_two_devices(&self) -> bool {
        self.sockets.len() + self.tuns.len() > 1
    }
}

/// A process with one socket hands nothing on; with one TUN device it may, back to where packets came from.
fn has_way_out(devices: &[Device<'_>]) -> bool {
    devices.len() > 1 || devices.iter().any(|device| device.is_tun)
}

fn carried(devices: &[Device<'_>]) -> u64 {
    let mut exits: Vec<&Device<'_>> = devices.iter().collect();
    exits.sort_by_key(|device| Reverse(device.written()));
    let carried = devices.iter().filter_map(|entry| {
        // Of the two that wrote most, one is another device than the entry.
        let mut most = exits.iter().take(2);
        let exit = most.find(|exit| entry.is_tun || !std::ptr::eq(**exit, entry))?;
        Some(entry.read().min(exit.written()))
    });
    carried.max().unwrap_or(0)
}

impl Device<'_> {
    /// Packets that the process can have read. A TUN device sends them, any other device receives them.
    fn read(&self) -> u64 {
        self.link.increase(|stats| match self.is_tun {
            true => stats.tx_packets,
            false => stats.rx_packets,
        })
    }

    /// Packets that the process can have written.
    fn written(&self) -> u64 {
        self.link.increase(|stats| match self.is_tun {
            true => stats.rx_packets,
            false => stats.tx_packets,
        })
    }
}

fn held_devices<'a>(window: &'a Window<'_>) -> impl Iterator<Item = (&'a Owner, Device<'a>)> {
    let sockets = window
        .packet_sockets
        .value()
        .into_iter()
        .flatten()
        .filter_map(|socket| {
            let link = window.topology.link(socket.netns, socket.ifindex)?;
            let forwards = FORWARDED_ETHERTYPES.contains(&socket.ethertype);
            let is_tun = false;
            // Sockets whose holders are unknown (pid 0) may be of one program each.
            (forwards && socket.owner.pid != 0).then_some((&socket.owner, Device { link, is_tun }))
        });
    let tuns = window
        .tun_holders
        .value()
        .into_iter()
        .flatten()
        .filter_map(|holder| {
            let link = window.topology.held_by(holder)?;
            let is_tun = true;
            Some((&holder.owner, Device { link, is_tun }))
        });
    sockets.chain(tuns)
}
