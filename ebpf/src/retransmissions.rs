//! Joins TCP segments that sockets send again to drops of their earlier copies on this node.
//!
//! The hooks are tracepoints:
//! - `kfree_skb`, as for the `drop` probe: remembers dropped segments by sequence number, with both ends;
//! - `tcp_retransmit_skb(const struct sock *sk, const struct sk_buff *skb)`, from 6.16 on `(.., int err)`;
//! - `tcp_retransmit_synack(const struct sock *sk, const struct request_sock *req)`: the answer to a connection request
//!   has no socket of its own yet.
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/include/trace/events/tcp.h>
//!
//! The last two fire where the kernel raises Tcp.RetransSegs (`__tcp_retransmit_skb`, `tcp_rtx_synack`). All run only
//! while the agent has a question to them. They call no subprograms, as the `drop` programs.

#![expect(
    unsafe_code,
    reason = "reads kernel memory and map memory through pointers"
)]

mod memory;
mod packet;
mod socket;

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use netdiag_abi::{
    drop::DropKey,
    retransmissions::{Ends, MAX_SEGMENTS, RetransmissionLayout, total},
};

use crate::{
    drop::place,
    read::{Arguments, Direct, Probed, Read},
};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static RETRANSMISSION_LAYOUT: RetransmissionLayout = RetransmissionLayout::ZERO;

/// A value of [`RETRANSMISSION_LAYOUT`].
macro_rules! layout {
    ($($field:ident).+) => {
        crate::read::constant(&crate::retransmissions::RETRANSMISSION_LAYOUT.$($field).+)
    };
}
use layout;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;

/// `skb->pkt_type` (include/uapi/linux/if_packet.h): addressed to somebody else, and on its way out as a copy for
/// packet sockets (`dev_queue_xmit_nit`).
const PACKET_OTHERHOST: u8 = 3;
const PACKET_OUTGOING: u8 = 4;

/// Typed tracepoint, plain loads.
#[btf_tracepoint(function = "kfree_skb")]
fn retransmissions_drop_direct(context: BtfTracePointContext) -> i32 {
    dropped::<Direct>(Arguments::of(&context));
    0
}

/// Typed tracepoint, reads by helper.
#[btf_tracepoint(function = "kfree_skb")]
fn retransmissions_drop_probed(context: BtfTracePointContext) -> i32 {
    dropped::<Probed>(Arguments::of(&context));
    0
}

/// Raw tracepoint, reads by helper.
#[raw_tracepoint(tracepoint = "kfree_skb")]
fn retransmissions_drop_raw(context: RawTracePointContext) -> i32 {
    dropped::<Probed>(Arguments::of(&context));
    0
}

/// Typed tracepoint, plain loads.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn retransmissions_sent_direct(context: BtfTracePointContext) -> i32 {
    sent_again::<Direct>(Arguments::of(&context));
    0
}

/// Typed tracepoint, reads by helper.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn retransmissions_sent_probed(context: BtfTracePointContext) -> i32 {
    sent_again::<Probed>(Arguments::of(&context));
    0
}

/// Raw tracepoint, reads by helper.
#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
fn retransmissions_sent_raw(context: RawTracePointContext) -> i32 {
    sent_again::<Probed>(Arguments::of(&context));
    0
}

/// Typed tracepoint, plain loads.
#[btf_tracepoint(function = "tcp_retransmit_synack")]
fn retransmissions_synack_direct(context: BtfTracePointContext) -> i32 {
    answered_again::<Direct>(Arguments::of(&context));
    0
}

/// Typed tracepoint, reads by helper.
#[btf_tracepoint(function = "tcp_retransmit_synack")]
fn retransmissions_synack_probed(context: BtfTracePointContext) -> i32 {
    answered_again::<Probed>(Arguments::of(&context));
    0
}

/// Raw tracepoint, reads by helper.
#[raw_tracepoint(tracepoint = "tcp_retransmit_synack")]
fn retransmissions_synack_raw(context: RawTracePointContext) -> i32 {
    answered_again::<Probed>(Arguments::of(&context));
    0
}

/// Segments that follow each other: the first one's sequence number, how many, and the bytes of each but the last.
#[derive(Clone, Copy)]
struct Segments {
    ends: Ends,
    first: u32,
    count: u32,
    size: u32,
}

