//! The common part of iterators over the open files of all processes.
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
    helpers::{bpf_get_current_task, bpf_sock_from_file, generated::bpf_probe_read_kernel},
};
use netdiag_abi::open_files::OpenFileLayout;

use crate::read::constant;

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
pub struct Context {
    /// The iterator's own.
    pub meta: *const IteratorMeta,
    /// The process, or a thread of it with files of its own.
    pub task: *const u8,
    /// The number of the descriptor.
    pub descriptor: u64,
    /// The open file.
    pub file: *mut file,
}

/// The socket of a file, null for what is none.
///
/// Kernels before 5.11 lack the helper; the verifier sees there that its branch is never taken and leaves it out. What
/// it does: a file on sockfs has its socket as private data (`sock_alloc_file`).
///
/// # Safety
/// `file` must be a file.
#[inline(always)]
pub unsafe fn socket_of(layout: &OpenFileLayout, file: *mut file) -> *const u8 {
    // SAFETY: the caller vouches for the file.
    unsafe {
        if constant(&layout.has_sock_from_file) != 0 {
            return bpf_sock_from_file(file).cast();
        }
        let file: *const u8 = file.cast();
        let inode = pointer(file, constant(&layout.file_inode));
        let super_block = pointer(inode, constant(&layout.inode_super_block));
        if field::<u64>(super_block, constant(&layout.super_block_magic)) != SOCKFS_MAGIC {
            return core::ptr::null();
        }
        pointer(file, constant(&layout.file_private))
    }
}

/// The number of a task's process in the pid namespace of the reader, which may not be the first one. Who reads the
/// iterator is its current task, and only tasks that its namespace can see are iterated over.
///
/// # Safety
/// `task` must be a task.
#[inline(always)]
pub unsafe fn process_of(layout: &OpenFileLayout, task: *const u8) -> u32 {
    // SAFETY: the caller vouches for the task; everything is read by the helper that checks addresses.
    unsafe {
        let reader = bpf_get_current_task() as *const u8;
        let level: u32 = field(
            pointer(reader, constant(&layout.task_thread_pid)),
            constant(&layout.pid_level),
        );
        let leader = pointer(task, constant(&layout.task_group_leader));
        let pid = pointer(leader, constant(&layout.task_thread_pid));
        let upid_size = constant(&layout.upid_ns) + size_of::<u64>() as u32;
        field(
            pid,
            constant(&layout.pid_numbers)
                .wrapping_add(level.wrapping_mul(upid_size))
                .wrapping_add(constant(&layout.upid_nr)),
        )
    }
}

/// Packets that a socket had no room for (`sk_drops_read`).
///
/// # Safety
/// `sk` must be a socket.
#[inline(always)]
pub unsafe fn drops_of(layout: &OpenFileLayout, sk: *const u8) -> u32 {
    // SAFETY: the caller vouches for the socket; everything is read by the helper that checks addresses.
    unsafe {
        if constant(&layout.has_drop_counters) != 0 {
            let counters = pointer(sk, constant(&layout.sock_drop_counters));
            if !counters.is_null() {
                let first: u32 = field(counters, constant(&layout.drop_counters_first));
                let second: u32 = field(counters, constant(&layout.drop_counters_second));
                return first.wrapping_add(second);
            }
        }
        field(sk, constant(&layout.sock_drops))
    }
}

/// A field of a kernel structure; what cannot be read is 0, because the helper clears what it cannot fill. Its result
/// is not looked at on purpose: a branch for each field would give the verifier more ways through the loop over
/// memberships than it follows.
///
/// # Safety
/// `T` must be an integer or a pointer.
#[inline(always)]
pub unsafe fn field<T: Copy>(base: *const u8, offset: u32) -> T {
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
pub unsafe fn pointer(base: *const u8, offset: u32) -> *const u8 {
    // SAFETY: as in `field`.
    unsafe { field::<u64>(base, offset) as *const u8 }
}
