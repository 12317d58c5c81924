//! Writes every packet socket (AF_PACKET) that a process has open, with its memberships.
//!
//! The hook is the iterator `task_file`, called with each open file of each process:
//! `int bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file)`, alike on
//! 5.10 to 6.18. Needs `bpf_sock_from_file` (5.11).
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/kernel/bpf/task_iter.c>

#![expect(unsafe_code, reason = "reads kernel structures through pointers")]

use aya_ebpf::{
    bindings::{file, seq_file},
    helpers::{bpf_seq_write, bpf_sock_from_file},
};
use netdiag_abi::packet_sockets::{
    MAX_MEMBERSHIPS, MembershipRecord, PacketSocketLayout, PacketSocketRecord,
};

use crate::read::{Probed, Read, constant};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static PACKET_SOCKET_LAYOUT: PacketSocketLayout = PacketSocketLayout::ZERO;

/// A value of [`PACKET_SOCKET_LAYOUT`].
macro_rules! layout {
    ($field:ident) => {
        constant(&PACKET_SOCKET_LAYOUT.$field)
    };
}

const AF_PACKET: u16 = 17;

/// The beginning of `struct bpf_iter_meta`.
#[repr(C)]
pub struct IteratorMeta {
    /// Where the records go.
    pub seq: *mut seq_file,
    /// Number of the reading, unique until reboot.
    pub session_id: u64,
}

/// `struct bpf_iter__task_file`: every member takes eight bytes.
#[repr(C)]
struct Context {
    meta: *const IteratorMeta,
    task: *const u8,
    descriptor: u64,
    file: *mut file,
}

/// Called with each open file, and once more at the end with none.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn packet_sockets(context: *const Context) -> i32 {
    // SAFETY: the kernel calls with its own context of that layout; pointers in it are null or valid.
    let (meta, task, file) = unsafe {
        (
            (&raw const (*context).meta).read_volatile(),
            (&raw const (*context).task).read_volatile(),
            (&raw const (*context).file).read_volatile(),
        )
    };
    if task.is_null() || file.is_null() {
        return 0;
    }
    // SAFETY: `file` is not null; the helper gives null for what is no socket.
    let socket = unsafe { bpf_sock_from_file(file) };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: from here on everything is read by the helper that checks addresses.
    unsafe {
        let sk = Probed::pointer(socket.cast(), layout!(socket_sk));
        if sk.is_null() || Probed::field::<u16>(sk, layout!(sock_family)) != AF_PACKET {
            return 0;
        }
        let record = record_of(sk, task);
        bpf_seq_write(
            (*meta).seq,
            (&raw const record).cast(),
            size_of::<PacketSocketRecord>() as u32,
        );
    }
    0
}

/// # Safety
/// `sk` must be a packet socket and `task` a task.
#[inline(always)]
unsafe fn record_of(sk: *const u8, task: *const u8) -> PacketSocketRecord {
    // SAFETY: the caller vouches for both; what is behind them is read by the helper that checks addresses.
    unsafe {
        let net = Probed::pointer(sk, layout!(sock_net));
        let mut record = PacketSocketRecord {
            socket: sk as u64,
            cookie: 0,
            inum: Probed::field(net, layout!(net_inum)),
            pid: Probed::field(task, layout!(task_tgid)),
            ifindex: Probed::field(sk, layout!(packet_ifindex)),
            protocol: Probed::field(sk, layout!(packet_num)),
            memberships: 0,
            list: [MembershipRecord {
                ifindex: 0,
                count: 0,
                kind: 0,
            }; MAX_MEMBERSHIPS],
        };
        if layout!(has_cookie) != 0 {
            record.cookie = Probed::field(net, layout!(net_cookie));
        }
        let mut entry = Probed::pointer(sk, layout!(packet_mclist));
        for membership in &mut record.list {
            if entry.is_null() {
                return record;
            }
            membership.ifindex = Probed::field(entry, layout!(mclist_ifindex));
            membership.count = Probed::field(entry, layout!(mclist_count));
            membership.kind = u32::from(Probed::field::<u16>(entry, layout!(mclist_type)));
            record.memberships += 1;
            entry = Probed::pointer(entry, layout!(mclist_next));
        }
        if !entry.is_null() {
            record.memberships += 1;
        }
        record
    }
}