/// A packet was dropped.
#[inline(always)]
fn dropped<R: Read>(arguments: Arguments) {
    let skb: *const u8 = arguments.get(0);
    // SAFETY: skb is the tracepoint's first argument, and every offset is one of its fields.
    let (protocol, packet_type, came_in_on) = unsafe {
        (
            u16::from_be(R::field(skb, layout!(drop.skb_protocol))),
            R::field::<u8>(skb, layout!(drop.skb_packet_type))
                >> (layout!(drop.skb_packet_type_shift) & 7)
                & 0b111,
            R::field::<u32>(skb, layout!(drop.skb_iif)),
        )
    };
    if (protocol != ETH_P_IP && protocol != ETH_P_IPV6) || packet_type == PACKET_OUTGOING {
        return;
    }
    let mut reason = 0;
    if layout!(drop.arguments) > 2 {
        reason = arguments.get::<u64>(2) as u32;
        if reason == layout!(drop.reason_consumed)
            || reason == layout!(drop.reason_not_dropped)
            || reason == layout!(reason_other_host)
        {
            return;
        }
    }
    let Some(segments) = packet::segments_of::<R>(skb, protocol) else {
        return;
    };
    let place = place::of_packet::<R>(skb, arguments, &RETRANSMISSION_LAYOUT.drop);
    // A promiscuous device sees frames for others and drops them where it is: copies. What a bridge hands on keeps the
    // same mark, and is lost when it is dropped on another device.
    if packet_type == PACKET_OTHERHOST && place.ifindex == came_in_on {
        return;
    }
    let key = DropKey {
        net: place.net,
        location: arguments.get(1),
        inum: place.inum,
        ifindex: place.ifindex,
        reason,
        protocol,
        origin: place.origin,
        subtype: 0,
    };
    for_each(segments, |sequence| {
        memory::remember(sequence, &segments.ends, key);
    });
}

/// A socket sent a packet again.
#[inline(always)]
fn sent_again<R: Read>(arguments: Arguments) {
    let sk: *const u8 = arguments.get(0);
    let skb: *const u8 = arguments.get(1);
    // Below zero it did not leave TCP, which Tcp.RetransSegs does not count; above, the device's queue refused it.
    if layout!(retransmit_arguments) > 2 && (arguments.get::<u64>(2) as i32) < 0 {
        return;
    }
    // SAFETY: sk and skb are the tracepoint's arguments, and every offset is one of their fields.
    let segments = unsafe {
        let family: u16 = R::field(sk, layout!(common_family));
        let count = u32::from(R::field::<u16>(skb, layout!(segment_count)));
        Segments {
            ends: socket::ends_of::<R>(sk, family),
            first: R::field(skb, layout!(segment_sequence)),
            count: if count == 0 { 1 } else { count },
            size: u32::from(R::field::<u16>(skb, layout!(segment_size))),
        }
    };
    memory::add(total::SEGMENTS, u64::from(segments.count));
    for_each(segments, |sequence| {
        memory::explain(sequence, &segments.ends);
    });
}

/// A listener answered a connection request again.
#[inline(always)]
fn answered_again<R: Read>(arguments: Arguments) {
    let request: *const u8 = arguments.get(1);
    // SAFETY: request is the tracepoint's argument. The listener's family may be IPv6 where the request's is not, so it
    // is asked from its operations. It begins a tcp_request_sock, which the verifier does not know, so a helper reads
    // it.
    let (ends, sequence) = unsafe {
        let operations = Probed::pointer(request, layout!(request_operations));
        let family: u32 = Probed::field(operations, layout!(operations_family));
        (
            socket::ends_of::<R>(request, family as u16),
            Probed::field(request, layout!(request_sequence)),
        )
    };
    memory::add(total::SEGMENTS, 1);
    memory::explain(sequence, &ends);
}

/// Calls `with` for the sequence number of each of the segments, as far as they are looked at.
#[inline(always)]
fn for_each(segments: Segments, with: impl Fn(u32)) {
    let mut sequence = segments.first;
    for number in 0..MAX_SEGMENTS {
        if number >= segments.count {
            break;
        }
        with(sequence);
        sequence = sequence.wrapping_add(segments.size);
    }
}
