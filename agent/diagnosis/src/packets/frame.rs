//! Ethernet headers: addresses, 802.1Q tags, EtherType, 802.2 LLC and SNAP.

use std::fmt;

use super::bytes::{array_at, tail, u16_at, u32_at};
use crate::uapi::ethertype::ETH_P_802_3_MIN;

/// EtherTypes of a VLAN tag: 802.1Q, 802.1ad and the older QinQ.
const TAG_TYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Two tags are QinQ; more is nobody's configuration.
const MOST_TAGS: usize = 4;

/// A link layer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mac(pub [u8; 6]);

impl Mac {
    /// The address in the usual spelling, as netlink sources write it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(octets))
    }

    /// Sent to everybody.
    pub(crate) fn is_broadcast(self) -> bool {
        self.0 == [0xff; 6]
    }

    /// Sent to a group, everybody included.
    pub(crate) fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// A group that bridges must not forward: 01:80:c2:00:00:00 to 0f (802.1Q).
    pub(crate) fn is_link_local(self) -> bool {
        self.0[..5] == [0x01, 0x80, 0xc2, 0, 0] && self.0[5] <= 0x0f
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// The payload type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Carried {
    /// An EtherType.
    EtherType(u16),
    /// 802.2 with SNAP: organisation and its protocol number.
    Snap { organisation: u32, protocol: u16 },
    /// 802.2 with its destination access point.
    Llc { access_point: u8 },
}

/// An Ethernet frame, as far as its sample reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Destination.
    pub destination: Mac,
    /// Source.
    pub source: Mac,
    /// VLAN of the first tag that is still in the frame.
    pub vlan: Option<u16>,
    /// The payload type.
    pub carried: Carried,
    /// The offset of the payload: behind tags, LLC and SNAP.
    pub payload_at: usize,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that begins with the first byte. `None` when its header is cut.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let destination = Mac(array_at(bytes, 0)?);
        let source = Mac(array_at(bytes, 6)?);
        let mut vlan = None;
        let mut at = 12;
        for _ in 0..MOST_TAGS {
            if !TAG_TYPES.contains(&u16_at(bytes, at)?) {
                break;
            }
            vlan = vlan.or(Some(vlan_id(u16_at(bytes, at + 2)?)));
            at += 4;
        }
        let type_or_length = u16_at(bytes, at)?;
        let (carried, header) = if type_or_length >= ETH_P_802_3_MIN {
            (Carried::EtherType(type_or_length), 0)
        } else {
            Carried::decode_llc(tail(bytes, at + 2))?
        };
        let payload_at = at + 2 + header;
        Some(Self {
            destination,
            source,
            vlan,
            carried,
            payload_at,
            payload: tail(bytes, payload_at),
        })
    }
}

impl Carried {
    /// The 802.2 header that begins with the first byte, and its length.
    pub(crate) fn decode_llc(bytes: &[u8]) -> Option<(Self, usize)> {
        let [destination, source, control] = array_at::<3>(bytes, 0)?;
        if (destination, source, control) == (0xaa, 0xaa, 0x03) {
            let organisation = u32_at(bytes, 2)? & 0x00ff_ffff;
            let protocol = u16_at(bytes, 6)?;
            return Some((
                Self::Snap {
                    organisation,
                    protocol,
                },
                8,
            ));
        }
        let access_point = destination;
        Some((Self::Llc { access_point }, 3))
    }
}

/// The VLAN number of a tag without priority bits.
pub(crate) fn vlan_id(tag: u16) -> u16 {
    tag & 0x0fff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x01, 0x80, 0xc2, 0, 0, 0x0e, 0x02, 0, 0, 0, 0, 1];
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn reads_an_untagged_frame() {
        let bytes = header(&[0x88, 0xcc, 1, 2]);
        let frame = Frame::decode(&bytes).expect("a frame");
        assert!(frame.destination.is_link_local());
        assert_eq!(frame.source.to_string(), "02:00:00:00:00:01");
        assert_eq!(frame.carried, Carried::EtherType(0x88cc));
        assert_eq!((frame.vlan, frame.payload), (None, &[1, 2][..]));
    }

    #[test]
    fn reads_behind_tags() {
        let bytes = header(&[0x88, 0xa8, 0x20, 0x64, 0x81, 0, 0, 5, 0x88, 0xcc, 9]);
        let frame = Frame::decode(&bytes).expect("a frame");
        assert_eq!(frame.vlan, Some(100));
        assert_eq!(frame.carried, Carried::EtherType(0x88cc));
        assert_eq!(frame.payload, [9]);
    }

    #[test]
    fn reads_snap_and_plain_llc() {
        let cdp = header(&[0, 40, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2]);
        let frame = Frame::decode(&cdp).expect("a frame");
        let expected = Carried::Snap {
            organisation: 0x0c,
            protocol: 0x2000,
        };
        assert_eq!((frame.carried, frame.payload), (expected, &[2][..]));
        let stp = header(&[0, 38, 0x42, 0x42, 3, 0]);
        let frame = Frame::decode(&stp).expect("a frame");
        assert_eq!(frame.carried, Carried::Llc { access_point: 0x42 });
    }

    #[test]
    fn cut_frames_and_endless_tags_give_none() {
        let bytes = header(&[0x81, 0, 0, 1, 0x88, 0xcc]);
        for length in 0..bytes.len() {
            assert_eq!(Frame::decode(&bytes[..length]), None);
        }
        let tags = header(&[0x81, 0, 0, 1].repeat(200));
        let frame = Frame::decode(&tags).expect("bounded");
        assert_eq!(frame.carried, Carried::EtherType(0x8100));
    }

    #[test]
    fn parses_the_usual_spelling_of_an_address() {
        assert_eq!(
            Mac::parse("02:00:00:00:00:01"),
            Some(Mac([2, 0, 0, 0, 0, 1]))
        );
        for wrong in ["", "02:00", "02:00:00:00:00:01:02", "g2:00:00:00:00:01"] {
            assert_eq!(Mac::parse(wrong), None);
        }
    }
}
