//! The content of a packet, by its first headers, wherever the driver put them.

use netdiag_abi::gro::{LEAST_LENGTH, kind, lost};

use super::{count_lost, layout};
use crate::read::{Probed, Read};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;

const IPPROTO_IPIP: u8 = 4;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_IPV6: u8 = 41;
const IPPROTO_ROUTING: u8 = 43;

/// Routing type 4: the segment routing header (RFC 8754).
const SEGMENT_ROUTING: u8 = 4;

const IPV6_HEADER: u32 = 40;

/// Offset in a TCP header of the data offset, with the flags in the byte behind it.
const TCP_DATA_OFFSET: u32 = 12;
/// Least length of a TCP header.
const TCP_HEADER: u32 = 20;
/// URG, PSH, RST, SYN and FIN: a segment with one of them ends a burst, and `tcp_gro_receive` waits for nothing more.
const FLAGS_THAT_FLUSH: u8 = 0x2f;

/// `PAGE_SHIFT` of x86-64, and the binary logarithm of its `sizeof(struct page)`. The agent gives the addresses that
/// these are needed for only where they hold.
const PAGE_SHIFT: u32 = 12;
const PAGE_STRUCT_SHIFT: u32 = 6;

/// `skb_frag_t`: the page, then these. It was a `struct bio_vec` until 6.8, of the same shape.
const FRAGMENT_LENGTH: u32 = 8;
const FRAGMENT_OFFSET: u32 = 12;

/// Bytes that lie in one piece.
#[derive(Clone, Copy)]
struct Piece {
    address: *const u8,
    length: u32,
}

impl Piece {
    /// A number in it; 0 where it ends before.
    #[inline(always)]
    fn get<T: Copy + Default>(self, at: u32) -> T {
        if at + size_of::<T>() as u32 > self.length {
            return T::default();
        }
        // SAFETY: the helper checks the address.
        unsafe { Probed::field(self.address, at) }
    }
}

/// One of the constants of [`kind`]: what the packet carries, if generic receive offload could join it with others.
///
/// It could not where the packet carries no data, ends a burst, or was joined before (by the device, or by a sender on
/// the same machine): such packets tell nothing about how well it works.
///
/// # Safety
/// `skb` must be the tracepoint's argument.
#[inline(always)]
pub unsafe fn kind_of<R: Read>(skb: *const u8) -> u32 {
    // SAFETY: the caller's promise; the device of a packet that comes in is set.
    let (protocol, length, mtu) = unsafe {
        let device = R::pointer(skb, layout!(skb_dev));
        (
            u16::from_be(R::field(skb, layout!(skb_protocol))),
            R::field::<u32>(skb, layout!(skb_len)),
            R::field::<u32>(device, layout!(device_mtu)),
        )
    };
    if (protocol != ETH_P_IP && protocol != ETH_P_IPV6) || length < LEAST_LENGTH || length > mtu {
        return kind::OTHER;
    }
    // SAFETY: the caller's promise.
    let piece = unsafe { first_piece::<R>(skb, length) };
    if piece.length < IPV6_HEADER {
        // A whole packet is longer: its headers are out of reach.
        count_lost(lost::UNREAD);
        return kind::OTHER;
    }
    if protocol == ETH_P_IP {
        // Version and header length, then, far behind, the protocol.
        let header = u32::from(piece.get::<u8>(0) & 0x0f) * 4;
        if piece.get::<u8>(9) == IPPROTO_TCP && is_joinable(piece, header, length) {
            return kind::PLAIN_TCP;
        }
        return kind::OTHER;
    }
    match piece.get::<u8>(6) {
        IPPROTO_TCP if is_joinable(piece, IPV6_HEADER, length) => kind::PLAIN_TCP,
        IPPROTO_ROUTING => {
            let [next, units, routing_type, _] = piece.get::<u32>(IPV6_HEADER).to_ne_bytes();
            let behind = IPV6_HEADER + (u32::from(units) + 1) * 8;
            match next {
                _ if routing_type != SEGMENT_ROUTING => kind::OTHER,
                IPPROTO_TCP if is_joinable(piece, behind, length) => kind::INLINE,
                IPPROTO_IPIP | IPPROTO_IPV6 => kind::ENCAPSULATED,
                _ => kind::OTHER,
            }
        }
        _ => kind::OTHER,
    }
}

/// True if the TCP segment carries data and does not end a burst.
#[inline(always)]
fn is_joinable(piece: Piece, transport: u32, length: u32) -> bool {
    if transport + TCP_HEADER > piece.length {
        count_lost(lost::UNREAD);
        return false;
    }
    let [data_offset, flags] = piece.get::<u16>(transport + TCP_DATA_OFFSET).to_ne_bytes();
    let header = u32::from(data_offset >> 4) * 4;
    header >= TCP_HEADER && flags & FLAGS_THAT_FLUSH == 0 && length > transport + header
}

/// The piece that begins with the network header.
///
/// # Safety
/// `skb` must be the tracepoint's argument.
#[inline(always)]
unsafe fn first_piece<R: Read>(skb: *const u8, length: u32) -> Piece {
    // SAFETY: the caller's promise.
    unsafe {
        let paged: u32 = R::field(skb, layout!(skb_data_len));
        if length != paged {
            return Piece {
                address: R::pointer(skb, layout!(skb_data)),
                length: length.wrapping_sub(paged),
            };
        }
        first_fragment::<R>(skb)
    }
}

/// The first page fragment: drivers such as virtio_net leave there everything except the link layer header, and
/// `napi_gro_frags` is for those that always do. The packet's linear part is then empty, and `skb_gro_reset_offset`
/// looks there, too.
///
/// # Safety
/// As [`first_piece`].
#[inline(always)]
unsafe fn first_fragment<R: Read>(skb: *const u8) -> Piece {
    const NONE: Piece = Piece {
        address: core::ptr::null(),
        length: 0,
    };
    if layout!(vmemmap_base) == 0 {
        return NONE;
    }
    // SAFETY: the caller's promise, and the helper checks every other address.
    unsafe {
        let head = R::pointer(skb, layout!(skb_head));
        let end: u32 = R::field(skb, layout!(skb_end));
        // `skb_shinfo`. As a number, because the verifier need not know where `head` points.
        let shared = (head as u64).wrapping_add(u64::from(end)) as *const u8;
        if Probed::field::<u8>(shared, layout!(shared_fragments_count)) == 0 {
            return NONE;
        }
        let fragment = shared.wrapping_add(layout!(shared_fragments) as usize);
        let page: u64 = Probed::field(fragment, 0);
        let offset: u32 = Probed::field(fragment, FRAGMENT_OFFSET);
        let length: u32 = Probed::field(fragment, FRAGMENT_LENGTH);
        // Memory of a device (`struct net_iov`, 6.12 on) cannot be read; the lowest bit tells.
        if page & 1 != 0 {
            return NONE;
        }
        // `page_address` of x86-64 (lowmem_page_address, page_to_virt).
        let pages: u64 = Probed::field(layout!(vmemmap_base) as *const u8, 0);
        let memory: u64 = Probed::field(layout!(page_offset_base) as *const u8, 0);
        let address = (page.wrapping_sub(pages) >> PAGE_STRUCT_SHIFT << PAGE_SHIFT)
            .wrapping_add(memory)
            .wrapping_add(u64::from(offset));
        Piece {
            address: address as *const u8,
            length,
        }
    }
}
