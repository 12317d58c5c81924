//! The frame copies probe against the running kernel, in namespaces that the tests make and remove.

use std::{thread, time::Duration};

use netdiag_diagnosis::evidence::{FrameCopies, FrameCopy, NetnsId};

use super::FrameCopiesProbe;
use crate::{
    probes::{
        Kernel,
        description::Backend,
        drop::live_tests::lab::{self, TestNamespace},
        on_demand::OnDemandProbe as _,
    },
    sources::{HostRoot, NamespaceScope, Sources},
};

/// The number of frames that are sent of each kind.
const FRAMES: u32 = 20;

const GROUP: [u8; 4] = [239, 1, 2, 3];
const SENDER: [u8; 4] = [10, 98, 0, 9];

/// A node with interfaces e0 and e1, and a sender, each in a namespace of its own. What they are plugged into is in a
/// third, where the other ends are p0, p1 and p2.
struct Lab {
    node: TestNamespace,
    sender: TestNamespace,
    switch: TestNamespace,
}

impl Lab {
    fn new() -> Self {
        let lab = Self {
            node: TestNamespace::new(),
            sender: TestNamespace::new(),
            switch: TestNamespace::new(),
        };
        for namespace in [&lab.node, &lab.sender, &lab.switch] {
            // Else its own announcements would be compared, too.
            namespace.within(|| {
                for scope in ["all", "default"] {
                    let path = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
                    let _ = std::fs::write(path, "1");
                }
            });
        }
        for (namespace, device, port) in [
            (&lab.node, "e0", "p0"),
            (&lab.node, "e1", "p1"),
            (&lab.sender, "s", "p2"),
        ] {
            lab.switch.ip(&format!(
                "link add {port} type veth peer name {device} netns {}",
                namespace.name()
            ));
            namespace.ip(&format!("link set {device} up"));
            lab.switch.ip(&format!("link set {port} up"));
        }
        lab
    }

    /// Joins these ports.
    fn bridge(&self, name: &str, ports: &[&str]) {
        self.switch.ip(&format!("link add {name} type bridge"));
        self.switch.ip(&format!("link set {name} up"));
        for port in ports {
            self.switch.ip(&format!("link set {port} master {name}"));
        }
    }

    /// Attaches the probe, lets the sender send one kind of frame after another, and returns the evidence.
    fn watch(&self, backends: &[Backend], kinds: &[fn(u32) -> Vec<u8>]) -> FrameCopies {
        // Ports of a bridge without STP forward at once, but their link comes up in a work queue.
        thread::sleep(Duration::from_millis(300));
        let kernel = Kernel::load();
        let mut probe = FrameCopiesProbe::attach_first_of(&kernel, backends).unwrap();
        for kind in kinds {
            self.sender.send_all(c"s", (0..FRAMES).map(kind));
        }
        thread::sleep(Duration::from_millis(200)); // receive processing runs in softirqs
        probe.detach();
        let sources = Sources::new(HostRoot::new("/"), NamespaceScope::All, &kernel).unwrap();
        let reading = sources.read(&sources.discover().unwrap());
        probe.finish(&reading.namespaces, reading.links.value().unwrap())
    }

    /// Copies between the node's interfaces of these names.
    fn copies<'a>(&self, seen: &'a FrameCopies) -> Vec<&'a FrameCopy> {
        let node = NetnsId(self.node.number());
        seen.copies
            .iter()
            .filter(|copy| copy.netns == node)
            .collect()
    }
}

fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9]);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request for the address of another host each time.
fn arp(number: u32) -> Vec<u8> {
    let mut payload = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9];
    payload.extend(SENDER);
    payload.extend([0; 6]);
    payload.extend([10, 98, 1, number as u8]);
    frame(0x0806, &payload)
}

/// The middle of a datagram to a group.
fn fragment(number: u32) -> Vec<u8> {
    let mut payload = vec![0x45, 0, 0, 120];
    payload.extend((number as u16).to_be_bytes());
    payload.extend([0x20, 5, 1, 17, 0, 0]);
    payload.extend(SENDER);
    payload.extend(GROUP);
    // A bridge with br_netfilter looks at it.
    let checksum = lab::internet_checksum(&payload);
    payload[10..12].copy_from_slice(&checksum.to_be_bytes());
    payload.resize(120, 0x55);
    frame(0x0800, &payload)
}

/// The same of IPv6, with the fragment header behind the fixed one.
fn fragment_of_ipv6(number: u32) -> Vec<u8> {
    let mut payload = vec![0x60, 0, 0, 0, 0, 80, 44, 1];
    payload.extend(0xfd0b_u128.rotate_right(16).to_be_bytes());
    payload.extend(0xff05_u128.rotate_right(16).to_be_bytes());
    payload.extend([17, 0, 0, 9]);
    payload.extend(number.to_be_bytes());
    payload.resize(120, 0x55);
    frame(0x86dd, &payload)
}

