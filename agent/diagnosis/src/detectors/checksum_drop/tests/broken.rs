//! Broken packets: how much of the traffic they are, the way they came, and frames with a flipped EtherType.

use super::*;
use crate::{detectors::unhandled_protocol::UnhandledProtocol, finding::Finding};

/// Segments of different sequences with wrong checksums, so that no flow is proved dead.
fn segments(count: u8) -> Vec<Vec<u8>> {
    let segment = |number: u8| {
        let mut bytes = tcp_syn(0x5a5a ^ u16::from(number), u32::from(number));
        bytes[27] = number;
        bytes
    };
    (1..=count).map(segment).collect()
}

fn broken(count: u64) -> EvidenceWindow {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &segments(4), 2);
    drops_of(&mut window).counts[0].count = count;
    window
}

fn corruption(outcome: &Outcome) -> &Finding {
    let mut found = outcome.findings.iter();
    found
        .find(|finding| finding.cause.name() == "Corruption")
        .expect("Corruption")
}

#[test]
fn broken_bytes_are_corruption_by_their_share() {
    for (lost, received, severity) in [
        (4, 4, Severity::Warning),
        (4, 100_000, Severity::Info),
        (100, 20_000, Severity::Warning),
        (100, 2_000, Severity::Critical),
    ] {
        let mut window = broken(lost);
        let server = &mut window.namespaces[2];
        server.counters.insert("Tcp.InSegs".to_owned(), received);
        let outcome = diagnose(&window);
        let finding = corruption(&outcome);
        assert_eq!(finding.confidence, Confidence::Likely);
        assert_eq!(finding.severity(), severity, "{lost} of {received}");
        // Tcp.InSegs counts them too.
        assert_eq!(finding.assessment.carried, Some(received - lost));
    }
    let unread = diagnose(&broken(1_000));
    assert_eq!(
        corruption(&unread).assessment.carried,
        Some(0),
        "b0 received"
    );
}

/// Datagrams are no part of Tcp.InSegs, dropped or not.
#[test]
fn each_protocol_is_judged_by_its_own_count() {
    let mut window = broken(10);
    let payload = [0x1f, 0x90, 0x1f, 0x91, 0, 9, 0xde, 0xad, 7];
    let drops = drops_of(&mut window);
    drops
        .counts
        .push(ipv4_drops(RECEIVER, 2, "UDP_CSUM", "__udp4_lib_rcv", 200));
    let datagram = |bytes| PacketSample {
        key: 1,
        network_offset: Some(0),
        bytes,
        ..PacketSample::default()
    };
    drops.samples.push(datagram(ipv4_packet(17, &payload)));
    drops.samples.extend(vec![datagram(Vec::new()); 3]);
    let server = &mut window.namespaces[2];
    server.counters.insert("Tcp.InSegs".to_owned(), 110);
    server.counters.insert("Udp.InDatagrams".to_owned(), 50);
    let outcome = diagnose(&window);
    let assessment = &corruption(&outcome).assessment;
    assert_eq!(
        (assessment.packets, assessment.carried),
        (Some(210), Some(150))
    );
}

#[test]
fn a_header_checksum_is_judged_by_what_the_device_received() {
    let mut window = window("IP_CSUM", "ip_rcv_core", &segments(4), 0);
    links_of(&mut window)[3].stats.rx_packets = 50_004;
    let outcome = diagnose(&window);
    assert_eq!(corruption(&outcome).assessment.carried, Some(50_000));
    assert_eq!(corruption(&outcome).severity(), Severity::Info);
}

