//! The layout by which iterators over open files find sockets and their holders.

use crate::plain::plain;

plain!(OpenFileLayout);

/// Layout of the kernel structures between an open file, its socket and its process: byte offsets from the running
/// kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFileLayout {
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
    /// `sock.sk_drops`.
    pub sock_drops: u32,
    /// `sock.sk_drop_counters` (6.18 on, where it is not null it counts in the place of `sk_drops`).
    pub sock_drop_counters: u32,
    /// Not 0 where a socket may have such counters.
    pub has_drop_counters: u32,
    /// `numa_drop_counters.drops0`.
    pub drop_counters_first: u32,
    /// `numa_drop_counters.drops1`.
    pub drop_counters_second: u32,
    /// `sock.sk_rcvbuf`.
    pub sock_receive_buffer: u32,
    /// `sock.sk_backlog.rmem_alloc`.
    pub sock_receive_memory: u32,
}

impl OpenFileLayout {
    /// All zero, for a program's own static.
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
        sock_drops: 0,
        sock_drop_counters: 0,
        has_drop_counters: 0,
        drop_counters_first: 0,
        drop_counters_second: 0,
        sock_receive_buffer: 0,
        sock_receive_memory: 0,
    };
}
