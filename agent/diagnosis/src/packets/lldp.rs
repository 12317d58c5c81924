//! LLDP (IEEE 802.1AB): who sent an announcement, from which port.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    bytes::{array_at, head, tail, u8_at, u16_at},
    frame::Mac,
    text::printable,
};

const END: u16 = 0;
const CHASSIS_ID: u16 = 1;
const PORT_ID: u16 = 2;
const TIME_TO_LIVE: u16 = 3;
const PORT_DESCRIPTION: u16 = 4;
const SYSTEM_NAME: u16 = 5;

/// An announcement has about ten elements; a sample holds no more than this.
const MOST_ELEMENTS: usize = 64;

/// The content of an LLDP announcement, as far as its sample reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lldp {
    /// The sending system.
    pub chassis: Option<Identifier>,
    /// Its port.
    pub port: Option<Identifier>,
    /// The port's description.
    pub port_description: Option<String>,
    /// The system's name.
    pub system: Option<String>,
    /// The validity of the announcement, in seconds.
    pub time_to_live: Option<u16>,
}

/// A chassis or port identifier with what kind it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identifier {
    /// The subtype in words: `MAC address`, `interface name`, ..
    pub kind: &'static str,
    /// The value, printable and bounded.
    pub value: String,
}

impl Lldp {
    /// Reads the elements behind the EtherType. Elements that the sample cuts off are read as far as they go, because
    /// names come late; `None` when not even a chassis or port can be read.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = bytes;
        for _ in 0..MOST_ELEMENTS {
            let Some(header) = u16_at(rest, 0) else { break };
            let (kind, length) = (header >> 9, usize::from(header & 0x1ff));
            let value = head(tail(rest, 2), length);
            match kind {
                END => break,
                CHASSIS_ID => found.chassis = Identifier::chassis(value),
                PORT_ID => found.port = Identifier::port(value),
                TIME_TO_LIVE => found.time_to_live = u16_at(value, 0),
                PORT_DESCRIPTION => found.port_description = text(value),
                SYSTEM_NAME => found.system = text(value),
                _ => {}
            }
            rest = tail(rest, 2 + length);
        }
        (found.chassis.is_some() || found.port.is_some()).then_some(found)
    }
}

fn text(value: &[u8]) -> Option<String> {
    Some(printable(value)).filter(|text| !text.is_empty())
}

impl Identifier {
    /// The value, with its kind where that is not the usual one.
    pub(crate) fn described(&self, usual: &str) -> String {
        if self.kind == usual {
            self.value.clone()
        } else {
            format!("{} ({})", self.value, self.kind)
        }
    }

    fn chassis(bytes: &[u8]) -> Option<Self> {
        Self::decode(
            bytes,
            match u8_at(bytes, 0)? {
                1 => "chassis component",
                2 => "interface alias",
                3 => "port component",
                4 => MAC_ADDRESS,
                5 => NETWORK_ADDRESS,
                6 => "interface name",
                7 => "local name",
                _ => "reserved kind",
            },
        )
    }

    fn port(bytes: &[u8]) -> Option<Self> {
        Self::decode(
            bytes,
            match u8_at(bytes, 0)? {
                1 => "interface alias",
                2 => "port component",
                3 => MAC_ADDRESS,
                4 => NETWORK_ADDRESS,
                5 => "interface name",
                6 => "circuit id",
                7 => "local name",
                _ => "reserved kind",
            },
        )
    }

    fn decode(bytes: &[u8], kind: &'static str) -> Option<Self> {
        let value = tail(bytes, 1);
        let value = match kind {
            MAC_ADDRESS => Mac(array_at(value, 0)?).to_string(),
            NETWORK_ADDRESS => network_address(value),
            _ => printable(value),
        };
        (!value.is_empty()).then_some(Self { kind, value })
    }
}

const MAC_ADDRESS: &str = "MAC address";
const NETWORK_ADDRESS: &str = "network address";

