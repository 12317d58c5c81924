use std::net::{IpAddr, Ipv4Addr};

use super::anonymise;
use crate::{
    evidence::{
        Address, DropCount, Drops, EvidenceWindow, KernelLogLine, Link, Missing, Namespace,
        Observed, Owner, PacketSample, PacketSocket, Pod,
    },
    packets::{
        ip::{IpPacket, UDP},
        lldp::{Lldp, tests::announcement},
    },
};

const SOURCE: [u8; 4] = [10, 20, 30, 40];
const DESTINATION: [u8; 4] = [10, 20, 30, 41];
const SECRET: &[u8] = b"password=hunter2";

/// Sum of 16-bit words, carries folded in.
fn sum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let total: u32 = words
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    u16::try_from((total >> 16) + (total & 0xffff)).expect("few words")
}

/// A datagram in an Ethernet frame, with the checksum that `field` makes of the pseudo-header's sum and the datagram's.
fn datagram(payload: &[u8], field: fn(u16, u16) -> u16) -> PacketSample {
    let length = u16::try_from(8 + payload.len()).expect("short");
    let mut udp = [0x1f, 0x90, 0x00, 0x35].to_vec();
    udp.extend(length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    let pseudo = sum(&[&SOURCE, &DESTINATION, &[0, UDP], &length.to_be_bytes()]);
    let checksum = field(pseudo, sum(&[&pseudo.to_be_bytes(), &udp]));
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());
    let mut bytes = vec![
        0x52, 0x54, 0, 0x11, 0x22, 0x33, 0x52, 0x54, 0, 0x44, 0x55, 0x66, 8, 0,
    ];
    bytes.extend([0x45, 0]);
    bytes.extend((20 + length).to_be_bytes());
    bytes.extend([0, 1, 0, 0, 64, UDP, 0, 0]);
    bytes.extend(SOURCE);
    bytes.extend(DESTINATION);
    let header = !sum(&[&bytes[14..34]]);
    bytes[24..26].copy_from_slice(&header.to_be_bytes());
    bytes.extend(udp);
    sample(bytes)
}

fn sample(bytes: Vec<u8>) -> PacketSample {
    PacketSample {
        length: u32::try_from(bytes.len()).expect("short"),
        has_link_header: true,
        bytes,
        ..PacketSample::default()
    }
}

fn window_of(samples: Vec<PacketSample>) -> EvidenceWindow {
    EvidenceWindow {
        drops: Observed::Complete {
            value: Drops {
                counts: vec![DropCount::default()],
                samples,
                ..Drops::default()
            },
        },
        ..EvidenceWindow::default()
    }
}

fn anonymised(samples: Vec<PacketSample>) -> Vec<PacketSample> {
    let window = anonymise(&window_of(samples), 42);
    window.drops.value().expect("drops").samples.clone()
}

/// The pseudo-header's sum of a packet and that of its transport header and payload with it.
fn sums(packet: &IpPacket<'_>) -> (u16, u16) {
    let octets = |address| match address {
        IpAddr::V4(address) => Ipv4Addr::octets(&address),
        IpAddr::V6(_) => panic!("an IPv4 packet"),
    };
    let length = u16::try_from(packet.transport_length.expect("a length")).expect("short");
    let pseudo = sum(&[
        &octets(packet.source),
        &octets(packet.destination),
        &[0, packet.protocol],
        &length.to_be_bytes(),
    ]);
    (
        pseudo,
        sum(&[&pseudo.to_be_bytes(), packet.transport_bytes]),
    )
}

