//! IPv4 and IPv6 with their extension headers, and the TCP or UDP header behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{array_at, head, tail, u8_at, u16_at, u32_at};
use crate::evidence::PacketSample;

/// Protocol number of ICMP.
pub(crate) const ICMP: u8 = 1;
/// Protocol number of ICMPv6.
pub(crate) const ICMPV6: u8 = 58;
/// Protocol number of TCP.
pub(crate) const TCP: u8 = 6;
/// Protocol number of UDP.
pub(crate) const UDP: u8 = 17;

/// Routing type of the segment routing header (RFC 8754).
pub(crate) const SEGMENT_ROUTING: u8 = 4;

pub(crate) const HOP_BY_HOP: u8 = 0;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const AUTHENTICATION: u8 = 51;
pub(crate) const DESTINATION_OPTIONS: u8 = 60;
pub(crate) const MOBILITY: u8 = 135;

/// A packet has a handful of extension headers; more is an attack on a program that walks them.
pub(crate) const MOST_EXTENSION_HEADERS: usize = 8;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// One IP packet, as far as its sample reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IpPacket<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address of the IP header: with a routing header only the next stop.
    pub destination: IpAddr,
    /// The address at which the packet ends, as the transport's pseudo-header has it: the last segment of a routing
    /// header with segments left, else `destination`.
    pub final_destination: IpAddr,
    /// Transport protocol (the header behind the last extension header).
    pub protocol: u8,
    /// The routing header's type, when there is one (4 is segment routing).
    pub routing_type: Option<u8>,
    /// The identification that an IPv4 datagram shares with its fragments; an IPv6 datagram has none.
    pub identification: Option<u16>,
    /// Set when this is a fragment of a datagram.
    pub fragment: Option<Fragment>,
    /// No router may cut it: the flag DF of IPv4, and every packet of IPv6.
    pub must_stay_whole: bool,
    /// Length of transport header and payload by the IP header's length field, in bytes. `None` when that field is 0
    /// (super-frames and jumbograms) or contradicts the headers.
    pub transport_length: Option<usize>,
    /// Transport header and payload, as far as the sample reaches; empty in any but the first fragment.
    pub transport_bytes: &'a [u8],
    /// TTL of IPv4, hop limit of IPv6.
    pub hop_limit: u8,
}

/// Which part of a datagram a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Identification that all fragments of a datagram share.
    pub id: u32,
    /// Offset of its first byte in the datagram, bytes.
    pub offset: u32,
    /// Others follow.
    pub more: bool,
}

/// The fields of a TCP or UDP header that detectors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transport {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// The checksum field as sent.
    pub checksum: u16,
    /// TCP flags (FIN 1, SYN 2, RST 4, PSH 8, ACK 16); 0 for UDP.
    pub tcp_flags: u8,
}

/// The part of a TCP segment that tells it from others of its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The sequence number of its first byte.
    pub sequence: u32,
    /// It opens a connection.
    pub is_syn: bool,
    /// It carries data.
    pub has_payload: bool,
    /// Bytes of data; `None` for a super-frame whose IP header has no length.
    pub length: Option<u32>,
}

impl<'a> IpPacket<'a> {
    /// The packet in a sample, by the network header's offset where the kernel had set it.
    pub(crate) fn of_sample(sample: &'a PacketSample) -> Option<Self> {
        let at = match sample.network_offset {
            Some(offset) => usize::from(offset),
            None if sample.has_link_header => {
                super::frame::Frame::decode(&sample.bytes)?.payload_at
            }
            None => 0,
        };
        Self::decode(tail(&sample.bytes, at))
    }

