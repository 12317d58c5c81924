//! Datagrams that take several frames, and what the node's reassembly made of them.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::lab::{Facts, Node};
use crate::netns::Namespace;

/// Port that the datagrams are sent to.
pub(super) const PORT: u16 = 7067;
/// Payload of a datagram; at an MTU of 1500 bytes it takes 6 fragments.
pub(super) const SIZE: u32 = 8_000;
/// Seconds after which the node gives up a datagram: the kernel's 30 would make every window long.
const REASSEMBLY_SECONDS: u64 = 1;
/// The time that the last timer may lag, and that the last frame needs to get through an emulated NIC.
const LAG: Duration = Duration::from_millis(1_000);

/// An IP version with the addresses that a scenario uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The fate of the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Datagrams that the node's programs have read.
    pub datagrams: u64,
    /// Increase of ReasmOKs: datagrams put together.
    pub reassembled: u64,
    /// Increase of ReasmFails: datagrams given up.
    pub failed: u64,
}

impl Family {
    /// A group to send to.
    pub fn group(self) -> IpAddr {
        match self {
            Self::V4 => [239, 77, 0, 15].into(),
            Self::V6 => [0xff15, 0, 0, 0, 0, 0, 0, 0x15].into(),
        }
    }

    /// The address of the host that sends.
    pub fn source(self) -> IpAddr {
        match self {
            Self::V4 => [10, 84, 0, 73].into(),
            Self::V6 => [0xfd84, 0, 0, 0, 0, 0, 0, 0x73].into(),
        }
    }

    /// Addresses for the node's NICs, each in a network of its own; the first is in the host's.
    pub(super) fn addresses(self) -> [IpAddr; 2] {
        match self {
            Self::V4 => [[10, 84, 0, 42].into(), [192, 168, 84, 42].into()],
            Self::V6 => [
                [0xfd84, 0, 0, 0, 0, 0, 0, 0x42].into(),
                [0xfd85, 0, 0, 0, 0, 0, 0, 0x42].into(),
            ],
        }
    }

    /// Gives a device an address that can be used at once.
    pub(super) fn assign(self, namespace: &Namespace, device: &str, address: IpAddr) -> Result<()> {
        if self == Self::V6 {
            namespace.sysctl(&format!("net.ipv6.conf.{device}.disable_ipv6"), "0")?;
        }
        let (prefix, at_once) = match self {
            Self::V4 => (24, ""),
            // No detection of duplicate addresses.
            Self::V6 => (64, "nodad"),
        };
        let add = format!("address add {address}/{prefix} dev {device} {at_once}");
        namespace.ip(&add).map(drop)
    }

    /// Has the node give up incomplete datagrams soon.
    pub(super) fn hurry(self, node: &Namespace) -> Result<()> {
        let time = match self {
            Self::V4 => "net.ipv4.ipfrag_time",
            Self::V6 => "net.ipv6.ip6frag_time",
        };
        node.sysctl(time, &REASSEMBLY_SECONDS.to_string())
    }
}

impl Received {
    /// Runs a sender to its end, and waits until the node has given up what stayed incomplete.
    pub(super) fn of(
        node: &Node,
        family: Family,
        send: impl FnOnce() -> Result<Facts>,
    ) -> Result<Self> {
        let before = Self::so_far(node, family)?;
        send()?;
        thread::sleep(Duration::from_secs(REASSEMBLY_SECONDS) + LAG);
        let after = Self::so_far(node, family)?;
        Ok(Self {
            datagrams: after.datagrams - before.datagrams,
            reassembled: after.reassembled - before.reassembled,
            failed: after.failed - before.failed,
        })
    }

    fn so_far(node: &Node, family: Family) -> Result<Self> {
        let (ip, udp) = match family {
            Family::V4 => ("Ip", "Udp"),
            Family::V6 => ("Ip6", "Udp6"),
        };
        let count = |protocol, name| node.namespace().protocol_counter(protocol, name);
        Ok(Self {
            datagrams: count(udp, "InDatagrams")?,
            reassembled: count(ip, "ReasmOKs")?,
            failed: count(ip, "ReasmFails")?,
        })
    }
}
