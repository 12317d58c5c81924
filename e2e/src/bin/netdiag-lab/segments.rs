//! TCP segments by hand, as a host beyond a TUN device sends them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, bail};

use crate::raw_socket::checksum;

pub(crate) const SYN: u8 = 0x02;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const ECE: u8 = 0x40;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Header without options.
const HEADER: usize = 20;
/// The last octet of the host that asks.
const HOST: u8 = 7;

/// A segment without options.
#[derive(Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) ports: [u16; 2],
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    pub(crate) payload: &'a [u8],
}

impl Segment<'_> {
    /// The whole IP packet.
    pub(crate) fn packet(&self) -> Result<Vec<u8>> {
        let mut segment = self.ports.map(u16::to_be_bytes).concat();
        segment.extend(self.sequence.to_be_bytes());
        segment.extend(self.acknowledgement.to_be_bytes());
        // Five words, flags, window, checksum and urgent pointer.
        segment.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(self.payload);
        let size = segment.len() as u16;
        let length = size.to_be_bytes();
        let (header, addresses) = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let total = (20 + size).to_be_bytes();
                let mut header = vec![0x45, 0, total[0], total[1], 0, 1, 0, 0, 64, TCP, 0, 0];
                header.extend(from.octets());
                header.extend(to.octets());
                let sum = checksum(&header).to_be_bytes();
                header[10..12].copy_from_slice(&sum);
                (header, [from.octets(), to.octets()].concat())
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut header = vec![0x60, 0, 0, 0, length[0], length[1], TCP, 64];
                header.extend(from.octets());
                header.extend(to.octets());
                (header, [from.octets(), to.octets()].concat())
            }
            (from, to) => bail!("{from} and {to} are of different IP versions"),
        };
        let pseudo = [&addresses[..], &[0, TCP], &length, &segment].concat();
        let sum = checksum(&pseudo).to_be_bytes();
        segment[16..18].copy_from_slice(&sum);
        Ok([header, segment].concat())
    }
}

/// A packet that the kernel sent out on the device.
pub(crate) enum Received {
    /// A datagram to this address.
    Datagram(IpAddr),
    /// The server's answer to a SYN, with its sequence number.
    SynAck { from: IpAddr, sequence: u32 },
}

impl Received {
    /// Reads one; `None` for any other packet.
    pub(crate) fn read(packet: &[u8]) -> Option<Self> {
        let (protocol, from, to, rest): (u8, IpAddr, IpAddr, &[u8]) = match packet.first()? >> 4 {
            4 => {
                let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
                let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
                (*packet.get(9)?, from.into(), to.into(), packet.get(20..)?)
            }
            6 => {
                let from: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
                let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
                (*packet.get(6)?, from.into(), to.into(), packet.get(40..)?)
            }
            _ => return None,
        };
        if protocol == UDP {
            return Some(Self::Datagram(to));
        }
        let header = rest.get(..HEADER).filter(|_| protocol == TCP)?;
        let sequence = u32::from_be_bytes(header[4..8].try_into().ok()?);
        (header[13] & (SYN | ACK) == SYN | ACK).then_some(Self::SynAck { from, sequence })
    }
}

/// The host that asks, in the network of this address.
pub(crate) fn host_of(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, HOST).into()
        }
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[15] = HOST;
            Ipv6Addr::from(octets).into()
        }
    }
}
