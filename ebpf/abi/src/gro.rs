//! The key by which the `gro` probe counts.

use crate::plain::plain;

plain!(GroCounts, GroKey, GroLayout);

/// Most interfaces and kinds that are counted apart within one window.
pub const MAX_KEYS: u32 = 512;

/// Packets below it are not looked at: they are mostly acknowledgements, which cannot be joined. Bytes from the network
/// header on.
pub const LEAST_LENGTH: u32 = 128;

/// The key by which packets are counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroKey {
    /// `net->net_cookie`, or the address of the `struct net` where the kernel gives no cookie at creation.
    pub net: u64,
    /// `net->ns.inum`, the number of the namespace's nsfs file.
    pub inum: u32,
    /// Index of the device in that namespace.
    pub ifindex: u32,
    /// One of the [`kind`] constants.
    pub kind: u32,
    /// No meaning; keeps the size a multiple of eight.
    pub reserved: u32,
}

/// The content of a packet.
pub mod kind {
    /// Nothing that is counted.
    pub const OTHER: u32 = 0;
    /// TCP directly in IPv4 or IPv6.
    pub const PLAIN_TCP: u32 = 1;
    /// TCP behind a segment routing header.
    pub const INLINE: u32 = 2;
    /// An IP packet behind a segment routing header.
    pub const ENCAPSULATED: u32 = 3;
}

/// Packets of one key on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroCounts {
    /// Handed to generic receive offload in a state in which it joins packets.
    pub offered: u64,
    /// Of those, joined to one that waited (GRO_MERGED, GRO_MERGED_FREE).
    pub merged: u64,
    /// Of those, kept to be joined with later ones (GRO_HELD).
    pub held: u64,
}

/// Elements of the array of packets that are missing in the counts.
pub mod lost {
    /// The map had no room for their key.
    pub const NO_ROOM: u32 = 0;
    /// Their headers were out of reach.
    pub const UNREAD: u32 = 1;
    /// The number of elements.
    pub const ELEMENTS: u32 = 2;
}

/// Layout of the kernel structures the probe reads: byte offsets and numbers from the running kernel's BTF, and two
/// addresses from its symbols.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroLayout {
    /// Address of the variable `vmemmap_base`: where the array of `struct page` begins. 0 where it is not known, or the
    /// array is no such one.
    pub vmemmap_base: u64,
    /// Address of the variable `page_offset_base`: where the kernel maps all memory.
    pub page_offset_base: u64,
    /// `sk_buff.dev`.
    pub skb_dev: u32,
    /// `sk_buff.protocol`.
    pub skb_protocol: u32,
    /// `sk_buff.head`.
    pub skb_head: u32,
    /// `sk_buff.data`.
    pub skb_data: u32,
    /// `sk_buff.end`, an offset from `head` on 64-bit machines.
    pub skb_end: u32,
    /// `sk_buff.len`.
    pub skb_len: u32,
    /// `sk_buff.data_len`.
    pub skb_data_len: u32,
    /// `skb_shared_info.nr_frags`.
    pub shared_fragments_count: u32,
    /// `skb_shared_info.frags`.
    pub shared_fragments: u32,
    /// `net_device.ifindex`.
    pub device_ifindex: u32,
    /// `net_device.mtu`.
    pub device_mtu: u32,
    /// `net_device.nd_net.net`.
    pub device_net: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `net.net_cookie`; meaningless without `has_cookie`.
    pub net_cookie: u32,
    /// Not 0 where a namespace gets its cookie at creation (5.12 on).
    pub has_cookie: u32,
    /// `GRO_MERGED`.
    pub result_merged: u32,
    /// `GRO_MERGED_FREE`.
    pub result_merged_free: u32,
    /// `GRO_HELD`.
    pub result_held: u32,
}

impl GroLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        vmemmap_base: 0,
        page_offset_base: 0,
        skb_dev: 0,
        skb_protocol: 0,
        skb_head: 0,
        skb_data: 0,
        skb_end: 0,
        skb_len: 0,
        skb_data_len: 0,
        shared_fragments_count: 0,
        shared_fragments: 0,
        device_ifindex: 0,
        device_mtu: 0,
        device_net: 0,
        net_inum: 0,
        net_cookie: 0,
        has_cookie: 0,
        result_merged: 0,
        result_merged_free: 0,
        result_held: 0,
    };
}
