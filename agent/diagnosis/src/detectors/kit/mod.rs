//! Helpers that the detectors share: one way to add up drops, to prove, to report what was not checked, and to name
//! things.

pub(in crate::detectors) mod needs;
pub(in crate::detectors) mod proof;
pub(in crate::detectors) mod say;
mod tally;

pub(in crate::detectors) use needs::{Evidence, Need};
pub(in crate::detectors) use tally::{Tally, unclaimed};