#[test]
fn a_true_checksum_stays_true_and_a_half_made_one_half_made() {
    let new = anonymised(vec![
        datagram(SECRET, |_, all| !all),
        datagram(SECRET, |pseudo, _| pseudo),
        datagram(SECRET, |_, _| 0x1234),
        datagram(SECRET, |_, _| 0),
    ]);
    let packets: Vec<_> = new
        .iter()
        .map(|sample| IpPacket::of_sample(sample).expect("a packet"))
        .collect();
    let field = |packet: &IpPacket<'_>| packet.transport().expect("UDP").checksum;
    assert_eq!(sums(&packets[0]).1, 0xffff, "true");
    assert_eq!(field(&packets[1]), sums(&packets[1]).0, "half made");
    assert_eq!(field(&packets[2]), 0x1234, "a fixed value");
    assert_eq!(field(&packets[3]), 0, "none");
    for (sample, packet) in new.iter().zip(&packets) {
        assert_ne!(packet.source, IpAddr::from(SOURCE));
        assert_eq!(sum(&[&sample.bytes[14..34]]), 0xffff, "the IP header's");
        let text = String::from_utf8_lossy(&sample.bytes).into_owned();
        assert!(!text.contains("pass") && !text.contains("hunter"), "{text}");
        assert_eq!(packet.transport().expect("UDP").source_port, 8080);
    }
}

#[test]
fn payloads_that_differ_still_do() {
    let new = anonymised(vec![
        datagram(b"request 1", |_, _| 7),
        datagram(b"request 2", |_, _| 7),
        datagram(b"request 1", |_, _| 7),
    ]);
    assert_ne!(new[0].bytes, new[1].bytes);
    assert_eq!(new[0].bytes, new[2].bytes);
}

#[test]
fn segments_of_a_routing_header_are_addresses_too() {
    let address = |last: u8| {
        let mut octets = [0_u8; 16];
        octets[..2].copy_from_slice(&[0xfd, 0]);
        octets[15] = last;
        octets
    };
    let mut bytes = vec![0; 12];
    bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 48, 43, 64]);
    bytes.extend(address(1));
    bytes.extend(address(2));
    // One segment is left (RFC 8754).
    bytes.extend([UDP, 4, 4, 1, 1, 0, 0, 0]);
    bytes.extend(address(3));
    bytes.extend(address(2));
    let pseudo = sum(&[&address(1), &address(3), &[0, UDP], &[0, 8]]);
    bytes.extend([0, 1, 0, 2, 0, 8]);
    bytes.extend(pseudo.to_be_bytes());
    let new = anonymised(vec![sample(bytes)]);
    let packet = IpPacket::of_sample(&new[0]).expect("a packet");
    let octets = |address: IpAddr| match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => panic!("an IPv6 packet"),
    };
    assert_ne!(octets(packet.final_destination), address(3));
    let expected = sum(&[
        &octets(packet.source),
        &octets(packet.final_destination),
        &[0, UDP],
        &[0, 8],
    ]);
    assert_eq!(packet.transport().expect("UDP").checksum, expected);
}

#[test]
fn a_switch_gets_one_new_name_in_all_its_announcements() {
    let frame = |system: &str| {
        let mut bytes = vec![
            1, 0x80, 0xc2, 0, 0, 0x0e, 0x2c, 0xdd, 0xe9, 1, 2, 3, 0x88, 0xcc,
        ];
        bytes.extend(announcement(
            [0x2c, 0xdd, 0xe9, 1, 2, 3],
            "Ethernet17",
            system,
        ));
        sample(bytes)
    };
    let new = anonymised(vec![frame("leaf-3a"), frame("leaf-4"), frame("leaf-3a")]);
    let said: Vec<_> = new
        .iter()
        .map(|sample| Lldp::decode(&sample.bytes[14..]).expect("an announcement"))
        .collect();
    assert_eq!(said[0].system.as_deref(), Some("switch-1"));
    assert_eq!(said[1].system.as_deref(), Some("switch-2"));
    assert_eq!(said[0], said[2]);
    let value = |identifier: &Option<crate::packets::lldp::Identifier>| {
        identifier
            .as_ref()
            .map(|identifier| identifier.value.clone())
    };
    assert_eq!(
        value(&said[0].chassis).as_deref(),
        Some("02:00:00:00:00:01")
    );
    assert_eq!(value(&said[0].port).as_deref(), Some("port-1"));
    assert_eq!(said[0].time_to_live, Some(120));
}

