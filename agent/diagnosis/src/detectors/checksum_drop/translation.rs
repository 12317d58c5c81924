//! The traces that address translation leaves in a half-made checksum.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::signature::{ENOUGH, NO_CHECKSUM, fold, pseudo_header, sum_address};
use crate::packets::ip::{IpPacket, UDP};

/// The trace of an address translation in half-made checksums between two addresses: by how much the field misses the
/// pseudo-header's sum.
pub(super) type Translation = (IpAddr, IpAddr, u16);

/// The translation of this packet, if its checksum is half-made.
///
/// Translation corrects the field as if it were a finished checksum (`inet_proto_csum_replace4` with an skb that is not
/// CHECKSUM_PARTIAL), so from then on it misses the sum by a value that the old and the new address make, the same for
/// every length and protocol.
pub(super) fn of(packet: &IpPacket<'_>) -> Option<Translation> {
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
/// If one translation is proved, two packets are enough for another one between the same addresses.
pub(super) fn proved(packets: &[IpPacket<'_>]) -> BTreeSet<Translation> {
    let mut groups: BTreeMap<Translation, Vec<&[u8]>> = BTreeMap::new();
    for packet in packets.iter().filter(|packet| !is_fixed(packet, packets)) {
        if let Some(translation) = of(packet) {
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

#[cfg(test)]
mod tests {
    use super::super::fixtures::{PSEUDO_HEADER_SUM, ipv4_packet, tcp_syn};
    use super::*;

    #[test]
    fn a_field_that_ignores_the_bytes_is_the_second_proof() {
        let packets: Vec<Vec<u8>> = (1..=4)
            .map(|timestamp| tcp_syn(0xf5bf, timestamp))
            .collect();
        let decoded: Vec<_> = packets
            .iter()
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        assert_eq!(proved(&decoded).len(), 1);
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
        let found = proved(&decoded[..3]);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|translation| translation.2 == missed));
        assert_eq!(
            proved(&decoded).len(),
            2,
            "two more packets are another translation's, one is nobody's"
        );
        assert!(proved(&decoded[3..]).is_empty());
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
        assert!(proved(&decoded).is_empty());
        assert!(has_fixed_field(&decoded));
        assert_eq!(proved(&decoded[..3]).len(), 1);
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
        assert!(proved(&decoded).is_empty());
    }

    #[test]
    fn retransmissions_and_fields_that_follow_the_bytes_prove_nothing() {
        let repeated = tcp_syn(0xf5bf, 7);
        let same: Vec<_> = (0..3)
            .map(|_| IpPacket::decode(&repeated).unwrap())
            .collect();
        assert!(proved(&same).is_empty());
        let following: Vec<Vec<u8>> = (1..=4_u16)
            .map(|step| tcp_syn(0xf5bf - step, u32::from(step)))
            .collect();
        let decoded: Vec<_> = following
            .iter()
            .map(|bytes| IpPacket::decode(bytes).unwrap())
            .collect();
        assert!(proved(&decoded).is_empty());
    }
}
