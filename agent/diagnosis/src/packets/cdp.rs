//! CDP (Cisco Discovery Protocol): who sent an announcement, from which port.

use super::{
    bytes::{head, tail, u16_at},
    text::printable,
};

const DEVICE_ID: u16 = 1;
const PORT_ID: u16 = 3;
const PLATFORM: u16 = 6;

/// Version, time to live and checksum come before the elements.
const HEADER: usize = 4;
/// Type and length, which counts both.
const ELEMENT_HEADER: usize = 4;
/// An announcement has about fifteen elements.
const MOST_ELEMENTS: usize = 64;

/// The content of a CDP announcement, as far as its sample reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cdp {
    /// The sending device's name.
    pub device: Option<String>,
    /// Its port.
    pub port: Option<String>,
    /// Its model.
    pub platform: Option<String>,
}

impl Cdp {
    /// Reads the elements behind the SNAP header; `None` when neither a device nor a port can be read.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = tail(bytes, HEADER);
        for _ in 0..MOST_ELEMENTS {
            let (Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) else {
                break;
            };
            let length = usize::from(length);
            if length < ELEMENT_HEADER {
                break;
            }
            let value = tail(head(rest, length), ELEMENT_HEADER);
            match kind {
                DEVICE_ID => found.device = text(value),
                PORT_ID => found.port = text(value),
                PLATFORM => found.platform = text(value),
                _ => {}
            }
            rest = tail(rest, length);
        }
        (found.device.is_some() || found.port.is_some()).then_some(found)
    }
}

fn text(value: &[u8]) -> Option<String> {
    Some(printable(value)).filter(|text| !text.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn element(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + ELEMENT_HEADER).expect("a short element");
        [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
    }

    /// An announcement as a switch sends it.
    pub(crate) fn announcement(device: &str, port: &str) -> Vec<u8> {
        let mut bytes = vec![2, 180, 0, 0];
        bytes.extend(element(DEVICE_ID, device.as_bytes()));
        bytes.extend(element(PORT_ID, port.as_bytes()));
        bytes.extend(element(PLATFORM, b"N9K-C93180"));
        bytes
    }

    #[test]
    fn reads_device_port_and_platform() {
        let found =
            Cdp::decode(&announcement("sw1.example", "Ethernet1/7")).expect("an announcement");
        assert_eq!(found.device.as_deref(), Some("sw1.example"));
        assert_eq!(found.port.as_deref(), Some("Ethernet1/7"));
        assert_eq!(found.platform.as_deref(), Some("N9K-C93180"));
    }

    #[test]
    fn a_length_that_leads_nowhere_ends_the_list() {
        assert_eq!(Cdp::decode(&[2, 180, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]), None);
        assert_eq!(Cdp::decode(&[2, 180]), None);
        let mut bytes = vec![2, 180, 0, 0, 0, 1, 0xff, 0xff];
        bytes.extend(b"sw1");
        let found = Cdp::decode(&bytes).expect("a device");
        assert_eq!(found.device.as_deref(), Some("sw1"));
    }
}
