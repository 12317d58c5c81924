//! Writes the network devices of every namespace that a task is in, each namespace once.
//!
//! The hook is the iterator `task`, called with each task:
//! `int bpf_iter_task(struct bpf_iter_meta *meta, struct task_struct *task)`, alike on 5.10 to 6.18. The devices are
//! read without their lock: one that is being removed may be read once more, or end the list.
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/kernel/bpf/task_iter.c>

#![expect(unsafe_code, reason = "reads kernel structures through pointers")]

use aya_ebpf::{helpers::bpf_seq_write, macros::map, maps::LruHashMap};
use netdiag_abi::net_devices::{MAX_DEVICES, MAX_NAMESPACES, NetDeviceLayout, NetDeviceRecord};

use crate::{
    open_files::IteratorMeta,
    read::{Probed, Read, constant},
};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static NET_DEVICE_LAYOUT: NetDeviceLayout = NetDeviceLayout::ZERO;

/// A value of [`NET_DEVICE_LAYOUT`].
macro_rules! layout {
    ($field:ident) => {
        constant(&NET_DEVICE_LAYOUT.$field)
    };
}

/// Namespaces that were written in full, by address, with the reading for which they were. Where there are more of
/// them, some are written twice.
#[map]
static NET_DEVICES_WRITTEN: LruHashMap<u64, u64> = LruHashMap::with_max_entries(MAX_NAMESPACES, 0);

/// `struct bpf_iter__task`: every member takes eight bytes.
#[repr(C)]
struct Context {
    meta: *const IteratorMeta,
    task: *const u8,
}

/// Called with each task, and once more at the end with none.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn net_devices(context: *const Context) -> i32 {
    // SAFETY: the kernel calls with its own context of that layout; pointers in it are null or valid.
    let (meta, task) = unsafe {
        (
            (&raw const (*context).meta).read_volatile(),
            (&raw const (*context).task).read_volatile(),
        )
    };
    if task.is_null() {
        return 0;
    }
    // SAFETY: everything is read by the helper that checks addresses; a task that has ended has no nsproxy.
    let net = unsafe {
        Probed::pointer(
            Probed::pointer(task, layout!(task_nsproxy)),
            layout!(nsproxy_net),
        )
    };
    let key = net as u64;
    // SAFETY: `meta` is the iterator's. The agent runs one reading at a time, so nobody writes to the map meanwhile.
    let (reading, written_for) = unsafe { ((*meta).session_id, NET_DEVICES_WRITTEN.get(key)) };
    if net.is_null() || written_for.is_some_and(|written_for| *written_for == reading) {
        return 0;
    }
    // SAFETY: `net` is a namespace, `meta` the iterator's.
    if unsafe { write_devices(net, meta) } {
        // Only now: what does not fit into the reader's buffer is thrown away, and the task comes once more.
        let _ = NET_DEVICES_WRITTEN.insert(key, reading, 0);
    }
    0
}

/// Writes the devices of a namespace; true if all were written.
///
/// # Safety
/// `net` must be a namespace and `meta` the iterator's.
#[inline(always)]
unsafe fn write_devices(net: *const u8, meta: *const IteratorMeta) -> bool {
    // SAFETY: everything but `meta` is read by the helper that checks addresses.
    unsafe {
        let head = net.wrapping_add(layout!(net_devices) as usize);
        let mut record = NetDeviceRecord {
            cookie: 0,
            features: 0,
            inum: Probed::field(net, layout!(net_inum)),
            ifindex: 0,
            flags: 0,
            unicast_promiscuous: 0,
        };
        if layout!(has_cookie) != 0 {
            record.cookie = Probed::field(net, layout!(net_cookie));
        }
        // list_head.next is the first member.
        let mut entry = Probed::pointer(head, 0);
        for _ in 0..MAX_DEVICES {
            if entry == head || entry.is_null() {
                return true;
            }
            let device = entry.wrapping_sub(layout!(device_list) as usize);
            record.ifindex = Probed::field(device, layout!(device_ifindex));
            record.flags = Probed::field(device, layout!(device_flags));
            record.features = Probed::field(device, layout!(device_features));
            let uc_promisc = u32::from(Probed::field::<u8>(device, layout!(device_uc_promisc)));
            record.unicast_promiscuous =
                u32::from(uc_promisc & layout!(device_uc_promisc_mask) != 0);
            let written = bpf_seq_write(
                (*meta).seq,
                (&raw const record).cast(),
                size_of::<NetDeviceRecord>() as u32,
            );
            if written != 0 {
                return false;
            }
            entry = Probed::pointer(entry, 0);
        }
        true
    }
}
