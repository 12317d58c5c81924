//! The rows of the table: reasons as the kernel's `enum skb_drop_reason` (include/net/dropreason-core.h) spells them,
//! and functions for drops without a reason.

mod counted;
mod functions;
mod locations;
mod loss;
mod no_loss;

use super::table::{Advice, Row, Scope};

/// Every row; the first that matches speaks.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    [
        counted::ROWS,
        functions::ROWS,
        loss::ROWS,
        no_loss::ROWS,
        locations::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Advice to look, with a command that changes nothing.
const fn look(text: &'static str, command: &'static [&'static str]) -> Advice {
    Advice {
        text,
        command,
        scope: Scope::Namespace,
        effect: "",
    }
}
