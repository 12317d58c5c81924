//! Writes every packet socket (AF_PACKET) that a process has open, with its memberships.
//!
//! The hook is the iterator `task_file`, called with each open file of each process:
//! `int bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file)`, alike on
//! 5.10 to 6.18.
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/kernel/bpf/task_iter.c>

#![expect(unsafe_code, reason = "reads kernel structures through pointers")]

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::{file, seq_file},
    helpers::{
        bpf_get_current_task, bpf_seq_write, bpf_sock_from_file, generated::bpf_probe_read_kernel,
    },
};
use netdiag_abi::packet_sockets::{
    MAX_MEMBERSHIPS, MembershipRecord, PacketSocketLayout, PacketSocketRecord,
};

use crate::read::constant;

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

/// SOCKFS_MAGIC (include/uapi/linux/magic.h).
const SOCKFS_MAGIC: u64 = 0x534f_434b;

/// The beginning of `struct bpf_iter_meta`.
#[repr(C)]
pub struct IteratorMeta {
    /// The file that the records go to.
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
    // SAFETY: `file` is not null, and what is behind it is read by a helper that checks addresses.
    let socket = unsafe { socket_of(file) };
    if socket.is_null() {
        return 0;
    }
    // SAFETY: from here on everything is read by the helper that checks addresses.
    unsafe {
        let sk = pointer(socket, layout!(socket_sk));
        if sk.is_null() || field::<u16>(sk, layout!(sock_family)) != AF_PACKET {
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

/// The socket of a file, null for what is none.
///
/// Kernels before 5.11 lack the helper; the verifier sees there that its branch is never taken and leaves it out. What
/// it does: a file on sockfs has its socket as private data (`sock_alloc_file`).
///
/// # Safety
/// `file` must be a file.
#[inline(always)]
unsafe fn socket_of(file: *mut file) -> *const u8 {
    // SAFETY: the caller vouches for the file.
    unsafe {
        if layout!(has_sock_from_file) != 0 {
            return bpf_sock_from_file(file).cast();
        }
        let file: *const u8 = file.cast();
        let inode = pointer(file, layout!(file_inode));
        let super_block = pointer(inode, layout!(inode_super_block));
        if field::<u64>(super_block, layout!(super_block_magic)) != SOCKFS_MAGIC {
            return core::ptr::null();
        }
        pointer(file, layout!(file_private))
    }
}

/// # Safety
/// `sk` must be a packet socket and `task` a task.
#[inline(always)]
unsafe fn record_of(sk: *const u8, task: *const u8) -> PacketSocketRecord {
    // SAFETY: the caller vouches for both; what is behind them is read by the helper that checks addresses.
    unsafe {
        let net = pointer(sk, layout!(sock_net));
        let mut record = PacketSocketRecord {
            socket: sk as u64,
            cookie: 0,
            inum: field(net, layout!(net_inum)),
            pid: process_of(task),
            ifindex: field(sk, layout!(packet_ifindex)),
            protocol: field(sk, layout!(packet_num)),
            memberships: 0,
            list: [MembershipRecord {
                ifindex: 0,
                count: 0,
                kind: 0,
            }; MAX_MEMBERSHIPS],
        };
        if layout!(has_cookie) != 0 {
            record.cookie = field(net, layout!(net_cookie));
        }
        let mut entry = pointer(sk, layout!(packet_mclist));
        for membership in &mut record.list {
            if entry.is_null() {
                return record;
            }
            membership.ifindex = field(entry, layout!(mclist_ifindex));
            membership.count = field(entry, layout!(mclist_count));
            membership.kind = u32::from(field::<u16>(entry, layout!(mclist_type)));
            record.memberships += 1;
            entry = pointer(entry, layout!(mclist_next));
        }
        if !entry.is_null() {
            record.memberships += 1;
        }
        record
    }
}

/// The number of a task's process in the pid namespace of the reader, which may not be the first one. Who reads the
/// iterator is its current task, and only tasks that its namespace can see are iterated over.
///
/// # Safety
/// `task` must be a task.
#[inline(always)]
unsafe fn process_of(task: *const u8) -> u32 {
    // SAFETY: the caller vouches for the task; everything is read by the helper that checks addresses.
    unsafe {
        let reader = bpf_get_current_task() as *const u8;
        let level: u32 = field(
            pointer(reader, layout!(task_thread_pid)),
            layout!(pid_level),
        );
        let leader = pointer(task, layout!(task_group_leader));
        let pid = pointer(leader, layout!(task_thread_pid));
        let upid_size = layout!(upid_ns) + size_of::<u64>() as u32;
        field(
            pid,
            layout!(pid_numbers)
                .wrapping_add(level.wrapping_mul(upid_size))
                .wrapping_add(layout!(upid_nr)),
        )
    }
}

/// A field of a kernel structure; what cannot be read is 0, because the helper clears what it cannot fill. Its result
/// is not looked at on purpose: a branch for each field would give the verifier more ways through the loop over
/// memberships than it follows.
///
/// # Safety
/// `T` must be an integer or a pointer.
#[inline(always)]
unsafe fn field<T: Copy>(base: *const u8, offset: u32) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes exactly the bytes of `value`, whatever the address is.
    unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            base.wrapping_add(offset as usize).cast(),
        );
        value.assume_init()
    }
}

/// A pointer field.
///
/// # Safety
/// As [`field`].
#[inline(always)]
unsafe fn pointer(base: *const u8, offset: u32) -> *const u8 {
    // SAFETY: as in `field`.
    unsafe { field::<u64>(base, offset) as *const u8 }
}
