//! The faults of all mechanisms.

use super::{fault::Fault, forwarding, reverse_path};
use crate::{Window, finding::Outcome};

/// The faults of every namespace.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut faults = forwarding::faults(window, so_far);
    faults.extend(reverse_path::faults(window, so_far));
    faults
}
