//! ICMP's answer to a packet that is too long for the way on: "fragmentation needed" (RFC 1191), "packet too big"
//! (RFC 8201).

use super::{
    bytes::{tail, u8_at, u16_at, u32_at},
    ip::{ICMP, ICMPV6, IpPacket},
};

/// Length of the ICMP header, behind which the refused packet begins.
pub(crate) const ICMP_HEADER: usize = 8;

const DESTINATION_UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const PACKET_TOO_BIG: u8 = 2;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TooBig<'a> {
    /// The MTU of the way on, bytes; 0 from routers that do not tell.
    pub mtu: u32,
    /// The refused packet, as far as it is quoted.
    pub about: IpPacket<'a>,
}

impl<'a> TooBig<'a> {
    /// The answer in this packet; `None` where it is none, or is cut before the quoted packet's addresses.
    pub(crate) fn of(packet: &IpPacket<'a>) -> Option<Self> {
        let bytes = packet.transport_bytes;
        let (kind, code) = (u8_at(bytes, 0)?, u8_at(bytes, 1)?);
        let mtu = match (packet.protocol, kind, code) {
            (ICMP, DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => u32::from(u16_at(bytes, 6)?),
            (ICMPV6, PACKET_TOO_BIG, _) => u32_at(bytes, 4)?,
            _ => return None,
        };
        let about = IpPacket::decode(tail(bytes, ICMP_HEADER))?;
        Some(Self { mtu, about })
    }
}

/// An ICMP error quotes the packet that it is about.
pub(crate) fn is_error(protocol: u8, kind: u8) -> bool {
    match protocol {
        // Unreachable, time exceeded, parameter problem.
        ICMP => [DESTINATION_UNREACHABLE, 11, 12].contains(&kind),
        // The same, and "packet too big": every type below 128 is an error (RFC 4443).
        ICMPV6 => kind < 128,
        _ => false,
    }
}
