//! The checksum field of a packet, and the cause of a wrong one.
//!
//! A sender that leaves the checksum to the device (CHECKSUM_PARTIAL) stores the folded sum of the pseudo-header in the
//! field and notes in the skb that the rest is still to be done (`tcp_v4_send_check`, `udp4_hwcsum`). A program that
//! copies the bytes but not that note leaves the intermediate value behind. Its shape is the proof.

use std::net::IpAddr;

use crate::packets::ip::{IpPacket, UDP};

/// The number of packets that must agree. One in 65,536 broken packets carries the pseudo-header's sum by chance.
pub(super) const ENOUGH: usize = 3;

/// The value of a UDP sender that chose to send no checksum (RFC 768). Over IPv6 a receiver refuses such a datagram
/// unless it agreed to it (RFC 6935), for example a tunnel.
pub(super) const NO_CHECKSUM: u16 = 0;

/// The content of the checksum field of one dropped packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Only the sum of the pseudo-header: the sender's half of an offloaded checksum.
    PseudoHeader,
    /// The true checksum of the bytes: whatever dropped this packet, it was not for its checksum.
    Correct,
    /// Neither, as far as the copy of the packet shows.
    Other,
}

/// Classifies one packet's checksum field. `None` for packets without one, or cut before it.
pub(super) fn classify(packet: &IpPacket<'_>) -> Option<Field> {
    if packet.fragment.is_some() {
        return None; // The sum covers the whole datagram, which is not here.
    }
    let field = packet.transport()?.checksum;
    if field == NO_CHECKSUM && packet.protocol == UDP {
        return None;
    }
    // Drivers of devices that cut super-frames themselves want the sum without the length.
    if field == fold(sum_addresses(packet)) {
        return Some(Field::PseudoHeader);
    }
    let (Some(pseudo_header), Some(length)) = (pseudo_header(packet), packet.transport_length)
    else {
        return Some(Field::Other);
    };
    let is_whole = packet.transport_bytes.len() == length;
    Some(if field == fold(pseudo_header) {
        Field::PseudoHeader
    } else if is_whole && fold(pseudo_header + sum_words(packet.transport_bytes)) == 0xffff {
        Field::Correct
    } else {
        Field::Other
    })
}

/// The field holds the sender's half of an offloaded checksum.
pub(super) fn is_half_made(packet: &IpPacket<'_>) -> bool {
    classify(packet) == Some(Field::PseudoHeader)
}

fn sum_addresses(packet: &IpPacket<'_>) -> u32 {
    sum_address(packet.source) + sum_address(packet.final_destination) + u32::from(packet.protocol)
}

/// Sum of addresses, protocol and length, not folded.
pub(super) fn pseudo_header(packet: &IpPacket<'_>) -> Option<u32> {
    let length = u32::try_from(packet.transport_length?).ok()?;
    Some(sum_addresses(packet) + (length >> 16) + (length & 0xffff))
}

/// Every packet is UDP without a checksum.
pub(super) fn sent_without(packets: &[IpPacket<'_>]) -> bool {
    let without = |packet: &IpPacket<'_>| {
        let header = packet.transport();
        packet.protocol == UDP && header.is_some_and(|header| header.checksum == NO_CHECKSUM)
    };
    !packets.is_empty() && packets.iter().all(without)
}

pub(super) fn sum_address(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => sum_words(&address.octets()),
        IpAddr::V6(address) => sum_words(&address.octets()),
    }
}

/// Sum of the 16-bit words in network order, an odd last byte padded with zero (RFC 1071). A sample is far below the
/// 128 KiB at which 32 bits could overflow.
fn sum_words(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([high, low]))
    };
    bytes.chunks(2).map(word).fold(0, u32::wrapping_add)
}

/// Folds the carries back in (RFC 1071); three times is enough for any 32-bit sum.
pub(super) fn fold(sum: u32) -> u16 {
    let folded = (0..3).fold(sum, |sum, _| (sum >> 16) + (sum & 0xffff));
    (folded & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{PSEUDO_HEADER_SUM, ipv4_packet, tcp_syn};
    use super::*;

    fn field_of(bytes: &[u8]) -> Option<Field> {
        classify(&IpPacket::decode(bytes).unwrap())
    }

    #[test]
    fn the_pseudo_header_sum_is_recognised_with_and_without_the_length() {
        let length = 40;
        assert_eq!(
            field_of(&tcp_syn(PSEUDO_HEADER_SUM, 1)),
            Some(Field::PseudoHeader)
        );
        assert_eq!(
            field_of(&tcp_syn(PSEUDO_HEADER_SUM - length, 1)),
            Some(Field::PseudoHeader)
        );
        assert_eq!(
            field_of(&tcp_syn(PSEUDO_HEADER_SUM ^ 0x0100, 1)),
            Some(Field::Other)
        );
    }

    #[test]
    fn a_true_checksum_is_recognised_when_the_whole_packet_was_copied() {
        let empty = tcp_syn(0, 5);
        let sum = u32::from(PSEUDO_HEADER_SUM) + sum_words(&empty[20..]);
        assert_eq!(field_of(&tcp_syn(!fold(sum), 5)), Some(Field::Correct));
        let cut = &tcp_syn(!fold(sum), 5)[..44];
        assert_eq!(field_of(cut), Some(Field::Other));
    }

    #[test]
    fn a_packet_cut_before_its_checksum_says_nothing() {
        assert_eq!(field_of(&tcp_syn(PSEUDO_HEADER_SUM, 1)[..36]), None);
    }

    #[test]
    fn udp_without_a_checksum_is_not_a_lost_one() {
        let datagram = ipv4_packet(UDP, &[0x1f, 0x90, 0x1f, 0x91, 0, 12, 0, 0, 1, 2, 3, 4]);
        assert_eq!(field_of(&datagram), None);
    }
}
