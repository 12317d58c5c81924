//! Copies of packets: addresses are replaced, payloads blanked, and checksums stay as right or as wrong as they were.
//!
//! Where a payload was, its sum stands, so that a true checksum is still one, and packets that differed still do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Anonymiser, announcements,
    sums::{adjust, fold, sum},
};
use crate::{
    evidence::PacketSample,
    packets::{
        bytes::{array_at, head, tail, u8_at, u16_at},
        frame::{Carried, Frame},
        ip::{
            AUTHENTICATION, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMP, ICMPV6, IpPacket,
            MOBILITY, MOST_EXTENSION_HEADERS, ROUTING, TCP, UDP,
        },
        too_big,
    },
    uapi::ethertype::{ETH_P_IP, ETH_P_IPV6, ETH_P_LLDP},
};

const CISCO: u32 = 0x00_000c;
const CDP: u16 = 0x2000;

/// Replaces and blanks in place. The EtherType is that of the drop, for samples without a link layer header.
pub(super) fn anonymise(sample: &mut PacketSample, ethertype: u16, anonymiser: &mut Anonymiser) {
    let old = sample.clone();
    let PacketSample {
        key: _,
        at_ms: _,
        length,
        truncated,
        network_offset: _,
        transport_offset: _,
        has_link_header: _,
        ip_summed: _,
        packet_type: _,
        skb_iif: _,
        vlan_tci: _,
        route: _,
        bytes,
    } = sample;
    let (carried, payload_at) = if old.has_link_header {
        let Some(frame) = Frame::decode(&old.bytes) else {
            bytes.clear();
            *truncated = true;
            return;
        };
        put(bytes, 0, &anonymiser.addresses.mac(frame.destination).0);
        put(bytes, 6, &anonymiser.addresses.mac(frame.source).0);
        (frame.carried, frame.payload_at)
    } else {
        (Carried::EtherType(ethertype), 0)
    };
    let payload = tail(&old.bytes, payload_at);
    let announcement = match carried {
        Carried::EtherType(ETH_P_LLDP) => Some(announcements::lldp(payload, anonymiser)),
        Carried::Snap {
            organisation: CISCO,
            protocol: CDP,
        } => Some(announcements::cdp(payload, anonymiser)),
        _ => None,
    };
    let is_ip = matches!(carried, Carried::EtherType(ETH_P_IP | ETH_P_IPV6));
    if let Some(announcement) = announcement {
        bytes.truncate(payload_at);
        bytes.extend(announcement);
        *truncated |= bytes.len() < *length as usize;
    } else if let (true, Some(packet)) = (is_ip, IpPacket::of_sample(&old)) {
        let at = old.network_offset.map_or(payload_at, usize::from);
        // An encapsulation, if anything.
        blank(bytes, payload_at, at);
        let transport = match packet.source {
            IpAddr::V4(_) => ipv4_header(bytes, at, anonymiser),
            IpAddr::V6(_) => ipv6_headers(bytes, at, anonymiser),
        };
        let end = transport + packet.transport_bytes.len();
        let header = transport_header(&packet);
        match quoted_at(&packet) {
            Some(at) => quoted(bytes, &old.bytes, (transport + at, end), anonymiser),
            None => keep_sum(bytes, transport + header, end),
        }
        // A later fragment, or padding.
        blank(bytes, end, usize::MAX);
        let new = PacketSample {
            bytes: bytes.clone(),
            ..old.clone()
        };
        if let Some(new) = IpPacket::of_sample(&new)
            && let Some((offset, checksum)) = checksum(&packet, &new)
        {
            put(bytes, transport + offset, &checksum.to_be_bytes());
        }
    } else {
        // Subtypes stand first.
        blank(bytes, payload_at + 1, usize::MAX);
    }
}

/// Offset of the packet that an ICMP error quotes in the ICMP message; `None` where it is no error.
fn quoted_at(packet: &IpPacket<'_>) -> Option<usize> {
    let kind = u8_at(packet.transport_bytes, 0)?;
    too_big::is_error(packet.protocol, kind).then_some(too_big::ICMP_HEADER)
}

/// The packet that an ICMP error quotes: its addresses are replaced, and its transport header stays without its checksum.
fn quoted(bytes: &mut [u8], old: &[u8], (at, end): (usize, usize), anonymiser: &Anonymiser) {
    let Some(packet) = IpPacket::decode(head(tail(old, at), end.saturating_sub(at))) else {
        return blank(bytes, at, end);
    };
    let transport = match packet.source {
        IpAddr::V4(_) => ipv4_header(bytes, at, anonymiser),
        IpAddr::V6(_) => ipv6_headers(bytes, at, anonymiser),
    };
    blank(bytes, transport + transport_header(&packet), end);
    match packet.protocol {
        TCP => blank(bytes, transport + 16, transport + 18),
        UDP => blank(bytes, transport + 6, transport + 8),
        _ => {}
    }
}

