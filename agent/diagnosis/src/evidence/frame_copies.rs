//! Copies of one frame on two interfaces, as the probe on `netif_receive_skb` counts them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::NetnsId;

/// Frames that came in on two interfaces of one namespace within 100 ms: both are in one broadcast domain.
///
/// Interfaces with a receive handler (ports of bridges, bonds and teams, lower devices of a macvlan) are left out: they
/// hand every frame on to another device, so there it comes in twice by design.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameCopies {
    /// Which backend watched: `tp_btf`, `raw_tracepoint`.
    pub backend: String,
    /// Frames compared: fragments, and other multicast and broadcast frames.
    pub compared: u64,
    /// Such frames whose headers were outside the linear part, so that they could not be compared.
    pub unreadable: u64,
    /// Copies that could not be counted, because a map was full.
    pub lost: u64,
    /// One entry a pair of interfaces and flow, most frequent first.
    pub copies: Vec<FrameCopy>,
}

/// How often frames of one flow came in on two interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCopy {
    /// Namespace of both interfaces.
    pub netns: NetnsId,
    /// Index of the interface where the copies came in first.
    pub first: u32,
    /// Index of the interface where they came in again.
    pub second: u32,
    /// EtherType in host order.
    pub ethertype: u16,
    /// Sender, for IP.
    pub source: Option<IpAddr>,
    /// Receiver or group, for IP.
    pub destination: Option<IpAddr>,
    /// The frames were fragments.
    pub fragments: bool,
    /// Frames that came in on both.
    pub count: u64,
    /// Longest time between the two, microseconds.
    pub longest_gap_us: u64,
}
