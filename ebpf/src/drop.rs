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
//! must not cost more than some tens of nanoseconds a packet, since a flood of drops is when they matter.

#![expect(
    unsafe_code,
    reason = "reads the tracepoint's arguments and map memory through pointers"
)]

mod count;
mod place;
mod sample;

use aya_ebpf::{
    EbpfContext,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use netdiag_abi::drop::{DropKey, DropLayout, OVERFLOW};

use crate::read::{Direct, Probed, Read};

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

/// The tracepoint's arguments: an array of 64-bit values in typed and raw tracepoints alike.
#[derive(Clone, Copy)]
struct Arguments(*const u64);

impl Arguments {
    #[inline(always)]
    fn of(context: &impl EbpfContext) -> Self {
        Self(context.as_ptr().cast())
    }

    /// The `index`th argument, which the tracepoint must have, or the verifier refuses the program. The read is
    /// volatile so that the compiler never moves it before the check of their number.
    #[inline(always)]
    fn get<T>(self, index: usize) -> T {
        // SAFETY: the caller has checked the number of arguments.
        unsafe { self.0.add(index).cast::<T>().read_volatile() }
    }
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
    let place = place::of_packet::<R>(skb, arguments);
    // SAFETY: skb is the tracepoint's first argument.
    let protocol: u16 = unsafe { R::field(skb, layout!(skb_protocol)) };
    let key = DropKey {
        net: place.net,
        location: arguments.get(1),
        inum: place.inum,
        ifindex: place.ifindex,
        reason,
        protocol: u16::from_be(protocol),
        origin: place.origin,
    };
    let index = count::index_of(key);
    let seen = count::add_one(index);
    if index != OVERFLOW && count::wants_sample(index, seen) {
        sample::take::<R>(skb, index, key.protocol);
    }
}
