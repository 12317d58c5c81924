//! Helpers that the detectors share: one way to add up drops, to judge their harm, to prove, to report what was not
//! checked, and to name things.

pub(crate) mod change;
mod explained;
pub(crate) mod harm;
pub(crate) mod needs;
pub(crate) mod offload;
pub(crate) mod proof;
pub(crate) mod say;
pub(crate) mod seen;
pub(crate) mod sockets;
mod tally;
pub(crate) mod traced;
pub(crate) mod unreachable;

pub(crate) use explained::{explained_but_flows, explained_by, untold};
pub(crate) use needs::{Evidence, Need};
pub(crate) use tally::{Tally, unclaimed};