    /// The packet that begins with the first byte. `None` when it is no IP packet or its fixed header is cut.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        match u8_at(bytes, 0)? >> 4 {
            4 => Self::decode_v4(bytes),
            6 => Self::decode_v6(bytes),
            _ => None,
        }
    }

    fn decode_v4(bytes: &'a [u8]) -> Option<Self> {
        let header_length = usize::from(u8_at(bytes, 0)? & 0x0f) * 4;
        if header_length < IPV4_HEADER {
            return None;
        }
        let total_length = usize::from(u16_at(bytes, 2)?);
        let flags_and_offset = u16_at(bytes, 6)?;
        let source = Ipv4Addr::from(array_at::<4>(bytes, 12)?);
        let destination = IpAddr::V4(Ipv4Addr::from(array_at::<4>(bytes, 16)?));
        let (offset, more) = (flags_and_offset & 0x1fff, flags_and_offset & 0x2000 != 0);
        let identification = u16_at(bytes, 4)?;
        let fragment = (offset != 0 || more).then_some(Fragment {
            id: u32::from(identification),
            offset: u32::from(offset) * 8,
            more,
        });
        let transport_length = total_length.checked_sub(header_length);
        Some(Self {
            source: IpAddr::V4(source),
            destination,
            final_destination: destination,
            protocol: u8_at(bytes, 9)?,
            routing_type: None,
            identification: Some(identification),
            fragment,
            must_stay_whole: flags_and_offset & 0x4000 != 0,
            transport_length,
            transport_bytes: transport_part(bytes, header_length, transport_length, fragment),
            hop_limit: u8_at(bytes, 8)?,
        })
    }

    fn decode_v6(bytes: &'a [u8]) -> Option<Self> {
        let payload_length = usize::from(u16_at(bytes, 4)?);
        let source = IpAddr::V6(Ipv6Addr::from(array_at::<16>(bytes, 8)?));
        let destination = IpAddr::V6(Ipv6Addr::from(array_at::<16>(bytes, 24)?));
        let extensions = Extensions::walk(bytes, u8_at(bytes, 6)?);
        let transport_length = (payload_length != 0)
            .then(|| payload_length.checked_sub(extensions.end - IPV6_HEADER))
            .flatten();
        Some(Self {
            source,
            destination,
            final_destination: extensions.last_segment.map_or(destination, IpAddr::V6),
            protocol: extensions.protocol,
            routing_type: extensions.routing_type,
            identification: None,
            fragment: extensions.fragment,
            must_stay_whole: true,
            transport_length,
            transport_bytes: transport_part(
                bytes,
                extensions.end,
                transport_length,
                extensions.fragment,
            ),
            hop_limit: u8_at(bytes, 7)?,
        })
    }

    /// The TCP segment; `None` when the packet is none, is a later fragment, or the sample ends before its flags.
    pub(crate) fn segment(&self) -> Option<Segment> {
        const SYN: u8 = 2;
        if self.protocol != TCP {
            return None;
        }
        let bytes = self.transport_bytes;
        let header = usize::from(u8_at(bytes, 12)? >> 4) * 4;
        // A super-frame's length field may be 0; it carries data.
        let has_payload = self.transport_length.is_none_or(|length| length > header);
        Some(Segment {
            sequence: u32_at(bytes, 4)?,
            is_syn: u8_at(bytes, 13)? & SYN != 0,
            has_payload,
            length: self
                .transport_length
                .and_then(|length| u32::try_from(length.checked_sub(header)?).ok()),
        })
    }

    /// The transport header; `None` when the packet has none, is a later fragment, or the sample ends before it does.
    pub(crate) fn transport(&self) -> Option<Transport> {
        let bytes = self.transport_bytes;
        let (checksum_at, tcp_flags) = match self.protocol {
            TCP => (16, u8_at(bytes, 13)?),
            UDP => (6, 0),
            _ => return None,
        };
        Some(Transport {
            source_port: u16_at(bytes, 0)?,
            destination_port: u16_at(bytes, 2)?,
            checksum: u16_at(bytes, checksum_at)?,
            tcp_flags,
        })
    }
}

/// The transport's bytes without link layer padding; a later fragment has no transport header to read.
fn transport_part(
    bytes: &[u8],
    at: usize,
    length: Option<usize>,
    fragment: Option<Fragment>,
) -> &[u8] {
    if fragment.is_some_and(|fragment| fragment.offset != 0) {
        return &[];
    }
    let rest = tail(bytes, at);
    length.map_or(rest, |length| head(rest, length))
}

/// The content of the chain of IPv6 extension headers.
struct Extensions {
    protocol: u8,
    end: usize,
    fragment: Option<Fragment>,
    routing_type: Option<u8>,
    last_segment: Option<Ipv6Addr>,
}

impl Extensions {
    /// Follows the chain as far as the bytes go; a header that is cut ends it.
    fn walk(bytes: &[u8], first: u8) -> Self {
        let mut found = Self {
            protocol: first,
            end: IPV6_HEADER,
            fragment: None,
            routing_type: None,
            last_segment: None,
        };
        for _ in 0..MOST_EXTENSION_HEADERS {
            let at = found.end;
            let (Some(next), Some(length)) = (u8_at(bytes, at), u8_at(bytes, at + 1)) else {
                break;
            };
            let length = usize::from(length);
            let size = match found.protocol {
                HOP_BY_HOP | DESTINATION_OPTIONS | MOBILITY => (length + 1) * 8,
                ROUTING => {
                    found.routing_type = u8_at(bytes, at + 2);
                    found.last_segment = last_segment(bytes, at, (length + 1) * 8);
                    (length + 1) * 8
                }
                FRAGMENT => {
                    found.fragment = ipv6_fragment(bytes, at);
                    8
                }
                // The authentication header counts 4-byte words, less two (RFC 4302).
                AUTHENTICATION => (length + 2) * 4,
                _ => break,
            };
            found.protocol = next;
            found.end = at + size;
            if found.fragment.is_some_and(|fragment| fragment.offset != 0) {
                break;
            }
        }
        found
    }
}

fn ipv6_fragment(bytes: &[u8], at: usize) -> Option<Fragment> {
    let offset_and_flags = u16_at(bytes, at + 2)?;
    Some(Fragment {
        id: u32_at(bytes, at + 4)?,
        offset: u32::from(offset_and_flags & 0xfff8),
        more: offset_and_flags & 1 != 0,
    })
}

/// The address that the pseudo-header has while segments are left: in a segment routing header the first of its list,
/// which is kept in reverse (RFC 8754), in the older types 0 and 2 the last.
fn last_segment(bytes: &[u8], at: usize, size: usize) -> Option<Ipv6Addr> {
    let segments_left = u8_at(bytes, at + 3)?;
    if segments_left == 0 || size < 24 {
        return None;
    }
    let position = match u8_at(bytes, at + 2)? {
        4 => at + 8,
        0 | 2 => at + size - 16,
        _ => return None,
    };
    array_at::<16>(bytes, position).map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests;
