//! Turns what was diagnosed into what is reported: the only place that knows both the diagnosis and the resources.
//!
//! Three steps, each pure: [`run_result`] converts and escapes, [`bound`] cuts to the schema's limits, [`fit`] keeps a
//! node's object small. Output without a cluster ([`node_net_report`]) takes only the first step.

mod bound;
mod checked;
mod convert;
mod facts;
mod fit;
mod fold;
mod history;
mod ledger;
mod local;
mod sentences;
mod size;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod verdict;

pub use bound::bound;
pub use convert::{Run, run_result, time_of};
pub use facts::{facts, with_former};
pub use fit::{OBJECT_BYTES, fit};
pub use history::{Circumstances, carry_over};
pub use local::node_net_report;
pub use summary::summary;
