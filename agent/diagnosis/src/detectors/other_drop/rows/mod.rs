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

use super::table::Row;

/// Every row; the first that matches speaks.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
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