#[test]
fn what_never_crossed_a_wire_is_a_programs() {
    let outcome = diagnose(&broken(4));
    let finding = corruption(&outcome);
    let what = &finding.text.what;
    assert!(what.contains("a program on this node"), "{what}");
    let remedies = finding.remedies.iter();
    let texts: String = remedies.map(|remedy| remedy.text.as_str()).collect();
    let cable = |text: &str| text.contains("cable") || text.contains("port");
    assert!(!cable(what) && !cable(&texts), "{what} {texts}");

    // A flipped bit of an address makes it no packet from elsewhere.
    let mut window = broken(4);
    drops_of(&mut window).samples[0].bytes[14] ^= 0x10;
    let outcome = diagnose(&window);
    let what = &corruption(&outcome).text.what;
    assert!(what.contains("a program on this node"), "{what}");

    // The sender is none of this node's: the pod's device may hand on what a NIC got.
    let mut window = broken(4);
    window.namespaces[1].addresses.clear();
    let outcome = diagnose(&window);
    let what = &corruption(&outcome).text.what;
    assert!(what.contains("a faulty cable"), "{what}");

    // A NIC, though an address of this node sent it: out of one port and in by another.
    let mut window = broken(4);
    links_of(&mut window)[3].kind = None;
    let outcome = diagnose(&window);
    let finding = corruption(&outcome);
    assert!(finding.text.what.contains("a faulty cable"));
    let look = finding.remedies[0].command.as_deref();
    assert!(look.is_some_and(|command| command.ends_with("ethtool -S b0")));
}

#[test]
fn what_comes_from_a_tun_or_tap_device_was_written_to_it() {
    let mut window = broken(4);
    window.namespaces[1].addresses.clear();
    links_of(&mut window)[3].kind = Some(LinkKind::Tun);
    let outcome = diagnose(&window);
    let what = &corruption(&outcome).text.what;
    assert!(what.contains("writes to b0"), "{what}");
}

/// Frames of this EtherType that nobody received on the server's b0, with this first byte behind it.
fn unreceived(window: &mut EvidenceWindow, ethertype: u16, first: u8) {
    let drops = drops_of(window);
    drops.counts.push(DropCount {
        ethertype,
        ..ipv4_drops(
            RECEIVER,
            2,
            "UNHANDLED_PROTO",
            "__netif_receive_skb_core",
            3,
        )
    });
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend([first, 0, 0, 40]);
    drops.samples.push(PacketSample {
        key: drops.counts.len() - 1,
        has_link_header: true,
        network_offset: Some(14),
        bytes,
        ..PacketSample::default()
    });
}

#[test]
fn a_flipped_ethertype_belongs_to_the_corruption_beside_it() {
    let claimed = |ethertype, first| {
        let mut window = broken(4);
        unreceived(&mut window, ethertype, first);
        let outcome = diagnose(&window);
        let is_claimed = outcome.claims.has(1);
        assert_eq!(corruption(&outcome).count, if is_claimed { 7 } else { 4 });
        let left = UnhandledProtocol.diagnose(&Window::of(&window), &outcome);
        assert_eq!(left.findings.is_empty(), is_claimed, "{ethertype:#x}");
        is_claimed
    };
    assert!(claimed(0x0a00, 0x45), "IPv4");
    assert!(claimed(0x86fd, 0x60), "IPv6");
    assert!(!claimed(0x0a00, 0x00), "no header of IP behind it");
    assert!(!claimed(0x0b00, 0x45), "two bits");
    assert!(!claimed(0x0842, 0x45), "Wake-on-LAN has a name");

    // Without broken bytes on that device it is a protocol of its own.
    let mut healthy = broken(4);
    unreceived(&mut healthy, 0x0a00, 0x45);
    drops_of(&mut healthy).counts[0].count = 0;
    drops_of(&mut healthy).counts[1].ifindex = 11;
    assert!(!diagnose(&healthy).claims.has(1));
}

/// A rule that drops another flow's SYNs again and again, beside packets whose checksum was not filled in.
#[test]
fn a_flow_that_dies_of_a_rule_is_no_outage_of_the_lost_checksum() {
    let mut packets = segments(4);
    let half_made: Vec<Vec<u8>> = (1..=3_u8)
        .map(|number| {
            let mut bytes = tcp_syn(PSEUDO_HEADER_SUM, u32::from(number));
            bytes[27] = number;
            bytes
        })
        .collect();
    for other in &mut packets {
        other[27] = 99;
    }
    packets.extend(half_made);
    let outcome = diagnose(&window("NETFILTER_DROP", "nft_do_chain", &packets, 0));
    let finding = &outcome.findings[0];
    assert_eq!(finding.cause.name(), "PartialChecksumLost");
    assert_eq!(finding.assessment.harm, Harm::Loss);
    assert_eq!(finding.count, 3);
    // No socket counts what a rule drops; the device did.
    assert_eq!(finding.assessment.carried, Some(0));
}
