//! The size of a value as JSON, and the part of it that fits.

use serde::Serialize;

/// The largest number up to `most` that fits, by halving; `None` when not even 0 does.
pub(super) fn largest(most: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    if !fits(0) {
        return None;
    }
    let (mut fitting, mut end) = (0, most + 1);
    while end - fitting > 1 {
        let middle = fitting + (end - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            end = middle;
        }
    }
    Some(fitting)
}

/// Size as JSON.
pub(super) fn bytes<T: Serialize + ?Sized>(value: &T) -> usize {
    // Serialising plain data to memory does not fail; if it did, nothing may count as small.
    serde_json::to_vec(value).map_or(usize::MAX / 4, |json| json.len())
}
