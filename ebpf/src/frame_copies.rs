//! Counts frames that come in on two interfaces of one namespace within a tenth of a second.
//!
//! The hook is the tracepoint `netif_receive_skb(struct sk_buff *skb)`, alike on 5.10 to 6.18. The kernel passes it
//! with every packet that comes in, before it takes a VLAN tag off and before a receive handler sees the packet
//! (`__netif_receive_skb_core`). `skb->network_header` is then not set: the network header is at `skb->data`.
//!
//! <https://elixir.bootlin.com/linux/v6.12/source/net/core/dev.c>
//!
//! Most packets are for one receiver and cost only a look at their type.

#![expect(
    unsafe_code,
    reason = "reads the tracepoint's argument and map memory through pointers"
)]

mod frame;

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_NOEXIST},
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_tracepoint, map, raw_tracepoint},
    maps::{LruHashMap, PerCpuArray, PerCpuHashMap},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use netdiag_abi::frame_copies::{
    Copies, CopyKey, FrameCopiesLayout, FrameKey, LONGEST_GAP_NS, MAX_COPIES, MAX_FRAMES, Sight,
    total,
};

use self::frame::Frame;
use crate::read::{Arguments, Direct, Probed, Read};

/// Filled in by the agent before the program is loaded.
#[unsafe(no_mangle)]
static FRAME_COPIES_LAYOUT: FrameCopiesLayout = FrameCopiesLayout::ZERO;

/// A value of [`FRAME_COPIES_LAYOUT`].
macro_rules! layout {
    ($field:ident) => {
        crate::read::constant(&crate::frame_copies::FRAME_COPIES_LAYOUT.$field)
    };
}
use layout;

/// The place at which each frame came in first.
#[map]
static FRAME_COPIES_FRAMES: LruHashMap<FrameKey, Sight> =
    LruHashMap::with_max_entries(MAX_FRAMES, 0);

/// Frames that came in again elsewhere.
#[map]
static FRAME_COPIES_COUNTS: PerCpuHashMap<CopyKey, Copies> =
    PerCpuHashMap::with_max_entries(MAX_COPIES, 0);

/// Frames by what became of them: indices of [`total`].
#[map]
static FRAME_COPIES_TOTALS: PerCpuArray<u64> = PerCpuArray::with_max_entries(total::ELEMENTS, 0);

/// PACKET_BROADCAST and PACKET_MULTICAST of `<linux/if_packet.h>`.
const PACKET_BROADCAST: u8 = 1;
const PACKET_MULTICAST: u8 = 2;

/// IFF_LOOPBACK and IFF_SLAVE (of a bond) of `<linux/if.h>`.
const IFF_LOOPBACK: u32 = 0x8;
const IFF_SLAVE: u32 = 0x800;

#[btf_tracepoint(function = "netif_receive_skb")]
fn frame_copies_direct(context: BtfTracePointContext) -> i32 {
    observe::<Direct>(Arguments::of(&context).get(0))
}

#[btf_tracepoint(function = "netif_receive_skb")]
fn frame_copies_probed(context: BtfTracePointContext) -> i32 {
    observe::<Probed>(Arguments::of(&context).get(0))
}

#[raw_tracepoint(tracepoint = "netif_receive_skb")]
fn frame_copies_raw(context: RawTracePointContext) -> i32 {
    observe::<Probed>(Arguments::of(&context).get(0))
}

