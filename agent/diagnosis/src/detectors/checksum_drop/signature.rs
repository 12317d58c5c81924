//! What a packet's checksum field says about how it came to be wrong.
//!
//! A sender that leaves the checksum to the device (CHECKSUM_PARTIAL) stores the folded sum of the pseudo-header in the
//! field and notes in the skb that the rest is still to be done (`tcp_v4_send_check`, `udp4_hwcsum`). A program that
//! copies the bytes but not that note leaves the intermediate value behind. Its shape is the proof.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::packets::ip::{IpPacket, UDP};

/// How many packets must agree. One in 65,536 broken packets carries the pseudo-header's sum by chance.
pub(super) const ENOUGH: usize = 3;

/// What a UDP sender stores that chose to send no checksum (RFC 768). Over IPv6 a receiver refuses such a datagram
/// unless it agreed to it (RFC 6935), for example a tunnel.
const NO_CHECKSUM: u16 = 0;

/// What the checksum field of one dropped packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The sum of the pseudo-header alone: the sender's half of an offloaded checksum.
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

fn sum_addresses(packet: &IpPacket<'_>) -> u32 {
    sum_address(packet.source) + sum_address(packet.final_destination) + u32::from(packet.protocol)
}

/// Sum of addresses, protocol and length, not folded.
fn pseudo_header(packet: &IpPacket<'_>) -> Option<u32> {
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

/// What an address translation made of half-made checksums between two addresses: by how much the field misses the
/// pseudo-header's sum.
pub(super) type Translation = (IpAddr, IpAddr, u16);

/// How this packet was translated, if its checksum is half-made.
///
/// Translation corrects the field as if it were a finished checksum (`inet_proto_csum_replace4` with an skb that is not
/// CHECKSUM_PARTIAL), so from then on it misses the sum by a value that the old and the new address make, the same for
/// every length and protocol.
pub(super) fn translation(packet: &IpPacket<'_>) -> Option<Translation> {
    let field = packet.transport()?.checksum;
    if packet.fragment.is_some() || (field == NO_CHECKSUM && packet.protocol == UDP) {
        return None;
    }
    let sum = fold(pseudo_header(packet)?);
    // Subtraction in one's complement, in which 0xffff is 0.
    let missed = fold(u32::from(field) + u32::from(!sum)) % 0xffff;
    Some((packet.source, packet.final_destination, missed))
}

/// The second proof, for packets whose addresses were translated after the checksum was lost (the pseudo-header is then
/// no longer the one that was summed): packets between two addresses whose bytes differ while their fields all miss the
/// sum by one value. A true checksum follows the bytes.
///
/// Equal datagrams of which a faulty hop breaks a byte here and a byte there also share their field, so the bytes must
/// differ as counters and timestamps do: one place that holds another value in each of three packets. And a field that
/// stays the same when length or addresses change is no sum of theirs: a sender that writes a fixed value, not a loss.
/// Where one translation is proved, two packets are enough for another one between the same addresses.
pub(super) fn translations(packets: &[IpPacket<'_>]) -> BTreeSet<Translation> {
    let mut groups: BTreeMap<Translation, Vec<&[u8]>> = BTreeMap::new();
    for packet in packets.iter().filter(|packet| !is_fixed(packet, packets)) {
        if let Some(translation) = translation(packet) {
            let group = groups.entry(translation).or_default();
            group.push(packet.transport_bytes);
        }
    }
    for bytes in groups.values_mut() {
        // Retransmissions repeat their bytes and prove nothing.
        bytes.sort_unstable();
        bytes.dedup();
    }
    let ends = |translation: &Translation| (translation.0, translation.1);
    let proved: BTreeSet<(IpAddr, IpAddr)> = groups
        .iter()
        .filter(|(_, bytes)| varies_in_one_place(bytes))
        .map(|(translation, _)| ends(translation))
        .collect();
    groups.retain(|translation, bytes| {
        varies_in_one_place(bytes) || (bytes.len() > 1 && proved.contains(&ends(translation)))
    });
    groups.into_keys().collect()
}

/// Some packet's field does not follow what its pseudo-header is made of.
pub(super) fn has_fixed_field(packets: &[IpPacket<'_>]) -> bool {
    packets.iter().any(|packet| is_fixed(packet, packets))
}

/// Another packet of the same protocol holds the same field under another pseudo-header. Ports are left out: they are
/// in none.
fn is_fixed(packet: &IpPacket<'_>, packets: &[IpPacket<'_>]) -> bool {
    let field = |packet: &IpPacket<'_>| packet.transport().map(|header| header.checksum);
    let sum = |packet: &IpPacket<'_>| {
        let length = u16::try_from(packet.transport_length?).ok()?;
        let addresses = sum_address(packet.source) + sum_address(packet.final_destination);
        Some(fold(addresses + u32::from(length)))
    };
    let (Some(own_field), Some(own_sum)) = (field(packet), sum(packet)) else {
        return false;
    };
    packets.iter().any(|other| {
        other.protocol == packet.protocol
            && field(other) == Some(own_field)
            && sum(other).is_some_and(|sum| sum != own_sum)
    })
}

fn varies_in_one_place(packets: &[&[u8]]) -> bool {
    let length = packets.iter().map(|bytes| bytes.len()).min().unwrap_or(0);
    (0..length).any(|at| {
        let mut values: Vec<u8> = packets
            .iter()
            .filter_map(|bytes| bytes.get(at).copied())
            .collect();
        values.sort_unstable();
        values.dedup();
        values.len() >= ENOUGH
    })
}

fn sum_address(address: IpAddr) -> u32 {
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
fn fold(sum: u32) -> u16 {
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

    #[test]
    fn a_field_that_ignores_the_bytes_is_the_second_proof() {
        let packets: Vec<Vec<u8>> = (1..=4)
            .map(|timestamp| tcp_syn(0xf5bf, timestamp))
            .collect();
        let decoded: Vec<_> = packets
            .iter()
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        assert_eq!(translations(&decoded).len(), 1);
    }

    #[test]
    fn what_a_translation_makes_of_the_sum_is_the_same_for_every_length() {
        // 10.5.0.2 stands where 10.96.0.10 was: the sum misses twice the difference.
        let missed = 2 * (0x0a60 + 0x000a - 0x0a05 - 0x0002);
        let packets: Vec<Vec<u8>> = (1..=3_u8)
            .map(|number| {
                let length = 20 + 10 * u16::from(number);
                let mut payload = vec![0x1f, 0x90, 0x1f, 0x91, 0, length as u8];
                let sum = PSEUDO_HEADER_SUM - 6 - 40 + u16::from(UDP) + length;
                payload.extend((sum + missed).to_be_bytes());
                payload.resize(usize::from(length), number);
                ipv4_packet(UDP, &payload)
            })
            .collect();
        let connections = [(0xf5bf, 1), (0xf5bf, 2), (0x1234, 3)]
            .map(|(checksum, timestamp)| tcp_syn(checksum, timestamp));
        let decoded: Vec<_> = packets
            .iter()
            .chain(&connections)
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        let found = translations(&decoded[..3]);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|translation| translation.2 == missed));
        assert_eq!(
            translations(&decoded).len(),
            2,
            "two more packets are another translation's, one is nobody's"
        );
        assert!(translations(&decoded[3..]).is_empty());
    }

    #[test]
    fn a_field_that_ignores_the_length_too_is_a_fixed_value() {
        let packets: Vec<Vec<u8>> = (1..=4_u8)
            .map(|number| {
                let mut payload = vec![0x1f, 0x90, 0x1f, 0x91, 0, 48, 0xde, 0xad, number];
                payload.resize(40 + 2 * usize::from(number / 4), 0x41);
                ipv4_packet(UDP, &payload)
            })
            .collect();
        let decoded: Vec<_> = packets
            .iter()
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        assert!(translations(&decoded).is_empty());
        assert!(has_fixed_field(&decoded));
        assert_eq!(translations(&decoded[..3]).len(), 1);
        assert!(!has_fixed_field(&decoded[..3]));
    }

    #[test]
    fn equal_datagrams_broken_here_and_there_are_not_the_second_proof() {
        let packets: Vec<Vec<u8>> = (0..4)
            .map(|broken| {
                let mut payload = vec![0x1f, 0x90, 0x1f, 0x91, 0, 48, 0xbe, 0xef];
                payload.extend([0x41; 40]);
                payload[10 + 7 * broken] ^= 0x10;
                ipv4_packet(UDP, &payload)
            })
            .collect();
        let decoded: Vec<_> = packets
            .iter()
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        assert!(translations(&decoded).is_empty());
    }

    #[test]
    fn retransmissions_and_fields_that_follow_the_bytes_prove_nothing() {
        let repeated = tcp_syn(0xf5bf, 7);
        let same: Vec<_> = (0..3)
            .map(|_| IpPacket::decode(&repeated).unwrap())
            .collect();
        assert!(translations(&same).is_empty());
        let following: Vec<Vec<u8>> = (1..=4_u16)
            .map(|step| tcp_syn(0xf5bf - step, u32::from(step)))
            .collect();
        let decoded: Vec<_> = following
            .iter()
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        assert!(translations(&decoded).is_empty());
    }
}
