//! Decides which drops of a key are sampled: the first few, the first two of each flow slot, then one of many.
//!
//! A key has used up a right to a sample only when the sample was stored. The ring has room that later samples leave to
//! the first ones, so that one noisy key cannot take those of another.

use aya_ebpf::{macros::map, maps::Array};
use netdiag_abi::drop::{
    ABSENT, FIRST_SAMPLES, FLOW_SLOTS, HEADERS_EVERY, KeySamples, MAX_KEYS, RETRY_EVERY,
    RING_BYTES, RING_FOR_FIRST, RING_FOR_FLOWS, SAMPLE_EVERY,
};

use super::{layout, sample};
use crate::read::{Probed, Read};

/// The samples of each key that were stored, by its number.
#[map]
static DROP_SAMPLED: Array<KeySamples> = Array::with_max_entries(MAX_KEYS, 0);

const ETH_P_IP: u16 = 0x0800;

/// Samples the drop that was just counted if it is its key's turn. `seen` is the number of the key's drops on this CPU.
#[inline(always)]
pub fn consider<R: Read>(skb: *const u8, index: u32, seen: u64, protocol: u16) {
    let Some(stored) = DROP_SAMPLED.get_ptr_mut(index) else {
        return;
    };
    // SAFETY: the map gave the pointer. Two CPUs may both read the old values: that only takes a sample too many.
    let (once, twice, first, is_waiting) = unsafe {
        (
            (*stored).once,
            (*stored).twice,
            (*stored).first,
            (*stored).is_waiting,
        )
    };
    let is_periodic = seen % SAMPLE_EVERY == 0;
    let mut slot = 0;
    let most_used;
    if first < FIRST_SAMPLES {
        most_used = RING_BYTES;
    } else {
        slot = slot_of::<R>(skb, seen, protocol) & !twice;
        if slot != 0 {
            most_used = RING_BYTES - RING_FOR_FIRST;
        } else if is_periodic {
            most_used = RING_BYTES - RING_FOR_FLOWS;
        } else {
            return;
        }
    }
    if is_waiting != 0 && seen > RETRY_EVERY && seen % RETRY_EVERY != 0 {
        return;
    }
    let is_stored = sample::take::<R>(skb, index, protocol, most_used);
    // SAFETY: as above.
    unsafe {
        if !is_stored {
            (*stored).is_waiting = 1;
            return;
        }
        if is_waiting != 0 {
            (*stored).is_waiting = 0;
        }
        if first < FIRST_SAMPLES {
            (*stored).first = first + 1;
        } else if once & slot != 0 {
            (*stored).twice = twice | slot;
        } else {
            (*stored).once = once | slot;
        }
    }
}

/// The bit of the packet's flow; 0 where the kernel has computed no hash and it is not the turn of the headers.
#[inline(always)]
fn slot_of<R: Read>(skb: *const u8, seen: u64, protocol: u16) -> u64 {
    // SAFETY: skb is the tracepoint's argument.
    let mut hash: u32 = unsafe { R::field(skb, layout!(skb_hash)) };
    if hash == 0 {
        if seen % HEADERS_EVERY != 0 {
            return 0;
        }
        hash = hash_of_headers::<R>(skb, protocol);
    }
    let mixed = hash.wrapping_mul(0x9E37_79B9);
    1 << (mixed >> (32 - FLOW_SLOTS.trailing_zeros()))
}

/// Addresses and ports folded into one number. Of protocols other than IP, what follows the first bytes.
#[inline(always)]
fn hash_of_headers<R: Read>(skb: *const u8, protocol: u16) -> u32 {
    // SAFETY: skb is the tracepoint's argument, both offsets are of its fields, and the helper checks the addresses.
    let (addresses, ports): (u64, u32) = unsafe {
        let network: u16 = R::field(skb, layout!(skb_network_header));
        if network == ABSENT {
            return 0;
        }
        let head = R::pointer(skb, layout!(skb_head));
        let network = u32::from(network);
        if protocol == ETH_P_IP {
            (
                Probed::field(head, network + 12),
                Probed::field(head, network + 20),
            )
        } else {
            let [a, b, c, d]: [u64; 4] = Probed::field(head, network + 8);
            (
                a ^ b.rotate_left(16) ^ c.rotate_left(32) ^ d.rotate_left(48),
                Probed::field(head, network + 40),
            )
        }
    };
    let mixed = (addresses ^ u64::from(ports) << 16).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as u32
}
