//! Counting by key without losing any, at the cost of two array lookups for most drops.
//!
//! A key gets a number when it is first seen, and its count lives in a per-CPU array under that number. Each CPU
//! remembers the numbers of recent keys in a small direct-mapped cache, so that a flood of a few keys never touches
//! the shared hash map. Counts are only in one place, so the agent may read them at any time.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{Array, HashMap, PerCpuArray, Queue},
};
use netdiag_abi::drop::{
    CACHE_SLOTS, CacheSlot, DropKey, FIRST_SAMPLES, MAX_KEYS, OVERFLOW, SAMPLE_EVERY,
};

/// The number of each key.
#[map]
static DROP_KEYS: HashMap<DropKey, u32> = HashMap::with_max_entries(MAX_KEYS, 0);

/// Numbers that no key has yet. The agent fills it; an atomic counter would need kernel 5.12.
#[map]
static DROP_FREE: Queue<u32> = Queue::with_max_entries(MAX_KEYS, 0);

/// Drops by number.
#[map]
static DROP_COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(MAX_KEYS, 0);

/// The number of a key's first samples that were taken, by the key's number.
#[map]
static DROP_SAMPLED: Array<u32> = Array::with_max_entries(MAX_KEYS, 0);

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

/// True if the drop just counted is to be sampled: the first few of a key on the node, then one in many on each CPU.
#[inline(always)]
pub fn wants_sample(index: u32, seen: u64) -> bool {
    if seen % SAMPLE_EVERY == 0 {
        return true;
    }
    if seen > u64::from(FIRST_SAMPLES) {
        return false;
    }
    let Some(sampled) = DROP_SAMPLED.get_ptr_mut(index) else {
        return false;
    };
    // SAFETY: the map gave the pointer. Two CPUs may both read the old value: that only takes a sample too many.
    unsafe {
        if *sampled >= FIRST_SAMPLES {
            return false;
        }
        *sampled += 1;
    }
    true
}

/// Looks the key's number up in the shared map, or gives it one. Inlined as everything here: see
/// [`Direct`](crate::read::Direct).
#[inline(always)]
fn number(key: &DropKey) -> u32 {
    // SAFETY: the agent removes no key, so the value stays.
    if let Some(index) = unsafe { DROP_KEYS.get(key) } {
        return *index;
    }
    let Ok(Some(index)) = DROP_FREE.pop() else {
        return OVERFLOW;
    };
    if DROP_KEYS.insert(key, index, u64::from(BPF_NOEXIST)).is_ok() {
        return index;
    }
    // Another CPU was faster, or the map is full.
    let _ = DROP_FREE.push(index, 0);
    // SAFETY: as above.
    unsafe { DROP_KEYS.get(key) }.copied().unwrap_or(OVERFLOW)
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