/// A router's advertisement from a link-local address: routers have the same one in every VLAN.
fn link_local(_: u32) -> Vec<u8> {
    let mut payload = vec![0x60, 0, 0, 0, 0, 16, 58, 255];
    payload.extend(0xfe80_u128.rotate_right(16).to_be_bytes());
    payload.extend(0xff02_u128.rotate_right(16).to_be_bytes());
    payload.extend([134, 0, 0, 0]);
    payload.resize(56, 0);
    frame(0x86dd, &payload)
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn every_variant_counts_the_copies_of_two_interfaces_in_one_domain() {
    for backend in Backend::ALL {
        let lab = Lab::new();
        lab.bridge("sw0", &["p0", "p1", "p2"]);
        let kinds: [fn(u32) -> Vec<u8>; 4] = [arp, fragment, fragment_of_ipv6, link_local];
        let seen = lab.watch(&[backend], &kinds);

        assert_eq!(seen.backend, backend.name());
        assert_eq!((seen.unreadable, seen.lost), (0, 0), "{backend:?}");
        let mut found: Vec<_> = lab
            .copies(&seen)
            .into_iter()
            .map(|copy| {
                let mut pair = [copy.first, copy.second];
                pair.sort_unstable();
                let group = copy.destination.map(|address| address.to_string());
                (pair, copy.ethertype, group, copy.fragments, copy.count)
            })
            .collect();
        found.sort();
        let pair = [lab.node.index_of(c"e0"), lab.node.index_of(c"e1")];
        let count = u64::from(FRAMES);
        let expected = [
            (pair, 0x0800, Some("239.1.2.3".to_owned()), true, count),
            (pair, 0x0806, None, false, count),
            (pair, 0x86dd, Some("ff05::".to_owned()), true, count),
        ];
        assert_eq!(found, expected, "{backend:?} {seen:?}");
        let longest = lab
            .copies(&seen)
            .iter()
            .map(|copy| copy.longest_gap_us)
            .max();
        assert!(longest.unwrap() < 100_000, "{longest:?}");
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_frame_that_comes_twice_on_one_interface_is_no_copy() {
    let lab = Lab::new();
    lab.bridge("sw0", &["p0", "p2"]);
    lab.bridge("sw1", &["p1"]);
    let seen = lab.watch(&Backend::ALL, &[arp, arp, fragment, fragment]);
    assert!(seen.compared >= 4 * u64::from(FRAMES), "{seen:?}");
    assert_eq!(lab.copies(&seen), [] as [&FrameCopy; 0]);
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_bridge_and_its_port_are_one_interface() {
    let lab = Lab::new();
    lab.bridge("sw0", &["p0", "p2"]);
    lab.node.ip("link add br0 type bridge");
    lab.node.ip("link set br0 up");
    lab.node.ip("link set e0 master br0");
    let seen = lab.watch(&Backend::ALL, &[arp]);
    assert!(seen.compared >= u64::from(FRAMES), "{seen:?}");
    assert_eq!(lab.copies(&seen), [] as [&FrameCopy; 0]);
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_bridge_over_one_and_the_other_interface_in_its_domain_are_two() {
    let lab = Lab::new();
    lab.bridge("sw0", &["p0", "p1", "p2"]);
    lab.node.ip("link add br0 type bridge");
    lab.node.ip("link set br0 up");
    lab.node.ip("link set e0 master br0");
    let seen = lab.watch(&Backend::ALL, &[arp]);
    let copies = lab.copies(&seen);
    assert_eq!(copies.len(), 1, "{seen:?}");
    assert_eq!(copies[0].count, u64::from(FRAMES));
    let mut pair = [copies[0].first, copies[0].second];
    pair.sort_unstable();
    let mut expected = [lab.node.index_of(c"br0"), lab.node.index_of(c"e1")];
    expected.sort_unstable();
    assert_eq!(pair, expected);
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn two_macvlans_over_one_device_are_one_interface() {
    let lab = Lab::new();
    lab.bridge("sw0", &["p0", "p2"]);
    for device in ["m0", "m1"] {
        lab.node.ip(&format!(
            "link add {device} link e0 type macvlan mode bridge"
        ));
        lab.node.ip(&format!("link set {device} up"));
    }
    let seen = lab.watch(&Backend::ALL, &[arp]);
    // Both macvlans get each frame, the device below is passed over.
    assert!(seen.compared >= 2 * u64::from(FRAMES), "{seen:?}");
    assert_eq!(lab.copies(&seen), [] as [&FrameCopy; 0]);
}
