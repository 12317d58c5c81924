//! The records that the iterator over packet sockets writes, and the layout that it needs.

use crate::{open_files::OpenFileLayout, plain::plain};

plain!(PacketSocketLayout, PacketSocketRecord);

/// Memberships of a socket that are written in full; the rest are counted.
pub const MAX_MEMBERSHIPS: usize = 16;

/// One packet socket, as one of the descriptors that lead to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketSocketRecord {
    /// Address of the socket, which tells descriptors of one socket from those of two.
    pub socket: u64,
    /// `net->net_cookie` of its namespace, 0 when unknown.
    pub cookie: u64,
    /// `net->ns.inum` of its namespace.
    pub inum: u32,
    /// Process that holds the descriptor, as the reader's pid namespace numbers it.
    pub pid: u32,
    /// `packet_sock.ifindex`: 0 for every device, -1 when the device is gone.
    pub ifindex: i32,
    /// `packet_sock.num` in network order.
    pub protocol: u16,
    /// The number of its memberships; at most [`MAX_MEMBERSHIPS`] follow, and one more counts all further ones.
    pub memberships: u16,
    /// `sk_drops`: packets that found its receive buffer full.
    pub drops: u32,
    /// `packet_sock.tp_drops`: the same, or those that found its memory-mapped ring full; somebody who asks for
    /// PACKET_STATISTICS sets it back to 0.
    pub ring_drops: u32,
    /// `sk_rcvbuf`, bytes.
    pub receive_buffer: u32,
    /// Not 0 where it reads from a memory-mapped ring.
    pub has_ring: u32,
    /// `struct packet_mclist` entries.
    pub list: [MembershipRecord; MAX_MEMBERSHIPS],
}

/// One `struct packet_mclist`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MembershipRecord {
    /// The device.
    pub ifindex: u32,
    /// The number of requests.
    pub count: u32,
    /// PACKET_MR_*.
    pub kind: u32,
}

/// Layout of the kernel structures that are read: byte offsets from the running kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketSocketLayout {
    /// The way from an open file to its socket.
    pub files: OpenFileLayout,
    /// `packet_sock.ifindex`.
    pub packet_ifindex: u32,
    /// `packet_sock.num`.
    pub packet_num: u32,
    /// `packet_sock.mclist`.
    pub packet_mclist: u32,
    /// `packet_sock.tp_drops`.
    pub packet_ring_drops: u32,
    /// `packet_sock.rx_ring.pg_vec`.
    pub packet_ring: u32,
    /// `packet_mclist.next`.
    pub mclist_next: u32,
    /// `packet_mclist.ifindex`.
    pub mclist_ifindex: u32,
    /// `packet_mclist.count`.
    pub mclist_count: u32,
    /// `packet_mclist.type`.
    pub mclist_type: u32,
}

impl PacketSocketLayout {
    /// All zero, for the program's own static.
    pub const ZERO: Self = Self {
        files: OpenFileLayout::ZERO,
        packet_ifindex: 0,
        packet_num: 0,
        packet_mclist: 0,
        packet_ring_drops: 0,
        packet_ring: 0,
        mclist_next: 0,
        mclist_ifindex: 0,
        mclist_count: 0,
        mclist_type: 0,
    };
}
