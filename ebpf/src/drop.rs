//! Counts every packet that the kernel frees as dropped, and samples a few.
//!
//! The hook is the tracepoint `kfree_skb`:
//! - 5.10: `(struct sk_buff *skb, void *location)`
//! - 6.1: `(.., enum skb_drop_reason reason)`
//! - 6.12 and 6.18: `(.., struct sock *rx_sk)`
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/include/trace/events/skb.h>
//!
//! The agent loads the first of three programs that this kernel takes. They differ only in how they read memory: they
//! must not cost more than some tens of nanoseconds a packet, because a flood of drops is when they matter.

#![expect(
    unsafe_code,
    reason = "reads kernel memory and map memory through pointers"
)]

mod count;
pub(crate) mod place;
mod sample;
mod subtype;
mod turn;

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use netdiag_abi::drop::{DropKey, DropLayout, OVERFLOW};

use crate::read::{Arguments, Direct, Probed, Read};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static DROP_LAYOUT: DropLayout = DropLayout::ZERO;

/// A value of [`DROP_LAYOUT`].
macro_rules! layout {
    ($field:ident) => {
        crate::read::constant(&crate::drop::DROP_LAYOUT.$field)
    };
}
use layout;

/// `kfree_skb` with its arguments typed and plain loads from them.
#[btf_tracepoint(function = "kfree_skb")]
fn drop_direct(context: BtfTracePointContext) -> i32 {
    observe::<Direct>(Arguments::of(&context));
    0
}

/// The same where the verifier refuses plain loads at those offsets.
#[btf_tracepoint(function = "kfree_skb")]
fn drop_probed(context: BtfTracePointContext) -> i32 {
    observe::<Probed>(Arguments::of(&context));
    0
}

/// The same where typed tracepoints are refused.
#[raw_tracepoint(tracepoint = "kfree_skb")]
fn drop_raw(context: RawTracePointContext) -> i32 {
    observe::<Probed>(Arguments::of(&context));
    0
}

/// Nothing: what the cost of the others is measured against.
#[btf_tracepoint(function = "kfree_skb")]
fn drop_nothing(_context: BtfTracePointContext) -> i32 {
    0
}

#[inline(always)]
fn observe<R: Read>(arguments: Arguments) {
    let skb: *const u8 = arguments.get(0);
    let mut reason = 0;
    if layout!(arguments) > 2 {
        reason = arguments.get::<u64>(2) as u32;
        if reason == layout!(reason_consumed) || reason == layout!(reason_not_dropped) {
            return;
        }
    }
    let place = place::of_packet::<R>(skb, arguments, &DROP_LAYOUT);
    // SAFETY: skb is the tracepoint's first argument.
    let protocol: u16 = unsafe { R::field(skb, layout!(skb_protocol)) };
    let protocol = u16::from_be(protocol);
    let key = DropKey {
        net: place.net,
        location: arguments.get(1),
        inum: place.inum,
        ifindex: place.ifindex,
        reason,
        protocol,
        origin: place.origin,
        subtype: subtype::of_packet::<R>(skb, protocol),
    };
    let index = count::index_of(key);
    let seen = count::add_one(index);
    if index != OVERFLOW {
        turn::consider::<R>(skb, index, seen, key.protocol);
    }
}
