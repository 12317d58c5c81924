//! The TCP segments that a packet carries, read from its own headers.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use netdiag_abi::{drop::ABSENT, retransmissions::Ends};

use super::{ETH_P_IP, Segments, layout, socket::mapped};
use crate::read::{Probed, Read};

const PROTOCOL_TCP: u8 = 6;
/// Of the second word of an IPv4 header: the offset of a fragment.
const FRAGMENT_OFFSET: u16 = 0x1fff;
const IPV4_HEADER: u32 = 20;
const IPV6_HEADER: u32 = 40;
const TCP_HEADER: u32 = 20;
/// Bits of the fourth word of a TCP header: SYN and FIN, which take a sequence number each.
const SYN_AND_FIN: u32 = 0x0003_0000;

/// An IP header, as far as it is needed.
struct Ip {
    ends: Ends,
    header: u32,
    /// Header and payload, bytes; 0 where the packet is longer than its header can say.
    length: u32,
}

/// Of a packet of IPv4, or of IPv6 for any other `protocol`. `None` for one that is no TCP, or of which nothing will
/// ever be sent again: a mere acknowledgement. Packets with IPv6 extension headers are none either.
#[inline(always)]
pub fn segments_of<R: Read>(skb: *const u8, protocol: u16) -> Option<Segments> {
    // SAFETY: skb is the tracepoint's first argument, every offset is one of its fields, and what lies behind its
    // pointers is read by the helper that checks addresses.
    unsafe {
        let head = R::pointer(skb, layout!(drop.skb_head)) as u64;
        let data = (R::pointer(skb, layout!(drop.skb_data)) as u64).wrapping_sub(head) as u32;
        let length: u32 = R::field(skb, layout!(drop.skb_len));
        let paged: u32 = R::field(skb, layout!(drop.skb_data_len));
        let network: u16 = R::field(skb, layout!(drop.skb_network_header));
        let linear_end = data.wrapping_add(length.wrapping_sub(paged));
        let network_start = u32::from(network);
        if network == 0 || network == ABSENT || network_start + IPV4_HEADER > linear_end {
            return None;
        }
        let network_header = head.wrapping_add(u64::from(network)) as *const u8;
        let ip = if protocol == ETH_P_IP {
            ipv4(network_header)?
        } else {
            ipv6(network_header)?
        };
        if network_start + ip.header + TCP_HEADER > linear_end {
            return None;
        }
        let transport_header = network_header.wrapping_add(ip.header as usize);
        let tcp: [u32; 4] = bpf_probe_read_kernel(transport_header.cast()).ok()?;
        let flags = u32::from_be(tcp[3]);
        let whole = match ip.length {
            0 => data.wrapping_add(length).wrapping_sub(network_start),
            known => known,
        };
        let headers = ip.header + (flags >> 28) * 4;
        let payload = whole.saturating_sub(headers);
        if payload == 0 && flags & SYN_AND_FIN == 0 {
            return None;
        }
        let end: u32 = R::field(skb, layout!(skb_end));
        let shared = head.wrapping_add(u64::from(end)) as *const u8;
        let size = u32::from(Probed::field::<u16>(shared, layout!(shared_gso_size)));
        Some(Segments {
            ends: Ends {
                // Both ports as they lie there.
                source_port: tcp[0] as u16,
                destination_port: (tcp[0] >> 16) as u16,
                ..ip.ends
            },
            first: u32::from_be(tcp[1]),
            count: if size == 0 { 1 } else { payload.div_ceil(size) },
            size,
        })
    }
}

/// # Safety
/// `header` must be an address that the kernel handed to the program.
#[inline(always)]
unsafe fn ipv4(header: *const u8) -> Option<Ip> {
    // SAFETY: the helper checks the address.
    let words: [u32; 5] = unsafe { bpf_probe_read_kernel(header.cast()) }.ok()?;
    let first = u32::from_be(words[0]);
    let protocol = (u32::from_be(words[2]) >> 16) as u8;
    let is_later_fragment = u32::from_be(words[1]) as u16 & FRAGMENT_OFFSET != 0;
    let length = (first >> 24 & 0xf) * 4;
    let is_tcp = first >> 28 == 4 && protocol == PROTOCOL_TCP;
    (is_tcp && !is_later_fragment && length >= IPV4_HEADER).then(|| Ip {
        ends: Ends {
            source: mapped(words[3]),
            destination: mapped(words[4]),
            ..Ends::default()
        },
        header: length,
        length: first & 0xffff,
    })
}

/// # Safety
/// As [`ipv4`].
#[inline(always)]
unsafe fn ipv6(header: *const u8) -> Option<Ip> {
    // SAFETY: the helper checks the address.
    let words: [u32; 10] = unsafe { bpf_probe_read_kernel(header.cast()) }.ok()?;
    let second = u32::from_be(words[1]);
    let payload = second >> 16;
    let is_tcp = u32::from_be(words[0]) >> 28 == 6 && (second >> 8) as u8 == PROTOCOL_TCP;
    is_tcp.then(|| Ip {
        ends: Ends {
            source: [words[2], words[3], words[4], words[5]],
            destination: [words[6], words[7], words[8], words[9]],
            ..Ends::default()
        },
        header: IPV6_HEADER,
        length: if payload == 0 {
            0
        } else {
            payload + IPV6_HEADER
        },
    })
}
