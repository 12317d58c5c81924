//! The dropped segments that may be sent again, and the counts of those that were.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns,
    macros::map,
    maps::{LruHashMap, PerCpuArray, PerCpuHashMap},
};
use netdiag_abi::{
    drop::DropKey,
    retransmissions::{
        Ends, LATE_NS, MAX_PLACES, MAX_REMEMBERED, RememberedDrop, Retransmitted, total,
    },
};

/// Dropped segments that were not sent again so far, by sequence number.
#[map]
static RETRANSMISSION_DROPS: LruHashMap<u32, RememberedDrop> =
    LruHashMap::with_max_entries(MAX_REMEMBERED, 0);

/// Retransmissions by the place of the drop that explains them.
#[map]
static RETRANSMISSION_PLACES: PerCpuHashMap<DropKey, Retransmitted> =
    PerCpuHashMap::with_max_entries(MAX_PLACES, 0);

/// Counts by [`total`].
#[map]
static RETRANSMISSION_TOTALS: PerCpuArray<u64> = PerCpuArray::with_max_entries(total::ELEMENTS, 0);

/// Adds to one of the [`total`]s.
#[inline(always)]
pub fn add(element: u32, count: u64) {
    if let Some(total) = RETRANSMISSION_TOTALS.get_ptr_mut(element) {
        // SAFETY: the map gave the pointer, and only this CPU writes this element.
        unsafe { *total += count };
    }
}

/// Remembers that a segment was dropped.
#[inline(always)]
pub fn remember(sequence: u32, ends: &Ends, place: DropKey) {
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    if let Some(known) = RETRANSMISSION_DROPS.get_ptr_mut(sequence) {
        // SAFETY: the map gave the pointer. Copies of one segment that two CPUs drop at once may mix up their times.
        unsafe {
            if (*known).ends.share_an_end(ends) {
                if (*known).again_ns != 0 {
                    (*known).at_ns = (*known).again_ns;
                }
                (*known).again_ns = now;
                return;
            }
        }
    }
    let drop = RememberedDrop {
        place,
        at_ns: now,
        again_ns: 0,
        ends: *ends,
        reserved: 0,
    };
    let stored = RETRANSMISSION_DROPS.insert(sequence, drop, 0);
    add(
        if stored.is_ok() {
            total::REMEMBERED
        } else {
            total::LOST
        },
        1,
    );
}

/// Counts a segment that is sent again, if it is known to have been dropped. A drop explains one retransmission.
#[inline(always)]
pub fn explain(sequence: u32, ends: &Ends) {
    let Some(known) = RETRANSMISSION_DROPS.get_ptr_mut(sequence) else {
        return;
    };
    // SAFETY: the map gave the pointer; see `remember`.
    let (place, at_ns) = unsafe {
        if !(*known).ends.share_an_end(ends) {
            return;
        }
        let first = ((*known).place, (*known).at_ns);
        if (*known).again_ns != 0 {
            (*known).at_ns = (*known).again_ns;
            (*known).again_ns = 0;
        } else if RETRANSMISSION_DROPS.remove(sequence).is_ok() {
            add(total::ANSWERED, 1);
        }
        first
    };
    // SAFETY: the helper has no preconditions.
    let late = unsafe { bpf_ktime_get_ns() }.saturating_sub(at_ns) >= LATE_NS;
    count(&place, u64::from(late));
}

#[inline(always)]
fn count(place: &DropKey, late: u64) {
    if let Some(counted) = RETRANSMISSION_PLACES.get_ptr_mut(place) {
        // SAFETY: the map gave the pointer, and only this CPU writes its element.
        unsafe {
            (*counted).segments += 1;
            (*counted).late += late;
        }
        return;
    }
    let first = Retransmitted { segments: 1, late };
    if RETRANSMISSION_PLACES.insert(place, first, 0).is_err() {
        add(total::LOST, 1);
    }
}
