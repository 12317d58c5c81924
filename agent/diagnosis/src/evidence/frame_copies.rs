//! Copies of one frame on two interfaces, as the probe on `netif_receive_skb` counts them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::NetnsId;

/// Frames that came in on two interfaces of one namespace within 100 ms: both are in one broadcast domain.
///
/// An interface is where a frame ends up: a bridge or a bond, not its port; a VLAN device for the frames of its VLAN.
/// Interfaces that hand each other's frames on (`Topology::are_joined`) are no pair, because there every frame comes in
/// twice by design.
///
/// Left out is what one sender sends alike into several broadcast domains: control protocols of routers and switches,
/// and IPv6 from link-local addresses, fragments aside. A multicast packet may still be routed into two domains by a
/// router with one link layer address; ARP and broadcasts are never routed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameCopies {
    /// Which backend watched: `tp_btf`, `raw_tracepoint`.
    pub backend: String,
    /// Frames compared: multicast and broadcast frames with fragments, ARP, UDP or neighbour discovery.
    pub compared: u64,
    /// Such frames whose headers were outside the linear part, so that they could not be compared.
    pub unreadable: u64,
    /// Frames that could not be compared or counted, because a map was full or the probe was busy on that CPU.
    pub lost: u64,
    /// One entry a pair of interfaces and flow, most frequent first.
    pub copies: Vec<FrameCopy>,
}

/// The number of frames of one flow that came in on two interfaces.
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
    /// Frames that came in on both. At least as many, where ports of a bond got different ones.
    pub count: u64,
    /// Longest time between the two, microseconds.
    pub longest_gap_us: u64,
}
