//! Counts what generic receive offload (GRO) makes of TCP packets, with and without a segment routing header.
//!
//! The hooks are tracepoints around `napi_gro_receive` and `napi_gro_frags`, on the CPU that polls a device; alike on
//! 5.10 to 6.18:
//! - `napi_gro_receive_entry(const struct sk_buff *skb)`, `napi_gro_frags_entry(..)`: the packet, its link layer
//!   header already behind `skb->data`;
//! - `napi_gro_receive_exit(int ret)`, `napi_gro_frags_exit(..)`: what became of it, an `enum gro_result`.
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/include/trace/events/net.h>
//!
//! A device hands over one packet at a time, so the entry leaves the packet's key for the exit of the same CPU.

#![expect(
    unsafe_code,
    reason = "reads the tracepoints' arguments and map memory through pointers"
)]

mod header;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::{btf_tracepoint, map, raw_tracepoint},
    maps::{PerCpuArray, PerCpuHashMap},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use netdiag_abi::gro::{GroCounts, GroKey, GroLayout, MAX_KEYS, kind, lost};

use crate::read::{Arguments, Direct, Probed, Read};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static GRO_LAYOUT: GroLayout = GroLayout::ZERO;

/// A value of [`GRO_LAYOUT`].
macro_rules! layout {
    ($field:ident) => {
        crate::read::constant(&crate::gro::GRO_LAYOUT.$field)
    };
}
use layout;

/// Packets by key.
#[map]
static GRO_COUNTS: PerCpuHashMap<GroKey, GroCounts> = PerCpuHashMap::with_max_entries(MAX_KEYS, 0);

/// The key of the packet that this CPU is in the middle of; of kind [`kind::OTHER`] when there is none.
#[map]
static GRO_PENDING: PerCpuArray<GroKey> = PerCpuArray::with_max_entries(1, 0);

/// Packets that could not be counted, by why.
#[map]
static GRO_LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(lost::ELEMENTS, 0);

#[btf_tracepoint(function = "napi_gro_receive_entry")]
fn gro_receive_entry_direct(context: BtfTracePointContext) -> i32 {
    enter::<Direct>(Arguments::of(&context).get(0))
}

#[btf_tracepoint(function = "napi_gro_receive_entry")]
fn gro_receive_entry_probed(context: BtfTracePointContext) -> i32 {
    enter::<Probed>(Arguments::of(&context).get(0))
}

#[raw_tracepoint(tracepoint = "napi_gro_receive_entry")]
fn gro_receive_entry_raw(context: RawTracePointContext) -> i32 {
    enter::<Probed>(Arguments::of(&context).get(0))
}

#[btf_tracepoint(function = "napi_gro_frags_entry")]
fn gro_frags_entry_direct(context: BtfTracePointContext) -> i32 {
    enter::<Direct>(Arguments::of(&context).get(0))
}

#[btf_tracepoint(function = "napi_gro_frags_entry")]
fn gro_frags_entry_probed(context: BtfTracePointContext) -> i32 {
    enter::<Probed>(Arguments::of(&context).get(0))
}

#[raw_tracepoint(tracepoint = "napi_gro_frags_entry")]
fn gro_frags_entry_raw(context: RawTracePointContext) -> i32 {
    enter::<Probed>(Arguments::of(&context).get(0))
}

#[btf_tracepoint(function = "napi_gro_receive_exit")]
fn gro_receive_exit(context: BtfTracePointContext) -> i32 {
    leave(Arguments::of(&context).get(0))
}

#[raw_tracepoint(tracepoint = "napi_gro_receive_exit")]
fn gro_receive_exit_raw(context: RawTracePointContext) -> i32 {
    leave(Arguments::of(&context).get(0))
}

#[btf_tracepoint(function = "napi_gro_frags_exit")]
fn gro_frags_exit(context: BtfTracePointContext) -> i32 {
    leave(Arguments::of(&context).get(0))
}

#[raw_tracepoint(tracepoint = "napi_gro_frags_exit")]
fn gro_frags_exit_raw(context: RawTracePointContext) -> i32 {
    leave(Arguments::of(&context).get(0))
}

/// Notes what the packet is.
#[inline(always)]
fn enter<R: Read>(skb: *const u8) -> i32 {
    let Some(pending) = GRO_PENDING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: skb is the tracepoint's argument and its device is set; the map gave `pending`, which only this CPU uses.
    unsafe {
        (*pending).kind = header::kind_of::<R>(skb);
        if (*pending).kind == kind::OTHER {
            return 0;
        }
        let device = R::pointer(skb, layout!(skb_dev));
        let net = R::pointer(device, layout!(device_net));
        (*pending).ifindex = R::field(device, layout!(device_ifindex));
        (*pending).inum = R::field(net, layout!(net_inum));
        (*pending).net = if layout!(has_cookie) != 0 {
            R::field(net, layout!(net_cookie))
        } else {
            // The address itself, read as a number: the verifier allows no arithmetic on a typed pointer.
            Probed::field(device, layout!(device_net))
        };
    }
    0
}

/// Counts the packet by what became of it.
#[inline(always)]
fn leave(result: u64) -> i32 {
    let Some(pending) = GRO_PENDING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the maps gave both pointers, and only this CPU uses what they point to.
    unsafe {
        if (*pending).kind == kind::OTHER {
            return 0;
        }
        let Some(counts) = counts_of(&*pending) else {
            (*pending).kind = kind::OTHER;
            return count_lost(lost::NO_ROOM);
        };
        (*pending).kind = kind::OTHER;
        (*counts).offered += 1;
        let result = result as u32;
        if result == layout!(result_merged) || result == layout!(result_merged_free) {
            (*counts).merged += 1;
        } else if result == layout!(result_held) {
            (*counts).held += 1;
        }
    }
    0
}

/// The value at which counting begins. Made on the stack, it would be cleared by `memset`, a subprogram.
static NOTHING_YET: GroCounts = GroCounts {
    offered: 0,
    merged: 0,
    held: 0,
};

/// This CPU's counts of a key; `None` where the map is full.
#[inline(always)]
fn counts_of(key: &GroKey) -> Option<*mut GroCounts> {
    if let Some(counts) = GRO_COUNTS.get_ptr_mut(key) {
        return Some(counts);
    }
    // Another CPU may be faster, and the map may be full: the second look tells.
    let _ = GRO_COUNTS.insert(key, &NOTHING_YET, u64::from(BPF_NOEXIST));
    GRO_COUNTS.get_ptr_mut(key)
}

#[inline(always)]
fn count_lost(why: u32) -> i32 {
    if let Some(lost) = GRO_LOST.get_ptr_mut(why) {
        // SAFETY: the map gave the pointer, and only this CPU writes this element.
        unsafe { *lost += 1 };
    }
    0
}
