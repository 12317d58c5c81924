//! Packets for the tests of this detector.

/// Pseudo-header sum of a [`tcp_syn`]: 10.5.0.1, 10.5.0.2, TCP, 40 bytes.
pub(super) const PSEUDO_HEADER_SUM: u16 = 0x0a05 + 0x0001 + 0x0a05 + 0x0002 + 6 + 40;

/// An IPv4 packet from 10.5.0.1 to 10.5.0.2.
pub(super) fn ipv4_packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((20 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 5, 0, 1, 10, 5, 0, 2]);
    bytes.extend(payload);
    bytes
}

/// A TCP SYN with a timestamp option: 40 bytes behind the IP header, of which the timestamp changes from one
/// retransmission to the next.
pub(super) fn tcp_syn(checksum: u16, timestamp: u32) -> Vec<u8> {
    let mut segment = vec![
        0x9c, 0x40, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0xa0, 2, 0xfa, 0xf0,
    ];
    segment.extend(checksum.to_be_bytes());
    segment.extend([0, 0, 8, 10]);
    segment.extend(timestamp.to_be_bytes());
    segment.extend([0; 14]);
    ipv4_packet(6, &segment)
}
