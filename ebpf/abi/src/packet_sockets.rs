//! The records that the iterator over packet sockets writes, and the layout that it needs.

use crate::plain::plain;

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
    /// Not 0 where the helper `bpf_sock_from_file` is there (5.11 on); the next four are for kernels without.
    pub has_sock_from_file: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `file.private_data`.
    pub file_private: u32,
    /// `inode.i_sb`.
    pub inode_super_block: u32,
    /// `super_block.s_magic`.
    pub super_block_magic: u32,
    /// `socket.sk`.
    pub socket_sk: u32,
    /// `sock.__sk_common.skc_family`.
    pub sock_family: u32,
    /// `sock.__sk_common.skc_net.net`.
    pub sock_net: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `net.net_cookie`; meaningless without `has_cookie`.
    pub net_cookie: u32,
    /// Not 0 where a namespace gets its cookie at creation (5.12 on).
    pub has_cookie: u32,
    /// `task_struct.group_leader`.
    pub task_group_leader: u32,
    /// `task_struct.thread_pid`.
    pub task_thread_pid: u32,
    /// `pid.level`.
    pub pid_level: u32,
    /// `pid.numbers`, an array of `struct upid`.
    pub pid_numbers: u32,
    /// `upid.nr`.
    pub upid_nr: u32,
    /// `upid.ns`, the last member.
    pub upid_ns: u32,
    /// `packet_sock.ifindex`.
    pub packet_ifindex: u32,
    /// `packet_sock.num`.
    pub packet_num: u32,
    /// `packet_sock.mclist`.
    pub packet_mclist: u32,
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
        has_sock_from_file: 0,
        file_inode: 0,
        file_private: 0,
        inode_super_block: 0,
        super_block_magic: 0,
        socket_sk: 0,
        sock_family: 0,
        sock_net: 0,
        net_inum: 0,
        net_cookie: 0,
        has_cookie: 0,
        task_group_leader: 0,
        task_thread_pid: 0,
        pid_level: 0,
        pid_numbers: 0,
        upid_nr: 0,
        upid_ns: 0,
        packet_ifindex: 0,
        packet_num: 0,
        packet_mclist: 0,
        mclist_next: 0,
        mclist_ifindex: 0,
        mclist_count: 0,
        mclist_type: 0,
    };
}
