//! Counting by key without losing any, at the cost of two array lookups for most drops.
//!
//! A key gets a number when it is first seen, and its count lives in a per-CPU array under that number. Each CPU
//! remembers the numbers of recent keys in a small direct-mapped cache, so that a flood of a few keys never touches
//! the shared hash map. Counts are only in one place, so the agent may read them at any time.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{HashMap, PerCpuArray, Queue},
};
use netdiag_abi::drop::{
    CACHE_SLOTS, CacheSlot, DropKey, KEYS_PER_DEVICE, KEYS_PER_NAMESPACE, KEYS_PER_NODE_NAMESPACE,
    MAX_KEYS, MAX_SHARES, OVERFLOW, RESERVED_KEYS, Share, ShareKey, UNKNOWN_TYPES_PER_DEVICE,
    WHOLE_NAMESPACE,
};

use super::layout;

/// The number of each key.
#[map]
static DROP_KEYS: HashMap<DropKey, u32> = HashMap::with_max_entries(MAX_KEYS, 0);

/// Numbers that no key has yet. The agent fills it; an atomic counter would need kernel 5.12.
#[map]
static DROP_FREE: Queue<u32> = Queue::with_max_entries(MAX_KEYS, 0);

/// The same for drops with a reason of their own and a known protocol, when [`DROP_FREE`] is empty.
#[map]
static DROP_RESERVED: Queue<u32> = Queue::with_max_entries(RESERVED_KEYS, 0);

/// Numbered keys of each device and each namespace. Two CPUs may count one for two, which lets a key too many in.
#[map]
static DROP_SHARES: HashMap<ShareKey, Share> = HashMap::with_max_entries(MAX_SHARES, 0);

/// Drops by number.
#[map]
static DROP_COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(MAX_KEYS, 0);

/// Recent keys of each CPU.
#[map]
static DROP_CACHE: PerCpuArray<CacheSlot> = PerCpuArray::with_max_entries(CACHE_SLOTS, 0);

/// The number of a key, [`OVERFLOW`] when there are more keys than numbers.
#[inline(always)]
pub fn index_of(key: DropKey) -> u32 {
    let words = key.to_words();
    let Some(slot) = DROP_CACHE.get_ptr_mut(slot_of(&words)) else {
        return OVERFLOW;
    };
    // SAFETY: the map gave the pointer. Only this CPU uses the slot, and the kernel runs a tracing program no second
    // time on a CPU while it runs there (since 6.1; before that an interrupt may very rarely mislead the slot, which
    // miscounts until the next other key).
    unsafe {
        if same(&(*slot).words, &words) && (*slot).index != OVERFLOW {
            return (*slot).index;
        }
        // Made anew here, so that the usual way need not write the key to the stack.
        let index = number(&DropKey::from_words(words));
        if index != OVERFLOW {
            (*slot).index = OVERFLOW;
            (*slot).words = words;
            (*slot).index = index;
        }
        index
    }
}

/// Counts one drop; returns how many this CPU has counted for this key.
#[inline(always)]
pub fn add_one(index: u32) -> u64 {
    let Some(count) = DROP_COUNTS.get_ptr_mut(index) else {
        return 0;
    };
    // SAFETY: the map gave the pointer, and only this CPU writes this element.
    unsafe {
        *count += 1;
        *count
    }
}

/// Looks the key's number up in the shared map, or gives it one. Inlined as everything here: see
/// [`Direct`](crate::read::Direct).
#[inline(always)]
fn number(key: &DropKey) -> u32 {
    // SAFETY: the agent changes no value, and takes a number back only long after its key.
    if let Some(index) = unsafe { DROP_KEYS.get(key) } {
        return *index;
    }
    // The namespace's share first: a namespace that has used it up makes no shares for more devices.
    let Some(namespace) = share(key.net, WHOLE_NAMESPACE) else {
        return OVERFLOW;
    };
    let most = if key.inum == layout!(node_inum) {
        KEYS_PER_NODE_NAMESPACE
    } else {
        KEYS_PER_NAMESPACE
    };
    // SAFETY: the map gave the pointer.
    if unsafe { (*namespace).keys } >= most {
        return OVERFLOW;
    }
    let Some(device) = share(key.net, key.ifindex) else {
        return OVERFLOW;
    };
    let mut key = *key;
    let is_of_unknown_type = key.is_of_unknown_type();
    // SAFETY: as above.
    if is_of_unknown_type && unsafe { (*device).unknown_types } >= UNKNOWN_TYPES_PER_DEVICE {
        key = key.with_further_types();
        // SAFETY: as above.
        if let Some(index) = unsafe { DROP_KEYS.get(&key) } {
            return *index;
        }
    }
    // SAFETY: as above.
    if unsafe { (*device).keys } >= KEYS_PER_DEVICE {
        return OVERFLOW;
    }
    let mut free = DROP_FREE.pop();
    if !matches!(free, Ok(Some(_)))
        && key.reason != layout!(reason_not_specified)
        && !is_of_unknown_type
    {
        free = DROP_RESERVED.pop();
    }
    let Ok(Some(index)) = free else {
        return OVERFLOW;
    };
    if DROP_KEYS
        .insert(&key, index, u64::from(BPF_NOEXIST))
        .is_ok()
    {
        // SAFETY: as above.
        unsafe {
            (*device).keys += 1;
            (*namespace).keys += 1;
            if is_of_unknown_type {
                (*device).unknown_types += 1;
            }
        }
        return index;
    }
    // Another CPU was faster, or the map is full.
    let _ = DROP_FREE.push(index, 0);
    // SAFETY: as above.
    unsafe { DROP_KEYS.get(&key) }.copied().unwrap_or(OVERFLOW)
}

/// The share of a device, or of a namespace as a whole; `None` when there is no room for one more.
#[inline(always)]
fn share(net: u64, ifindex: u32) -> Option<*mut Share> {
    let key = ShareKey {
        net,
        ifindex,
        reserved: 0,
    };
    if let Some(share) = DROP_SHARES.get_ptr_mut(&key) {
        return Some(share);
    }
    let none = Share {
        keys: 0,
        unknown_types: 0,
    };
    let _ = DROP_SHARES.insert(&key, &none, u64::from(BPF_NOEXIST));
    DROP_SHARES.get_ptr_mut(&key)
}

/// True if two keys are the same, compared word by word: comparing arrays would call `memcmp`, a loop over bytes here.
#[inline(always)]
fn same(one: &[u64; 4], other: &[u64; 4]) -> bool {
    one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3]
}

/// Slot of a key: the top bits of a product with 2^64 divided by the golden ratio spread even consecutive numbers.
#[inline(always)]
fn slot_of(words: &[u64; 4]) -> u32 {
    let [_, location, place, event] = words;
    let mixed = location ^ place.rotate_left(20) ^ event.rotate_left(8);
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - CACHE_SLOTS.trailing_zeros())) as u32
}
