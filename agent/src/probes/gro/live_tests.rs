//! The GRO probe against the running kernel, in namespaces that the tests make and remove.

use std::{process::Command, thread, time::Duration};

use netdiag_diagnosis::evidence::{GroKind, GroReceive};

use super::GroProbe;
use crate::{
    probes::{
        Kernel,
        description::Backend,
        drop::live_tests::lab::{Lab, TestNamespace},
        on_demand::OnDemandProbe as _,
    },
    sources::{HostRoot, NamespaceScope, Sources},
};

/// The number of frames that are sent of each kind.
const FRAMES: u32 = 40;

const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6: u8 = 41;
const ROUTING: u8 = 43;

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

/// Attaches the probe, sends these frames to a device with receive offload, and returns the evidence.
fn watch(backends: &[Backend], frames: &[Vec<u8>]) -> GroReceive {
    let lab = Lab::new();
    // A veth hands frames to the receiver's GRO only from a sender that does not join them itself
    // (veth_skb_is_eligible_for_gro).
    for (namespace, device, feature) in [
        (&lab.sender, "near", ["tso", "off"]),
        (&lab.receiver, "far", ["gro", "on"]),
    ] {
        set_feature(namespace, device, feature);
    }
    thread::sleep(Duration::from_millis(300));
    let kernel = Kernel::load();
    let mut probe = GroProbe::attach_first_of(&kernel, backends).unwrap();
    for frame in frames {
        lab.send(frame, FRAMES);
    }
    thread::sleep(Duration::from_millis(200)); // receive processing runs in softirqs
    probe.detach();
    for frame in frames {
        lab.send(frame, FRAMES); // nobody looks any more
    }
    let sources = Sources::new(HostRoot::new("/"), NamespaceScope::All, &kernel).unwrap();
    let reading = sources.read(&sources.discover().unwrap());
    let far = lab.receiving_link();
    let mut seen = probe.finish(&reading.namespaces, reading.links.value().unwrap());
    // The machine's other devices have traffic of their own.
    seen.counts
        .retain(|count| (count.netns, count.ifindex) == (far.netns, far.ifindex));
    seen
}

fn set_feature(namespace: &TestNamespace, device: &str, feature: [&str; 2]) {
    namespace.within(|| {
        let status = Command::new("ethtool")
            .args(["-K", device])
            .args(feature)
            .status();
        assert!(status.unwrap().success());
    });
}

fn offered(seen: &GroReceive) -> Vec<(GroKind, u64)> {
    let counts = seen.counts.iter();
    counts.map(|count| (count.kind, count.offered)).collect()
}

/// A frame for the receiver, of a protocol whose header is given, with data behind it.
fn frame(ethertype: u16, headers: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(headers);
    frame.resize(14 + 600, 0x55);
    frame
}

fn tcp(flags: u8) -> Vec<u8> {
    let mut header = vec![0x9c, 0x40, 0x13, 0x89, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags];
    header.extend([0xff, 0xff, 0xde, 0xad, 0, 0]);
    header
}

fn ipv4(protocol: u8, behind: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0, 2, 88, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    header.extend([10, 99, 0, 1, 10, 99, 0, 2]);
    header.extend(behind);
    frame(0x0800, &header)
}

fn ipv6_header(next: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 2, 48, next, 64];
    header.extend([0xfd; 16]);
    header.extend([0xfe; 16]);
    header
}

fn ipv6(next: u8, behind: &[u8]) -> Vec<u8> {
    frame(0x86dd, &[&ipv6_header(next)[..], behind].concat())
}

/// A routing header with two segments.
fn routing(kind: u8, next: u8) -> Vec<u8> {
    let mut header = vec![next, 4, kind, 1, 1, 0, 0, 0];
    header.extend([0xfd; 32]);
    header
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn each_variant_tells_packets_by_their_headers() {
    let inline = ipv6(ROUTING, &[routing(4, TCP), tcp(ACK)].concat());
    let inside = [routing(4, IPV6), ipv6_header(TCP), tcp(ACK)].concat();
    let frames = [
        ipv4(TCP, &tcp(ACK)),
        ipv6(TCP, &tcp(ACK)),
        inline,
        ipv6(ROUTING, &inside),
    ];
    for backend in Backend::ALL {
        let seen = watch(&[backend], &frames);
        assert_eq!(seen.backend, backend.name());
        assert_eq!(
            offered(&seen),
            [
                (GroKind::PlainTcp, u64::from(2 * FRAMES)),
                (GroKind::SegmentRoutingInline, u64::from(FRAMES)),
                (GroKind::SegmentRoutingEncapsulated, u64::from(FRAMES)),
            ],
            "{seen:?}"
        );
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn what_offload_would_not_join_is_not_counted() {
    let mut short = ipv6(TCP, &tcp(ACK));
    short.truncate(14 + 40 + 20 + 12);
    let mut cut = ipv6(ROUTING, &[routing(4, TCP), tcp(ACK)].concat());
    cut[14 + 40 + 1] = 0xff; // a routing header that is longer than the packet
    let frames = [
        ipv4(TCP, &tcp(ACK | PSH)),
        ipv6(ROUTING, &[routing(4, TCP), tcp(ACK | PSH)].concat()),
        ipv6(ROUTING, &[routing(2, TCP), tcp(ACK)].concat()),
        ipv6(UDP, &[0; 8]),
        short,
        cut,
    ];
    let seen = watch(&Backend::ALL, &frames);
    assert_eq!(offered(&seen), []);
    assert_eq!(seen.unread, u64::from(FRAMES), "the one with a long header");
}