#[test]
fn other_frames_keep_their_subtype_alone() {
    let mut bytes = vec![1, 0x80, 0xc2, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0x88, 0x09, 3];
    bytes.extend(SECRET);
    let new = anonymised(vec![sample(bytes)]);
    assert_eq!(new[0].bytes[12..15], [0x88, 0x09, 3]);
    assert!(new[0].bytes[15..].iter().all(|byte| *byte == 0));
}

#[test]
fn no_name_or_address_is_left_in_any_text() {
    let pod = Pod {
        namespace: "acme-payments".to_owned(),
        name: "ledger-7f9".to_owned(),
        uid: "0b1c".to_owned(),
    };
    let owner = Owner {
        pid: 7,
        started: Some(5),
        comm: "acmed".to_owned(),
        pod: Some(pod.clone()),
        container: Some("vault".to_owned()),
    };
    let line = |text: &str| KernelLogLine {
        at_ms: 1,
        level: 6,
        text: text.to_owned(),
    };
    let mut window = EvidenceWindow::default();
    window.node.name = "db-7.acme.example".to_owned();
    window.node.kernel = "6.12.1-acme-7+".to_owned();
    window.node.architecture = "x86_64".to_owned();
    window.namespaces = vec![Namespace {
        name: Some("cni-acme".to_owned()),
        pod: Some(pod),
        addresses: vec![Address {
            ifindex: 2,
            address: IpAddr::from(SOURCE),
            prefix: 24,
        }],
        ..Namespace::default()
    }];
    window.links = Observed::without(
        vec![Link {
            name: "uplink-acme".to_owned(),
            address: Some("52:54:00:11:22:33".to_owned()),
            ..Link::default()
        }],
        [Missing::failed(
            "pod acme-payments/ledger-7f9: refused for acmed (10.20.30.40), ledgerd at 10.20.30.40:8080, af:00.1",
        )],
    );
    window.packet_sockets = Observed::Complete {
        value: vec![PacketSocket {
            owner,
            ..PacketSocket::default()
        }],
    };
    window.kernel_log = Observed::Complete {
        value: vec![
            line("device uplink-acme entered promiscuous mode"),
            line("vanished-acme: left promiscuous mode"),
            line("mounted /srv/acme"),
            line("acme-audit: hw csum failure of 10.20.30.40:8080"),
            line("entered promiscuous mode"),
            line("ixgbe 0000:af:00.1 uplink-acme: partial checksum but l4 proto=2b!"),
            line("acmenic 0000:af:00.1: partial checksum but l4 proto=2b!"),
        ],
    };
    let new = anonymise(&window, 42);
    let text = serde_json::to_string(&new).expect("JSON");
    for secret in [
        "acme",
        "ledger",
        "vault",
        "10.20.30.40",
        "52:54:00",
        "0b1c",
        "af:00",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let log = new.kernel_log.value().expect("lines");
    let texts: Vec<&str> = log.iter().map(|line| line.text.as_str()).collect();
    let expected = [
        "device nic-1 entered promiscuous mode",
        "nic-2: left promiscuous mode",
        "ixgbe 0000:00:00.0 nic-1: partial checksum but l4 proto=2b!",
        "driver 0000:00:00.0: partial checksum but l4 proto=2b!",
    ];
    assert_eq!(texts, expected);
    assert_eq!(new.node.kernel, "6.12.1");
    assert_eq!(new.node.architecture, "x86_64");
    assert_eq!(new.links()[0].name, "nic-1");
    let missing = new.links.missing().expect("something");
    assert!(
        missing.starts_with("pod namespace-1/pod-1: refused for process-1 (")
            && missing.ends_with("), (removed) at (removed), (removed)"),
        "{missing}"
    );
}