/// An address behind its IANA family number.
fn network_address(bytes: &[u8]) -> String {
    let address = tail(bytes, 1);
    match (
        u8_at(bytes, 0),
        array_at::<4>(address, 0),
        array_at::<16>(address, 0),
    ) {
        (Some(1), Some(octets), _) => Ipv4Addr::from(octets).to_string(),
        (Some(2), _, Some(octets)) => Ipv6Addr::from(octets).to_string(),
        _ => printable(address),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An element: 7 bits of type, 9 of length.
    fn element(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).expect("a short element");
        let mut bytes = (kind << 9 | length).to_be_bytes().to_vec();
        bytes.extend(value);
        bytes
    }

    /// An announcement as a switch sends it.
    pub(crate) fn announcement(chassis: [u8; 6], port: &str, system: &str) -> Vec<u8> {
        let mut bytes = element(CHASSIS_ID, &[&[4], &chassis[..]].concat());
        bytes.extend(element(PORT_ID, &[&[5], port.as_bytes()].concat()));
        bytes.extend(element(TIME_TO_LIVE, &[0, 120]));
        bytes.extend(element(SYSTEM_NAME, system.as_bytes()));
        bytes.extend(element(END, &[]));
        bytes
    }

    #[test]
    fn reads_chassis_port_system_and_time_to_live() {
        let bytes = announcement([0x2c, 0xdd, 0xe9, 1, 0x3a, 0x10], "Ethernet17", "leaf-3a");
        let found = Lldp::decode(&bytes).expect("an announcement");
        let chassis = found.chassis.expect("a chassis");
        assert_eq!(
            (chassis.kind, chassis.value.as_str()),
            ("MAC address", "2c:dd:e9:01:3a:10")
        );
        let port = found.port.expect("a port");
        assert_eq!(
            (port.kind, port.value.as_str()),
            ("interface name", "Ethernet17")
        );
        assert_eq!(found.system.as_deref(), Some("leaf-3a"));
        assert_eq!(found.time_to_live, Some(120));
    }

    #[test]
    fn reads_addresses_as_identifiers() {
        let mut bytes = element(CHASSIS_ID, &[5, 1, 192, 0, 2, 7]);
        bytes.extend(element(PORT_ID, &[3, 2, 0, 0, 0, 0, 9]));
        let found = Lldp::decode(&bytes).expect("an announcement");
        assert_eq!(
            found.chassis.map(|id| id.value),
            Some("192.0.2.7".to_owned())
        );
        assert_eq!(
            found.port.map(|id| id.value),
            Some("02:00:00:00:00:09".to_owned())
        );
    }

    #[test]
    fn a_name_with_control_characters_is_escaped() {
        let bytes = announcement([2; 6], "eth0\r", "leaf\u{1b}]0;owned\u{7}");
        let found = Lldp::decode(&bytes).expect("an announcement");
        assert_eq!(found.system.as_deref(), Some("leaf\\u{1b}]0;owned\\u{7}"));
        assert_eq!(found.port.map(|id| id.value), Some("eth0\\r".to_owned()));
    }

    #[test]
    fn an_element_longer_than_the_sample_is_read_as_far_as_it_goes() {
        let mut bytes = element(CHASSIS_ID, &[4, 2, 0, 0, 0, 0, 1]);
        bytes.extend((SYSTEM_NAME << 9 | 0x1ff).to_be_bytes());
        bytes.extend(b"leaf-with-a-long-na");
        let found = Lldp::decode(&bytes).expect("an announcement");
        assert_eq!(found.system.as_deref(), Some("leaf-with-a-long-na"));
    }

    #[test]
    fn empty_and_cut_announcements_give_none_or_less() {
        assert_eq!(Lldp::decode(&[]), None);
        assert_eq!(Lldp::decode(&[0, 0]), None);
        assert_eq!(Lldp::decode(&element(CHASSIS_ID, &[4, 2, 0])), None);
        let whole = announcement([2; 6], "Ethernet17", "leaf-3a");
        for length in 0..whole.len() {
            if let Some(found) = Lldp::decode(&whole[..length]) {
                assert!(found.chassis.is_some(), "cut at {length}");
            }
        }
    }
}