#[inline(always)]
fn observe<R: Read>(skb: *const u8) -> i32 {
    // SAFETY: skb is the tracepoint's argument, and the device of a packet that comes in is set.
    let (device, net) = unsafe {
        let packet_type = R::field::<u8>(skb, layout!(skb_packet_type))
            >> (layout!(skb_packet_type_shift) & 7)
            & 0b111;
        if packet_type != PACKET_BROADCAST && packet_type != PACKET_MULTICAST {
            return 0;
        }
        let device = R::pointer(skb, layout!(skb_dev));
        if device.is_null() || is_passed_on::<R>(device) {
            return 0;
        }
        let net = R::pointer(device, layout!(device_net));
        if net.is_null() {
            return 0;
        }
        (device, net)
    };
    let frame = match frame::read::<R>(skb) {
        Frame::Comparable(frame) => frame,
        Frame::Unreadable => return add_one(total::UNREADABLE),
        Frame::Other => return 0,
    };
    add_one(total::COMPARED);
    // SAFETY: both are what the packet's device led to.
    let (net_id, inum, ifindex) = unsafe {
        let net_id: u64 = if layout!(has_cookie) != 0 {
            R::field(net, layout!(net_cookie))
        } else {
            // The address itself, read as a number: the verifier allows no arithmetic on a typed pointer.
            Probed::field(device, layout!(device_net))
        };
        (
            net_id,
            R::field(net, layout!(net_inum)),
            R::field(device, layout!(device_ifindex)),
        )
    };
    let key = FrameKey {
        net: net_id,
        sender: frame.sender,
        beginning: frame.beginning,
    };
    let now = Sight {
        // SAFETY: the helper has no preconditions.
        at_ns: unsafe { bpf_ktime_get_ns() },
        ifindex,
        vlan: u32::from(frame.vlan),
    };
    let Some((first, gap_ns)) = seen_elsewhere(&key, now) else {
        return 0;
    };
    count(
        &CopyKey {
            net: net_id,
            source: frame.source,
            destination: frame.destination,
            inum,
            first: first.ifindex,
            second: ifindex,
            first_vlan: first.vlan as u16,
            second_vlan: frame.vlan,
            ethertype: frame.ethertype,
            is_fragment: u16::from(frame.is_fragment),
            reserved: 0,
        },
        gap_ns,
    )
}

/// True if the device hands what comes in on to another, which then receives it anew: a port of a bridge, the lower
/// device of a macvlan. What a bond's or a team's port takes in goes on as the bond's without being received anew
/// (RX_HANDLER_ANOTHER), so the port stands for it here.
///
/// # Safety
/// `device` must be the packet's device.
#[inline(always)]
unsafe fn is_passed_on<R: Read>(device: *const u8) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let flags: u32 = R::field(device, layout!(device_flags));
        if flags & IFF_LOOPBACK != 0 {
            return true;
        }
        if R::field::<u64>(device, layout!(device_rx_handler)) == 0 || flags & IFF_SLAVE != 0 {
            return false;
        }
        let private: u32 = R::field(device, layout!(device_private_flags));
        private & layout!(team_port) == 0
    }
}

/// The first sight of this frame on another device, and how long ago that was; remembers this one if there is none.
#[inline(always)]
fn seen_elsewhere(key: &FrameKey, now: Sight) -> Option<(Sight, u64)> {
    let first = match FRAME_COPIES_FRAMES.get_ptr_mut(key) {
        Some(first) => first,
        None => {
            if FRAME_COPIES_FRAMES
                .insert(key, now, u64::from(BPF_NOEXIST))
                .is_ok()
            {
                return None;
            }
            // Copies may come in on two CPUs at once: the other was faster. Or there is no room.
            match FRAME_COPIES_FRAMES.get_ptr_mut(key) {
                Some(first) => first,
                None => {
                    add_one(total::LOST);
                    return None;
                }
            }
        }
    };
    // SAFETY: the map gave the pointer. Sights are replaced as a whole by the map, never written in place.
    let first = unsafe { *first };
    let gap_ns = now.at_ns.saturating_sub(first.at_ns);
    if gap_ns > LONGEST_GAP_NS {
        if FRAME_COPIES_FRAMES
            .insert(key, now, u64::from(BPF_ANY))
            .is_err()
        {
            add_one(total::LOST);
        }
        return None;
    }
    (first.ifindex != now.ifindex).then_some((first, gap_ns))
}

#[inline(always)]
fn count(key: &CopyKey, gap_ns: u64) -> i32 {
    let copies = match FRAME_COPIES_COUNTS.get_ptr_mut(key) {
        Some(copies) => copies,
        None => {
            let one = Copies {
                count: 1,
                longest_gap_ns: gap_ns,
            };
            if FRAME_COPIES_COUNTS
                .insert(key, one, u64::from(BPF_NOEXIST))
                .is_ok()
            {
                return 0;
            }
            // Another CPU was faster, or the map is full.
            match FRAME_COPIES_COUNTS.get_ptr_mut(key) {
                Some(copies) => copies,
                None => return add_one(total::LOST),
            }
        }
    };
    // SAFETY: the map gave the pointer, and only this CPU writes this element.
    unsafe {
        (*copies).count += 1;
        if gap_ns > (*copies).longest_gap_ns {
            (*copies).longest_gap_ns = gap_ns;
        }
    }
    0
}

#[inline(always)]
fn add_one(index: u32) -> i32 {
    if let Some(total) = FRAME_COPIES_TOTALS.get_ptr_mut(index) {
        // SAFETY: the map gave the pointer, and only this CPU writes this element.
        unsafe { *total += 1 };
    }
    0
}
