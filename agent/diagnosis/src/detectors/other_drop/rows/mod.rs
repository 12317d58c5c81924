//! The rows of the table: reasons as the kernel's `enum skb_drop_reason` (include/net/dropreason-core.h) spells them,
//! and functions for drops without a reason.

mod counted;
mod decisions;
mod functions;
mod locations;
mod neighbours;
mod noise;
mod queues;
mod routes;
mod seldom;
mod unmissed;

use super::table::{Row, Surroundings};
use crate::{detectors::kit::seen::Seen, evidence::DropCount};

/// Every row; the first that matches speaks.
fn all() -> impl Iterator<Item = &'static Row> {
    [
        noise::ROWS,
        counted::ROWS,
        locations::ROWS,
        queues::ROWS,
        routes::ROWS,
        neighbours::ROWS,
        decisions::ROWS,
        seldom::ROWS,
        unmissed::ROWS,
        functions::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The row for this drop key, if the table knows it.
pub(super) fn lookup(key: &DropCount, around: &Surroundings<'_>) -> Option<&'static Row> {
    all().find(|row| row.speaks_for(key, around))
}

/// Sampled packets of this key that nobody misses, although others of the same key are a fault: they are no part of it.
pub(super) fn noise_in(key: &DropCount, around: &Surroundings<'_>) -> usize {
    let noise: Vec<Seen> = all().filter_map(|row| row.noise_of(key, around)).collect();
    around.count(&noise)
}

/// The site says more than the reason about these drops.
pub(super) fn is_told_by_site(key: &DropCount) -> bool {
    all().any(|row| row.is_of_site(key))
}

#[cfg(test)]
mod tests;
