//! The rows of the table: reasons as the kernel's `enum skb_drop_reason` (include/net/dropreason-core.h) spells them,
//! and functions for drops without a reason.
//!
//! A rate is chosen so that a healthy node stays below it: what must never happen warns at once (6 a minute, to look
//! beyond a single packet), what happens under load warns at 1 a second, what a queue does by design at 10 a second.

mod counted;
mod functions;
mod locations;
mod loss;
mod no_loss;

use super::table::{Advice, Row, Scope};

const AT_ONCE: Option<u64> = Some(6);
const UNDER_LOAD: Option<u64> = Some(60);
const OF_A_QUEUE: Option<u64> = Some(600);
const NEVER: Option<u64> = None;

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
