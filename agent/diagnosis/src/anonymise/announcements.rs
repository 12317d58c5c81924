//! LLDP and CDP: their texts name switches and ports.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Anonymiser;
use crate::packets::{
    bytes::{array_at, head, tail, u16_at},
    frame::Mac,
};

/// An announcement has about ten elements.
const MOST_ELEMENTS: usize = 64;
/// Version, time to live and checksum of CDP.
const CDP_HEADER: usize = 4;

/// The same LLDP announcement of another system. Elements that no detector reads are left out.
pub(super) fn lldp(bytes: &[u8], anonymiser: &mut Anonymiser) -> Vec<u8> {
    let mut new = Vec::new();
    let mut rest = bytes;
    for _ in 0..MOST_ELEMENTS {
        let Some(header) = u16_at(rest, 0) else { break };
        let (kind, length) = (header >> 9, usize::from(header & 0x1ff));
        let value = head(tail(rest, 2), length);
        // Types of IEEE 802.1AB.
        let value = match kind {
            1 => Some(identifier(value, 4, 5, "chassis", anonymiser)),
            2 => Some(identifier(value, 3, 4, "port", anonymiser)),
            0 | 3 => Some(value.to_vec()),
            4 => Some(name(value, "port", anonymiser)),
            5 => Some(name(value, "switch", anonymiser)),
            _ => None,
        };
        if let Some(value) = value {
            let length = u16::try_from(value.len()).unwrap_or(0) & 0x1ff;
            new.extend((kind << 9 | length).to_be_bytes());
            new.extend(value);
        }
        if kind == 0 {
            break;
        }
        rest = tail(rest, 2 + length);
    }
    new
}

/// The same CDP announcement of another device.
pub(super) fn cdp(bytes: &[u8], anonymiser: &mut Anonymiser) -> Vec<u8> {
    let mut new = head(bytes, CDP_HEADER).to_vec();
    let mut rest = tail(bytes, CDP_HEADER);
    for _ in 0..MOST_ELEMENTS {
        let (Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) else {
            break;
        };
        let length = usize::from(length);
        if length < 4 {
            break;
        }
        let of_kind = match kind {
            1 => Some("switch"),
            3 => Some("port"),
            6 => Some("platform"),
            _ => None,
        };
        if let Some(of_kind) = of_kind {
            let value = name(tail(head(rest, length), 4), of_kind, anonymiser);
            let length = u16::try_from(value.len() + 4).unwrap_or(4);
            new.extend(kind.to_be_bytes());
            new.extend(length.to_be_bytes());
            new.extend(value);
        }
        rest = tail(rest, length);
    }
    new
}

/// A chassis or port identifier behind its subtype, of which one is a link layer address and one an IP address.
fn identifier(
    value: &[u8],
    mac: u8,
    network: u8,
    kind: &'static str,
    anonymiser: &mut Anonymiser,
) -> Vec<u8> {
    let Some((&subtype, rest)) = value.split_first() else {
        return Vec::new();
    };
    let addresses = &mut anonymiser.addresses;
    let address = match (array_at(rest, 0), rest.split_first()) {
        (Some(address), _) if subtype == mac => Some(addresses.mac(Mac(address)).0.to_vec()),
        // Behind its IANA family number.
        (_, Some((&family @ (1 | 2), address))) if subtype == network => {
            let new = match (
                family,
                array_at::<4>(address, 0),
                array_at::<16>(address, 0),
            ) {
                (1, Some(octets), _) => addresses.v4(Ipv4Addr::from(octets)).octets().to_vec(),
                (2, _, Some(octets)) => addresses.v6(Ipv6Addr::from(octets)).octets().to_vec(),
                _ => Vec::new(),
            };
            Some([&[family][..], &new].concat())
        }
        _ => None,
    };
    let new = address.unwrap_or_else(|| name(rest, kind, anonymiser));
    [&[subtype][..], &new].concat()
}

fn name(value: &[u8], kind: &'static str, anonymiser: &mut Anonymiser) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    anonymiser.names.of(kind, &text).into_bytes()
}
