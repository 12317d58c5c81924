//! The key by which the `frame_copies` probe recognises frames, and the key by which it counts copies.

use crate::plain::plain;

plain!(Copies, CopyKey, FrameCopiesLayout);

/// Most frames that are remembered at a time; the least recently seen is forgotten first.
pub const MAX_FRAMES: u32 = 4096;

/// Most kinds of copies that are counted apart; further ones are lost.
pub const MAX_COPIES: u32 = 512;

/// The longest time between the first and a second sight that counts as a copy, in nanoseconds.
pub const LONGEST_GAP_NS: u64 = 100_000_000;

/// Words that the beginning of a packet takes: the IPv6 header and the eight bytes that follow it.
pub const BEGINNING_WORDS: usize = 6;

/// The key by which a frame is recognised. The same frame is the same to the last bit wherever it comes in, except for
/// VLAN tags.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameKey {
    /// As [`CopyKey::net`].
    pub net: u64,
    /// The sender's link layer address in the low 48 bits, the EtherType in host order in the others.
    pub sender: u64,
    /// The first bytes of the packet, the rest 0.
    pub beginning: [u64; BEGINNING_WORDS],
}

/// The place and the time at which a frame came in.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub at_ns: u64,
    /// Index of the device.
    pub ifindex: u32,
    /// VLAN id of the frame, 0 without a tag.
    pub vlan: u32,
}

/// The key by which copies are counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CopyKey {
    /// `net->net_cookie`, or the address of the `struct net` where the kernel gives no cookie at creation.
    pub net: u64,
    /// Source address, IPv4 in the first four bytes; 0 for ARP.
    pub source: [u64; 2],
    /// Destination address.
    pub destination: [u64; 2],
    /// `net->ns.inum`, the number of the namespace's nsfs file.
    pub inum: u32,
    /// Index of the device where the frame came in first.
    pub first: u32,
    /// Index of the device where it came in again.
    pub second: u32,
    /// VLAN id of the first, 0 without a tag.
    pub first_vlan: u16,
    /// VLAN id of the second.
    pub second_vlan: u16,
    /// EtherType in host order.
    pub ethertype: u16,
    /// Not 0 for a fragment.
    pub is_fragment: u16,
    /// No meaning; keeps the size a multiple of eight.
    pub reserved: u32,
}

/// The counts of one kind of copies.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Frames that came in again.
    pub count: u64,
    /// Longest time between the two, nanoseconds.
    pub longest_gap_ns: u64,
}

/// Indices of the counters.
pub mod total {
    /// Frames that were compared.
    pub const COMPARED: u32 = 0;
    /// Frames that were to be compared and lay outside the linear part of their buffer.
    pub const UNREADABLE: u32 = 1;
    /// Frames that could not be remembered and copies that could not be counted, because a map was full.
    pub const LOST: u32 = 2;
    /// The number of elements.
    pub const ELEMENTS: u32 = 3;
}

/// Layout of the kernel structures the probe reads: byte offsets from the running kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCopiesLayout {
    /// `sk_buff.dev`.
    pub skb_dev: u32,
    /// `sk_buff.protocol`.
    pub skb_protocol: u32,
    /// `sk_buff.head`.
    pub skb_head: u32,
    /// `sk_buff.data`.
    pub skb_data: u32,
    /// `sk_buff.len`.
    pub skb_len: u32,
    /// `sk_buff.data_len`.
    pub skb_data_len: u32,
    /// `sk_buff.mac_header`.
    pub skb_mac_header: u32,
    /// `sk_buff.vlan_tci`.
    pub skb_vlan_tci: u32,
    /// Byte that says whether there is a VLAN tag: the bit field `vlan_present`, or the first of `vlan_proto`.
    pub skb_vlan_present: u32,
    /// The bits of that byte that say so; 0 where the 16 bits of `vlan_proto` and the tag say so by not being zero.
    pub skb_vlan_present_mask: u32,
    /// Byte that holds `sk_buff.pkt_type`.
    pub skb_packet_type: u32,
    /// Lowest bit of `pkt_type` (3 bits) in that byte.
    pub skb_packet_type_shift: u32,
    /// `net_device.ifindex`.
    pub device_ifindex: u32,
    /// `net_device.flags`.
    pub device_flags: u32,
    /// The four bytes of `net_device.priv_flags` that hold the lowest flags.
    pub device_private_flags: u32,
    /// `net_device.rx_handler`.
    pub device_rx_handler: u32,
    /// `net_device.nd_net.net`.
    pub device_net: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `net.net_cookie`; meaningless without `has_cookie`.
    pub net_cookie: u32,
    /// Not 0 where a namespace gets its cookie at creation (5.12 on).
    pub has_cookie: u32,
    /// IFF_TEAM_PORT of `priv_flags`; 0 where this kernel does not tell.
    pub team_port: u32,
}

impl FrameCopiesLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        skb_dev: 0,
        skb_protocol: 0,
        skb_head: 0,
        skb_data: 0,
        skb_len: 0,
        skb_data_len: 0,
        skb_mac_header: 0,
        skb_vlan_tci: 0,
        skb_vlan_present: 0,
        skb_vlan_present_mask: 0,
        skb_packet_type: 0,
        skb_packet_type_shift: 0,
        device_ifindex: 0,
        device_flags: 0,
        device_private_flags: 0,
        device_rx_handler: 0,
        device_net: 0,
        net_inum: 0,
        net_cookie: 0,
        has_cookie: 0,
        team_port: 0,
    };
}
