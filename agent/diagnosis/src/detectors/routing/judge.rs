//! The faults of all mechanisms.

use super::{circle, fault::Fault, forwarding, no_way, reverse_path};
use crate::{Window, finding::Outcome};

/// The faults of every namespace.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut faults = forwarding::faults(window, so_far);
    faults.extend(reverse_path::faults(window, so_far));
    faults.extend(no_way::faults(window, so_far));
    faults.extend(circle::faults(window, so_far));
    faults
}
