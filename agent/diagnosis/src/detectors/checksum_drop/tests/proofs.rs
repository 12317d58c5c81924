//! Proofs by the checksum fields of dropped packets.

use super::*;

#[test]
fn the_fewer_packets_match_the_less_sure_is_a_lost_checksum() {
    let broken = [tcp_syn(0x5a5a, 7)];
    for (half_made, broken, confidence, severity) in [
        (
            half_made(3),
            &broken[..0],
            Confidence::Certain,
            Severity::Critical,
        ),
        (
            half_made(2),
            &broken[..],
            Confidence::Likely,
            Severity::Critical,
        ),
        // One packet proves no dead flow.
        (
            half_made(1),
            &broken[..0],
            Confidence::Possible,
            Severity::Info,
        ),
    ] {
        let packets = [&half_made, broken].concat();
        let outcome = diagnose(&window("TCP_CSUM", "tcp_v4_rcv", &packets, 2));
        let finding = &outcome.findings[0];
        assert_eq!(
            (finding.cause.name(), finding.confidence),
            ("PartialChecksumLost", confidence)
        );
        assert_eq!(finding.severity(), severity);
    }
}

#[test]
fn a_wrong_header_checksum_is_no_question_of_offload() {
    let outcome = diagnose(&window("IP_CSUM", "ip_rcv_core", &half_made(4), 0));
    let finding = &outcome.findings[0];
    assert_eq!(
        (finding.cause.name(), finding.confidence),
        ("Corruption", Confidence::Likely)
    );
    assert!(finding.text.what.contains("checksum of the IP header"));
    let mut proofs = finding.evidence.iter();
    assert!(proofs.all(|proof| !proof.name.contains("pseudo-header")));
}

#[test]
fn one_matching_packet_among_broken_ones_proves_nothing() {
    let packets = [half_made(1), vec![tcp_syn(0x5a5a, 7)]].concat();
    let outcome = diagnose(&window("TCP_CSUM", "tcp_v4_rcv", &packets, 2));
    let finding = &outcome.findings[0];
    assert_eq!(finding.cause.name(), "Corruption");
    assert!(!finding.text.what.contains("The field holds no checksum"));
}

#[test]
fn broken_bytes_beside_lost_checksums_are_told_apart() {
    let broken: Vec<Vec<u8>> = (1..=6)
        .map(|step| tcp_syn(0x5a5a ^ step, u32::from(step)))
        .collect();
    let packets = [half_made(2), broken].concat();
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &packets, 2);
    drops_of(&mut window).counts[0].count = 900;
    let outcome = diagnose(&window);
    let found: Vec<(&str, u64)> = outcome
        .findings
        .iter()
        .map(|finding| (finding.cause.name(), finding.count))
        .collect();
    assert_eq!(found, [("PartialChecksumLost", 2), ("Corruption", 898)]);
    assert!(
        outcome.findings[0]
            .text
            .headline
            .starts_with("at least 2 TCP")
    );
    assert_eq!(outcome.claims.len(), 1);
}

fn datagrams(count: u8, checksum: u16) -> Vec<Vec<u8>> {
    let datagram = |number: u8| {
        let mut payload = vec![0x1f, 0x90, 0x1f, 0x91, 0, 20];
        payload.extend(checksum.to_be_bytes());
        payload.extend([number; 12]);
        ipv4_packet(17, &payload)
    };
    (1..=count).map(datagram).collect()
}

#[test]
fn datagrams_without_a_checksum_lost_none() {
    for (reason, location) in [
        ("NETFILTER_DROP", "nft_do_chain"),
        ("UDP_CSUM", "__udp6_lib_rcv"),
    ] {
        let outcome = diagnose(&window(reason, location, &datagrams(4, 0), 0));
        assert!(outcome.findings.is_empty(), "{reason}");
    }
}

#[test]
fn a_constant_field_proves_nothing_about_what_a_filter_drops() {
    let outcome = diagnose(&window(
        "NETFILTER_DROP",
        "nft_do_chain",
        &datagrams(4, 0xdead),
        0,
    ));
    assert!(outcome.findings.is_empty());
}

#[test]
fn a_fixed_wrong_value_is_not_a_lost_checksum() {
    let mut packets = datagrams(4, 0xdead);
    packets[3] = {
        let mut payload = vec![0x1f, 0x90, 0x1f, 0x91, 0, 24, 0xde, 0xad];
        payload.extend([7; 16]);
        ipv4_packet(17, &payload)
    };
    let outcome = diagnose(&window("UDP_CSUM", "udp_recvmsg", &packets, 0));
    assert_eq!(outcome.findings[0].cause.name(), "Corruption");
    assert!(outcome.findings[0].text.what.contains("fixed value"));
}

#[test]
fn translated_addresses_leave_the_second_proof() {
    let translated: Vec<Vec<u8>> = (1..=4)
        .map(|timestamp| tcp_syn(0xf5bf, timestamp))
        .collect();
    let outcome = diagnose(&window("TCP_CSUM", "tcp_v4_rcv", &translated, 2));
    assert_eq!(outcome.findings.len(), 1);
    let finding = &outcome.findings[0];
    assert_eq!(
        (finding.cause.name(), finding.confidence),
        ("PartialChecksumLost", Confidence::Likely)
    );
}

#[test]
fn an_address_of_the_node_behind_a_translation_is_no_sender() {
    let translated: Vec<Vec<u8>> = (1..=4)
        .map(|timestamp| tcp_syn(0xf5bf, timestamp))
        .collect();
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &translated, 2);
    let address = window.namespaces[1].addresses.remove(0);
    window.namespaces[0].addresses = vec![Address {
        ifindex: 10,
        ..address
    }];
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    assert!(finding.text.headline.contains("from 10.5.0.1 to"));
    let mut commands = finding
        .remedies
        .iter()
        .filter_map(|remedy| remedy.command.as_ref());
    assert_eq!(commands.next(), None);
}

#[test]
fn what_is_longer_than_the_senders_mtu_was_to_be_cut() {
    let long = |number: u8| {
        let length = 1_600;
        let sum = PSEUDO_HEADER_SUM - 40 + length;
        let mut segment = vec![
            0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, number, 0, 0, 0, 0, 0x50, 0x10, 1, 1,
        ];
        segment.extend(sum.to_be_bytes());
        segment.resize(usize::from(length), 0);
        ipv4_packet(6, &segment)
    };
    let packets: Vec<Vec<u8>> = (1..=4).map(long).collect();
    let mut window = window("TCP_CSUM", "tcp_v4_do_rcv", &packets, 2);
    for link in links_of(&mut window) {
        link.mtu = 1_500;
    }
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    assert_eq!(finding.cause.name(), "PartialChecksumLost");
    assert!(finding.text.hurts.contains("bulk data crawls"));

    let both = [packets, half_made(1)].concat();
    drops_of(&mut window).samples.push(PacketSample {
        network_offset: Some(0),
        bytes: both[4].clone(),
        ..PacketSample::default()
    });
    let outcome = diagnose(&window);
    let hurts = &outcome.findings[0].text.hurts;
    assert!(!hurts.contains("crawls"), "{hurts}");
}
