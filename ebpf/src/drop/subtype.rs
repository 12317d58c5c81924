//! Tells protocols apart that share an EtherType: each is then counted, and sampled, for itself.

use netdiag_abi::drop::ABSENT;

use super::layout;
use crate::read::{Probed, Read};

/// Link control between neighbours: LACP, OAM and others (802.3 annex 57A).
const ETH_P_SLOW: u16 = 0x8809;
/// The kernel's number for all frames with an 802.2 header: CDP, spanning tree and others.
const ETH_P_802_2: u16 = 0x0004;
/// SNAP's destination access point: the protocol's numbers follow.
const SNAP: u64 = 0xaa;

/// Reads what follows the link layer header, in so far as it names a protocol: the subtype of a slow protocol; of 802.2
/// the access point, or the exclusive or of all bytes of a SNAP header, which differs for the protocols that are in
/// use.
#[inline(always)]
pub fn of_packet<R: Read>(skb: *const u8, protocol: u16) -> u8 {
    if protocol != ETH_P_SLOW && protocol != ETH_P_802_2 {
        return 0;
    }
    // SAFETY: skb is the tracepoint's argument, both offsets are of its fields, and the helper checks the last address.
    let header: u64 = unsafe {
        let network: u16 = R::field(skb, layout!(skb_network_header));
        if network == ABSENT {
            return 0;
        }
        Probed::field(R::pointer(skb, layout!(skb_head)), u32::from(network))
    };
    if protocol == ETH_P_SLOW || header & 0xff != SNAP {
        return header as u8;
    }
    let header = header ^ header >> 32;
    let header = header ^ header >> 16;
    (header ^ header >> 8) as u8
}
