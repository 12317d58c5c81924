//! Which frames are compared, and what is known of them.
//!
//! A copy proves that two interfaces are in one broadcast domain only if no sender sends the same bytes into two of
//! them. So these are left out: link-local control protocols of switches and routers, which come from one address into
//! every VLAN, and IPv6 packets from link-local addresses, which a host with several VLANs has in each.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use netdiag_abi::frame_copies::BEGINNING_WORDS;

use super::layout;
use crate::read::{Probed, Read};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021AD: u16 = 0x88a8;

const IPPROTO_UDP: u8 = 17;
const IPPROTO_FRAGMENT: u8 = 44;
const IPPROTO_ICMPV6: u8 = 58;

/// Neighbour solicitation and advertisement (RFC 4861).
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// More fragments, and the offset, of the IPv4 header's flags and offset.
const FRAGMENT: u16 = 0x3fff;

/// Bytes that are compared: an ARP packet for IPv4, or an IPv4 header and the eight bytes behind it.
const SHORT: u32 = 28;
/// The same of IPv6.
const LONG: u32 = 48;

const LINK_HEADER: u64 = 14;
const VLAN_TAG: u32 = 4;
const VLAN_ID: u16 = 0x0fff;

/// The kinds of frames that the probe tells apart.
pub enum Frame {
    /// It may be compared.
    Comparable(Description),
    /// It should be compared, and its headers are not in the linear part of its buffer.
    Unreadable,
    /// It proves nothing.
    Other,
}

/// The known facts about a frame.
pub struct Description {
    /// The sender's link layer address with the EtherType above it.
    pub sender: u64,
    /// The first bytes of the packet, the rest 0.
    pub beginning: [u64; BEGINNING_WORDS],
    /// As in the key of copies.
    pub source: [u64; 2],
    pub destination: [u64; 2],
    pub ethertype: u16,
    /// VLAN id, 0 without a tag.
    pub vlan: u16,
    pub is_fragment: bool,
}

/// Source, destination, and whether it is a fragment.
type Flow = ([u64; 2], [u64; 2], bool);

/// Reads the frame's headers.
#[inline(always)]
pub fn read<R: Read>(skb: *const u8) -> Frame {
    // SAFETY: skb is the tracepoint's argument, and every offset is one of its fields.
    let (mut ethertype, mut vlan, mut data, mut linear, head, mac) = unsafe {
        (
            u16::from_be(R::field(skb, layout!(skb_protocol))),
            vlan_id::<R>(skb),
            R::pointer(skb, layout!(skb_data)) as u64,
            R::field::<u32>(skb, layout!(skb_len))
                .wrapping_sub(R::field::<u32>(skb, layout!(skb_data_len))),
            R::pointer(skb, layout!(skb_head)) as u64,
            R::field::<u16>(skb, layout!(skb_mac_header)),
        )
    };
    // A device that takes no tags off leaves them in front of the packet.
    if ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD {
        if linear < VLAN_TAG {
            return Frame::Unreadable;
        }
        // SAFETY: the helper checks the address.
        let (tag, inner) = unsafe {
            (
                Probed::field::<u16>(data as *const u8, 0),
                Probed::field::<u16>(data as *const u8, 2),
            )
        };
        vlan = u16::from_be(tag) & VLAN_ID;
        ethertype = u16::from_be(inner);
        data = data.wrapping_add(u64::from(VLAN_TAG));
        linear -= VLAN_TAG;
    }
    let is_long = match ethertype {
        ETH_P_ARP | ETH_P_IP => false,
        ETH_P_IPV6 => true,
        _ => return Frame::Other,
    };
    let link_header = head.wrapping_add(u64::from(mac));
    if mac == u16::MAX || data.wrapping_sub(link_header) < LINK_HEADER {
        return Frame::Other;
    }
    if linear < if is_long { LONG } else { SHORT } {
        return Frame::Unreadable;
    }
    let mut beginning = MaybeUninit::<[u64; BEGINNING_WORDS]>::uninit();
    let words = beginning.as_mut_ptr().cast::<u64>();
    for index in 0..BEGINNING_WORDS {
        // Word by word, because for an array of zeros the compiler calls `memset`, a subprogram: see `Direct`.
        // SAFETY: the index is within the array.
        unsafe { words.add(index).write_volatile(0) };
    }
    let to = words.cast();
    let from = data as *const core::ffi::c_void;
    // SAFETY: there is room for as many bytes, and the helper checks the source.
    let result = unsafe {
        if is_long {
            bpf_probe_read_kernel(to, LONG, from)
        } else {
            bpf_probe_read_kernel(to, SHORT, from)
        }
    };
    if result != 0 {
        return Frame::Unreadable;
    }
    // SAFETY: every word was written above.
    let beginning = unsafe { beginning.assume_init() };
    let flow = match ethertype {
        ETH_P_ARP => arp(&beginning),
        ETH_P_IP => ipv4(&beginning),
        _ => ipv6(&beginning),
    };
    let Some((source, destination, is_fragment)) = flow else {
        return Frame::Other;
    };
    // SAFETY: the helper checks the address. The sender's address is behind the receiver's.
    let sender = unsafe { Probed::field::<u64>(link_header.wrapping_add(4) as *const u8, 0) };
    Frame::Comparable(Description {
        sender: u64::from_be(sender) & 0xffff_ffff_ffff | u64::from(ethertype) << 48,
        beginning,
        source,
        destination,
        ethertype,
        vlan,
        is_fragment,
    })
}

