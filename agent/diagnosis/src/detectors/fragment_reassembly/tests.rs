//! 20 datagrams of 8,000 bytes, 6 fragments each, to a group that one of two interfaces has joined: what Linux 6.18
//! dropped and counted.

mod domain;
mod twins;

use std::net::{IpAddr, Ipv4Addr};

use super::FragmentReassembly;
use crate::{
    Window,
    detectors::Detector,
    evidence::{
        DropCount, EvidenceWindow, FrameCopies, FrameCopy, Link, Namespace, OnDemand, PacketSample,
    },
    finding::{Outcome, Severity},
    testing::{NODE, drops_of, ipv4_drops, link, only, window},
    uapi::flags::IFF_UP,
};

const MEMBER: u32 = 2;
const STRANGER: u32 = 3;

/// Offsets of the first and the last of the 6 fragments.
const FIRST: u16 = 0;
const LAST: u16 = 7_400;

fn source() -> Ipv4Addr {
    [10, 84, 0, 73].into()
}

fn group() -> Ipv4Addr {
    [239, 77, 0, 15].into()
}

/// An IPv4 header with the group as receiver, behind an Ethernet header.
fn packet(source: Ipv4Addr, id: u16, length: u16, flags_and_offset: u16) -> Vec<u8> {
    let mut bytes = vec![0; 14];
    bytes.extend([0x45, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend(flags_and_offset.to_be_bytes());
    bytes.extend([1, 17, 0, 0]);
    bytes.extend(source.octets());
    bytes.extend(group().octets());
    bytes
}

fn sample(key: usize, ifindex: u32, length: u16, bytes: Vec<u8>) -> PacketSample {
    PacketSample {
        key,
        length: u32::from(length) + 14,
        truncated: true,
        network_offset: Some(14),
        has_link_header: true,
        packet_type: 2,
        skb_iif: ifindex,
        bytes,
        ..PacketSample::default()
    }
}

/// Four samples of a key, as the probe takes them.
fn fragments(key: usize, ifindex: u32, offset: u16) -> Vec<PacketSample> {
    let (length, more) = if offset == LAST {
        (628, 0)
    } else {
        (1500, 0x2000)
    };
    let of = |id| {
        let bytes = packet(source(), id, length, more | (offset / 8));
        sample(key, ifindex, length, bytes)
    };
    (1..5).map(of).collect()
}

fn wholes(key: usize, ifindex: u32, length: u16) -> Vec<PacketSample> {
    let of = |id| sample(key, ifindex, length, packet(source(), id, length, 0));
    (1..5).map(of).collect()
}

fn nic(ifindex: u32, name: &str) -> Link {
    Link {
        mtu: 1500,
        requested_flags: IFF_UP,
        ..link(NODE, ifindex, name)
    }
}

/// Increases of the node's `Ip.Reasm` counters.
fn count(namespace: &mut Namespace, completed: u64, failed: u64) {
    for (name, value) in [
        ("Ip.ReasmReqds", 240),
        ("Ip.ReasmOKs", completed),
        ("Ip.ReasmFails", failed),
        ("Ip.ReasmTimeout", failed),
    ] {
        namespace.counters_before.insert(name.to_owned(), 1_000);
        namespace.counters.insert(name.to_owned(), 1_000 + value);
    }
}

fn duplicates(ifindex: u32, count: u64) -> DropCount {
    ipv4_drops(NODE, ifindex, "DUP_FRAG", "ip_defrag", count)
}

fn given_up(count: u64) -> DropCount {
    DropCount {
        netns: None,
        ..ipv4_drops(
            NODE,
            0,
            "FRAG_REASM_TIMEOUT",
            "inet_frag_rbtree_purge",
            count,
        )
    }
}

fn unwanted(ifindex: u32, count: u64) -> DropCount {
    ipv4_drops(NODE, ifindex, "NOT_SPECIFIED", "ip_rcv_finish_core", count)
}

fn copies_of_fragments(count: u64) -> FrameCopy {
    FrameCopy {
        netns: NODE,
        first: STRANGER,
        second: MEMBER,
        ethertype: 0x0800,
        source: Some(IpAddr::V4(source())),
        destination: Some(IpAddr::V4(group())),
        fragments: true,
        count,
        longest_gap_us: 16,
    }
}

fn watched(copies: Vec<FrameCopy>) -> OnDemand<FrameCopies> {
    OnDemand::Ran {
        question: "two interfaces are promiscuous".to_owned(),
        from_ms: 0,
        until_ms: 35_000,
        value: FrameCopies {
            backend: "tp_btf".to_owned(),
            compared: 240,
            copies,
            ..FrameCopies::default()
        },
    }
}

/// lan0, where the group is joined, and lan1, with these drops and samples; nothing was compared.
fn node(counts: Vec<DropCount>, samples: &[Vec<PacketSample>]) -> EvidenceWindow {
    let links = vec![nic(MEMBER, "lan0"), nic(STRANGER, "lan1")];
    let mut window = window(links, counts);
    drops_of(&mut window).samples = samples.concat();
    window
}

/// With connection tracking: the copies on lan1 come first, so each datagram arrives there and dies.
fn conflict() -> EvidenceWindow {
    let counts = vec![
        duplicates(MEMBER, 100),
        given_up(20),
        unwanted(STRANGER, 20),
    ];
    let samples = [
        fragments(0, MEMBER, FIRST),
        fragments(1, MEMBER, LAST),
        wholes(2, STRANGER, 8_028),
    ];
    let mut window = node(counts, &samples);
    count(&mut window.namespaces[0], 20, 20);
    window.frame_copies = watched(vec![copies_of_fragments(120)]);
    window
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    FragmentReassembly.diagnose(&Window::of(window), &Outcome::default())
}

fn severities(outcome: &Outcome) -> Vec<(&str, Severity)> {
    let findings = outcome.findings.iter();
    findings
        .map(|finding| (finding.cause.name(), finding.severity()))
        .collect()
}

#[test]
fn datagrams_that_die_on_the_wrong_interface_are_counted_and_both_interfaces_named() {
    let outcome = diagnose(&conflict());
    let finding = only(&outcome);
    assert_eq!(finding.cause.name(), "SharedBroadcastDomain");
    // All are lost, and so few that chance could lose a part of them only.
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.count, 20);
    let hurts = &finding.text.hurts;
    assert!(hurts.contains("20 of 20 datagrams (100 %)"), "{hurts}");
    assert_eq!(
        finding.text.headline,
        "lan0 and lan1 are in one broadcast domain: 20 datagrams lost from 10.84.0.73 to 239.77.0.15"
    );
    assert_eq!(outcome.claims.len(), 3);
}
