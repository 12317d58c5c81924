use super::*;

fn ipv4(protocol: u8, total_length: u16, flags_and_offset: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend(total_length.to_be_bytes());
    bytes.extend([0x12, 0x34]);
    bytes.extend(flags_and_offset.to_be_bytes());
    bytes.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(payload);
    bytes
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(
        u16::try_from(payload.len())
            .expect("a short packet")
            .to_be_bytes(),
    );
    bytes.extend([next, 64]);
    bytes.extend("fd00::1".parse::<Ipv6Addr>().expect("an address").octets());
    bytes.extend("fd00::2".parse::<Ipv6Addr>().expect("an address").octets());
    bytes.extend(payload);
    bytes
}

fn tcp_header() -> Vec<u8> {
    let mut bytes = vec![
        0x1f, 0x90, 0xc0, 0x01, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff,
    ];
    bytes.extend([0xab, 0xcd, 0, 0]);
    bytes
}

#[test]
fn reads_ports_and_checksum_of_tcp_over_ipv4() {
    let bytes = ipv4(TCP, 40, 0x4000, &tcp_header());
    let packet = IpPacket::decode(&bytes).expect("a whole packet");
    assert_eq!(packet.source.to_string(), "10.0.0.1");
    assert_eq!(packet.final_destination.to_string(), "10.0.0.2");
    assert_eq!(packet.transport_length, Some(20));
    let expected = Transport {
        source_port: 8080,
        destination_port: 0xc001,
        checksum: 0xabcd,
        tcp_flags: 2,
    };
    assert_eq!(packet.transport(), Some(expected));
}

#[test]
fn leaves_link_layer_padding_out() {
    let mut bytes = ipv4(UDP, 28, 0, &[0, 53, 0, 53, 0, 8, 0x11, 0x22]);
    bytes.extend([0xff; 18]);
    let packet = IpPacket::decode(&bytes).expect("a whole packet");
    assert_eq!(packet.transport_bytes.len(), 8);
    assert_eq!(
        packet.transport().map(|header| header.checksum),
        Some(0x1122)
    );
}

#[test]
fn a_later_fragment_has_no_transport_header() {
    let bytes = ipv4(UDP, 1020, 0x20b9, &[0xff; 100]);
    let packet = IpPacket::decode(&bytes).expect("a packet");
    let expected = Fragment {
        id: 0x1234,
        offset: 0xb9 * 8,
        more: true,
    };
    assert_eq!(packet.fragment, Some(expected));
    assert_eq!(packet.transport(), None);
}

#[test]
fn the_pseudo_header_of_segment_routing_has_the_last_segment() {
    let mut header = vec![TCP, 4, 4, 1, 1, 0, 0, 0];
    header.extend("fd00::99".parse::<Ipv6Addr>().expect("an address").octets());
    header.extend("fd00::2".parse::<Ipv6Addr>().expect("an address").octets());
    header.extend(tcp_header());
    let bytes = ipv6(ROUTING, &header);
    let packet = IpPacket::decode(&bytes).expect("a packet");
    assert_eq!(packet.destination.to_string(), "fd00::2");
    assert_eq!(packet.final_destination.to_string(), "fd00::99");
    assert_eq!(packet.routing_type, Some(4));
    assert_eq!(packet.transport_length, Some(20));
    assert_eq!(
        packet.transport().map(|header| header.checksum),
        Some(0xabcd)
    );
}

#[test]
fn a_routing_header_without_segments_left_changes_nothing() {
    let mut header = vec![TCP, 2, 4, 0, 0, 0, 0, 0];
    header.extend("fd00::99".parse::<Ipv6Addr>().expect("an address").octets());
    header.extend(tcp_header());
    let bytes = ipv6(ROUTING, &header);
    let packet = IpPacket::decode(&bytes).expect("a packet");
    assert_eq!(packet.final_destination, packet.destination);
}

#[test]
fn follows_hop_by_hop_and_fragment_headers() {
    let mut header = vec![FRAGMENT, 0, 1, 4, 0, 0, 0, 0];
    header.extend([UDP, 0, 0, 1, 0, 0, 0, 7]);
    header.extend([0, 53, 0, 53, 0, 8, 0x11, 0x22]);
    let bytes = ipv6(HOP_BY_HOP, &header);
    let packet = IpPacket::decode(&bytes).expect("a packet");
    let expected = Fragment {
        id: 7,
        offset: 0,
        more: true,
    };
    assert_eq!(packet.fragment, Some(expected));
    assert_eq!(
        packet.transport().map(|header| header.source_port),
        Some(53)
    );
}

#[test]
fn a_super_frame_has_no_length_of_its_own() {
    let mut bytes = ipv6(TCP, &tcp_header());
    bytes[4..6].copy_from_slice(&[0, 0]);
    let packet = IpPacket::decode(&bytes).expect("a packet");
    assert_eq!(packet.transport_length, None);
    assert!(packet.transport().is_some());
}

#[test]
fn every_cut_of_a_packet_is_survived() {
    let mut header = vec![TCP, 4, 4, 1, 1, 0, 0, 0];
    header.extend([0x20; 32]);
    header.extend(tcp_header());
    let whole = ipv6(ROUTING, &header);
    for length in 0..whole.len() {
        if let Some(packet) = IpPacket::decode(&whole[..length]) {
            assert!(length >= IPV6_HEADER);
            assert_eq!(packet.transport().is_some(), length >= whole.len() - 2);
        }
    }
}

#[test]
fn refuses_what_is_not_ip() {
    assert_eq!(IpPacket::decode(&[]), None);
    assert_eq!(
        IpPacket::decode(&[0x44; 60]),
        None,
        "header shorter than 20 bytes"
    );
    assert_eq!(IpPacket::decode(&[0x00; 60]), None);
}