/// Addresses, options and header checksum; where the header ends.
fn ipv4_header(bytes: &mut [u8], at: usize, anonymiser: &Anonymiser) -> usize {
    let length = u8_at(bytes, at).map_or(0, |first| usize::from(first & 0x0f) * 4);
    let old = sum(head(tail(bytes, at), length));
    for offset in [12, 16] {
        if let Some(address) = array_at::<4>(bytes, at + offset) {
            let new = anonymiser.addresses.v4(Ipv4Addr::from(address));
            put(bytes, at + offset, &new.octets());
        }
    }
    blank(bytes, at + 20, at + length);
    let new = sum(head(tail(bytes, at), length));
    if let Some(checksum) = u16_at(bytes, at + 10) {
        put(bytes, at + 10, &adjust(checksum, old, new).to_be_bytes());
    }
    at + length
}

/// Addresses and extension headers; where they end.
fn ipv6_headers(bytes: &mut [u8], at: usize, anonymiser: &Anonymiser) -> usize {
    let replace = |bytes: &mut [u8], position: usize| {
        if let Some(address) = array_at::<16>(bytes, position) {
            let new = anonymiser.addresses.v6(Ipv6Addr::from(address));
            put(bytes, position, &new.octets());
        }
    };
    replace(bytes, at + 8);
    replace(bytes, at + 24);
    let mut next = u8_at(bytes, at + 6).unwrap_or_default();
    let mut end = at + 40;
    for _ in 0..MOST_EXTENSION_HEADERS {
        let (Some(following), Some(length)) = (u8_at(bytes, end), u8_at(bytes, end + 1)) else {
            break;
        };
        let size = match next {
            HOP_BY_HOP | DESTINATION_OPTIONS | MOBILITY | ROUTING => (usize::from(length) + 1) * 8,
            FRAGMENT => 8,
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            _ => break,
        };
        match next {
            ROUTING => {
                for position in (end + 8..end + size).step_by(16) {
                    replace(bytes, position);
                }
            }
            FRAGMENT => {}
            _ => blank(bytes, end + 2, end + size),
        }
        let later_fragment =
            next == FRAGMENT && u16_at(bytes, end + 2).is_some_and(|word| word & 0xfff8 != 0);
        next = following;
        end += size;
        if later_fragment {
            break;
        }
    }
    end
}

/// Length of the transport header that is kept.
fn transport_header(packet: &IpPacket<'_>) -> usize {
    const SCTP: u8 = 132;
    match packet.protocol {
        TCP => u8_at(packet.transport_bytes, 12).map_or(20, |byte| usize::from(byte >> 4) * 4),
        UDP => 8,
        SCTP => 12,
        ICMP | ICMPV6 => 4,
        _ => 0,
    }
}

/// The checksum field that says of the new packet what the old one's said of the old: its offset and value.
fn checksum(old: &IpPacket<'_>, new: &IpPacket<'_>) -> Option<(usize, u16)> {
    let field = old.transport()?.checksum;
    let offset = if old.protocol == TCP { 16 } else { 6 };
    let (before, after) = (addresses(old), addresses(new));
    let rest = old.transport_length.map(|length| {
        let length = u64::try_from(length).unwrap_or_default();
        u64::from(old.protocol) + (length >> 16) + (length & 0xffff)
    });
    let without_length = u64::from(old.protocol);
    // The sender's half of an offloaded checksum: the sum of the pseudo-header, with the length or without.
    for rest in rest.into_iter().chain([without_length]) {
        if field == fold(u64::from(before) + rest) {
            return Some((offset, fold(u64::from(after) + rest)));
        }
    }
    let is_whole = old.transport_length == Some(old.transport_bytes.len());
    let total = u64::from(before) + rest? + u64::from(sum(old.transport_bytes));
    // What is no sum of this packet's, or of one that is cut, may be the same in all of them: that is a proof too.
    (is_whole && field != 0 && fold(total) == 0xffff).then(|| {
        // Zero is how UDP says that there is none.
        let new = match adjust(field, before, after) {
            0 => 0xffff,
            new => new,
        };
        (offset, new)
    })
}

fn addresses(packet: &IpPacket<'_>) -> u16 {
    let of = |address| match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };
    fold(u64::from(of(packet.source)) + u64::from(of(packet.final_destination)))
}

/// Blanks everything except the sum, which stands in the first word.
fn keep_sum(bytes: &mut [u8], from: usize, to: usize) {
    let to = to.min(bytes.len());
    let Some(payload) = bytes.get(from..to).filter(|payload| payload.len() >= 2) else {
        return blank(bytes, from, to);
    };
    let sum = sum(payload);
    blank(bytes, from, to);
    put(bytes, from, &sum.to_be_bytes());
}

fn blank(bytes: &mut [u8], from: usize, to: usize) {
    let to = to.min(bytes.len());
    if let Some(range) = bytes.get_mut(from..to) {
        range.fill(0);
    }
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(new.len())) {
        place.copy_from_slice(new);
    }
}
