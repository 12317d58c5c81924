//! Copies the beginning of a dropped packet into the ring.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_kernel},
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use netdiag_abi::drop::{
    ABSENT, LONG_SAMPLE_BYTES, LongSample, RING_BYTES, SAMPLE_BYTES, Sample, SampleHeader,
    sample_flags,
};

use super::{layout, place};
use crate::read::Read;

/// Samples on their way to the agent, which looks into it about once a second; nothing wakes it.
#[map]
static DROP_SAMPLES: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// Samples that found the ring full.
#[map]
static DROP_LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

const ETH_P_802_2: u16 = 0x0004;
const ETH_P_LLDP: u16 = 0x88cc;

/// Least length of a link layer header: Ethernet's.
const LINK_HEADER_BYTES: u32 = 14;

/// The place of the packet's bytes.
struct Extent {
    /// Offsets from `skb->head`: of the first byte to copy, and of the end of the linear part.
    start: u32,
    end: u32,
    header: SampleHeader,
}

/// Copies the packet's first bytes and what the kernel knows about them, if no more than `most_used` bytes of the ring
/// are taken. False if the sample found no room.
#[inline(always)]
pub fn take<R: Read>(skb: *const u8, index: u32, protocol: u16, most_used: u32) -> bool {
    if DROP_SAMPLES.query(u64::from(BPF_RB_AVAIL_DATA)) > u64::from(most_used) {
        return lose();
    }
    let extent = measure::<R>(skb, index);
    // SAFETY: skb is the tracepoint's argument.
    let head: u64 = unsafe { R::pointer(skb, layout!(skb_head)) } as u64;
    if protocol == ETH_P_LLDP || protocol == ETH_P_802_2 {
        let Some(mut entry) = DROP_SAMPLES.reserve::<LongSample>(0) else {
            return lose();
        };
        let sample = entry.as_mut_ptr();
        // SAFETY: the ring gave room for a whole sample; the copy is bounded by its array.
        unsafe {
            let bytes = (&raw mut (*sample).bytes).cast();
            let copied = copy::<{ LONG_SAMPLE_BYTES as u32 }>(bytes, head, &extent);
            (*sample).header = extent.header;
            (*sample).header.copied = copied;
            place::name_of_device(skb, &raw mut (*sample).device);
        }
        entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    } else {
        let Some(mut entry) = DROP_SAMPLES.reserve::<Sample>(0) else {
            return lose();
        };
        let sample = entry.as_mut_ptr();
        // SAFETY: as above.
        unsafe {
            let bytes = (&raw mut (*sample).bytes).cast();
            let copied = copy::<{ SAMPLE_BYTES as u32 }>(bytes, head, &extent);
            (*sample).header = extent.header;
            (*sample).header.copied = copied;
            place::name_of_device(skb, &raw mut (*sample).device);
        }
        entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    }
    true
}

/// Finds the packet's bytes: from the link header if it is there, else from the network header, else from the data.
#[inline(always)]
fn measure<R: Read>(skb: *const u8, index: u32) -> Extent {
    // SAFETY: skb is the tracepoint's argument, and every offset is one of its fields.
    unsafe {
        let head = R::pointer(skb, layout!(skb_head)) as u64;
        let data = (R::pointer(skb, layout!(skb_data)) as u64).wrapping_sub(head) as u32;
        let length: u32 = R::field(skb, layout!(skb_len));
        let paged: u32 = R::field(skb, layout!(skb_data_len));
        let mac: u16 = R::field(skb, layout!(skb_mac_header));
        let network: u16 = R::field(skb, layout!(skb_network_header));
        let transport: u16 = R::field(skb, layout!(skb_transport_header));
        let end = data.wrapping_add(length.wrapping_sub(paged));

        let has_network = network != ABSENT && network != 0 && u32::from(network) < end;
        let has_link = has_network
            && mac != ABSENT
            && u32::from(mac) + LINK_HEADER_BYTES <= u32::from(network);
        let start = if has_link {
            u32::from(mac)
        } else if has_network {
            u32::from(network)
        } else {
            data
        };
        let tag = vlan_tag::<R>(skb);
        let mut extent = Extent {
            start,
            end,
            header: SampleHeader {
                at_ns: bpf_ktime_get_ns(),
                index,
                length: data.wrapping_add(length).wrapping_sub(start),
                skb_iif: R::field(skb, layout!(skb_iif)),
                route_ifindex: 0,
                route_mtu: 0,
                copied: 0,
                network_offset: offset_from(start, network, has_network),
                transport_offset: offset_from(
                    start,
                    transport,
                    transport != ABSENT && transport > network && u32::from(transport) < end,
                ),
                vlan_tci: tag.unwrap_or(0),
                packet_type: R::field::<u8>(skb, layout!(skb_packet_type))
                    >> (layout!(skb_packet_type_shift) & 7)
                    & 0b111,
                ip_summed: R::field::<u8>(skb, layout!(skb_ip_summed))
                    >> (layout!(skb_ip_summed_shift) & 7)
                    & 0b11,
                flags: if has_link {
                    sample_flags::LINK_HEADER
                } else {
                    0
                } | if tag.is_some() { sample_flags::VLAN } else { 0 },
            },
        };
        place::note_route(skb, &mut extent.header);
        extent
    }
}

#[inline(always)]
fn offset_from(start: u32, header: u16, is_set: bool) -> u16 {
    if is_set {
        u32::from(header).wrapping_sub(start) as u16
    } else {
        ABSENT
    }
}

/// The VLAN tag that the device took out of the frame. Whether there is one is a bit of its own until 6.1, and said
/// by protocol and tag together not being 0 after that.
///
/// # Safety
/// `skb` must be the tracepoint's argument.
#[inline(always)]
unsafe fn vlan_tag<R: Read>(skb: *const u8) -> Option<u16> {
    // SAFETY: the caller's promise.
    unsafe {
        let mask = layout!(skb_vlan_present_mask);
        let present = if mask != 0 {
            u32::from(R::field::<u8>(skb, layout!(skb_vlan_present))) & mask
        } else {
            R::field::<u32>(skb, layout!(skb_vlan_present))
        };
        (present != 0).then(|| R::field(skb, layout!(skb_vlan_tci)))
    }
}

/// Copies up to `CAPACITY` bytes of the linear part; returns how many.
///
/// # Safety
/// `bytes` must have room for `CAPACITY` bytes.
#[inline(always)]
unsafe fn copy<const CAPACITY: u32>(bytes: *mut u8, head: u64, extent: &Extent) -> u16 {
    if extent.end <= extent.start {
        return 0;
    }
    let mut length = extent.end - extent.start;
    if length > CAPACITY {
        length = CAPACITY;
    }
    let from = head.wrapping_add(u64::from(extent.start)) as *const core::ffi::c_void;
    // SAFETY: the room is the caller's promise, and the helper checks the source.
    let result = unsafe { bpf_probe_read_kernel(bytes.cast(), length, from) };
    if result == 0 { length as u16 } else { 0 }
}

#[inline(always)]
fn lose() -> bool {
    if let Some(lost) = DROP_LOST.get_ptr_mut(0) {
        // SAFETY: the map gave the pointer, and only this CPU writes this element.
        unsafe { *lost += 1 };
    }
    false
}