/// The id of the VLAN tag that the device took out of the frame; 0 when there is none. Whether there is one is a bit of
/// its own until 6.1, and said by protocol and tag together not being 0 after that.
///
/// # Safety
/// `skb` must be the tracepoint's argument.
#[inline(always)]
unsafe fn vlan_id<R: Read>(skb: *const u8) -> u16 {
    // SAFETY: the caller's promise.
    unsafe {
        let mask = layout!(skb_vlan_present_mask);
        if mask != 0 && u32::from(R::field::<u8>(skb, layout!(skb_vlan_present))) & mask == 0 {
            return 0;
        }
        R::field::<u16>(skb, layout!(skb_vlan_tci)) & VLAN_ID
    }
}

/// ARP for IPv4 from a sender that has an address.
#[inline(always)]
fn arp(beginning: &[u64; BEGINNING_WORDS]) -> Option<Flow> {
    const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
    let [h0, h1, p0, p1, hardware, protocol, _, _] = beginning[0].to_ne_bytes();
    let [_, _, _, _, _, _, s0, s1] = beginning[1].to_ne_bytes();
    let [s2, s3, _, _, _, _, _, _] = beginning[2].to_ne_bytes();
    let is_known = [h0, h1, p0, p1, hardware, protocol] == ETHERNET_IPV4;
    let has_sender = s0 | s1 | s2 | s3 != 0;
    (is_known && has_sender).then_some(([0; 2], [0; 2], false))
}

/// Fragments, and UDP from a sender that has an address.
#[inline(always)]
fn ipv4(beginning: &[u64; BEGINNING_WORDS]) -> Option<Flow> {
    let [version, _, _, _, _, _, f0, f1] = beginning[0].to_ne_bytes();
    let [_, protocol, _, _, s0, s1, s2, s3] = beginning[1].to_ne_bytes();
    let [d0, d1, d2, d3, _, _, _, _] = beginning[2].to_ne_bytes();
    if version >> 4 != 4 {
        return None;
    }
    let is_fragment = u16::from_be_bytes([f0, f1]) & FRAGMENT != 0;
    let has_sender = s0 | s1 | s2 | s3 != 0;
    if !is_fragment && !(protocol == IPPROTO_UDP && has_sender) {
        return None;
    }
    let word = |bytes: [u8; 4]| {
        let [b0, b1, b2, b3] = bytes;
        u64::from_ne_bytes([b0, b1, b2, b3, 0, 0, 0, 0])
    };
    Some((
        [word([s0, s1, s2, s3]), 0],
        [word([d0, d1, d2, d3]), 0],
        is_fragment,
    ))
}

/// Fragments, and UDP and neighbour discovery from addresses of more than link-local scope.
#[inline(always)]
fn ipv6(beginning: &[u64; BEGINNING_WORDS]) -> Option<Flow> {
    let [version, _, _, _, _, _, next, _] = beginning[0].to_ne_bytes();
    let [kind, _, _, _, _, _, _, _] = beginning[5].to_ne_bytes();
    if version >> 4 != 6 {
        return None;
    }
    let (source, destination) = ([beginning[1], beginning[2]], [beginning[3], beginning[4]]);
    if next == IPPROTO_FRAGMENT {
        return Some((source, destination, true));
    }
    let [s0, s1, _, _, _, _, _, _] = beginning[1].to_ne_bytes();
    let is_link_local = s0 == 0xfe && s1 & 0xc0 == 0x80;
    let is_unspecified = beginning[1] | beginning[2] == 0;
    let is_proof = match next {
        IPPROTO_UDP => true,
        IPPROTO_ICMPV6 => kind == NEIGHBOUR_SOLICITATION || kind == NEIGHBOUR_ADVERTISEMENT,
        _ => false,
    };
    (is_proof && !is_link_local && !is_unspecified).then_some((source, destination, false))
}
