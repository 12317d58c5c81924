//! The detectors, one folder each.
//!
//! Adding a check touches its folder and two lines here. The order of [`ALL`] is causal: a detector sees what those
//! before it found, so that it can name a cause (`causedBy`) and leave alone what is already explained.

mod checksum_drop;
mod driver_checksum;
mod fragment_reassembly;
mod kit;
mod link_mtu;
mod other_drop;
mod promiscuity;
mod receive_overrun;
#[cfg(test)]
pub(crate) mod recorded;
mod segment_offload;
mod tap_queue_drop;
mod unhandled_protocol;

use serde::Serialize;

use self::kit::Need;
use crate::{Window, finding::Outcome};

/// Every detector, causes before their effects; the one for what is left over comes last.
pub static ALL: &[&dyn Detector] = &[
    &promiscuity::Promiscuity,
    &unhandled_protocol::UnhandledProtocol,
    &checksum_drop::ChecksumDrop,
    &driver_checksum::DriverChecksum,
    &fragment_reassembly::FragmentReassembly,
    &tap_queue_drop::TapQueueDrop,
    &link_mtu::LinkMtu,
    &segment_offload::SegmentOffload,
    &receive_overrun::ReceiveOverrun,
    &other_drop::OtherDrop,
];

/// The detector of this name.
pub fn by_name(name: &str) -> Option<&'static dyn Detector> {
    ALL.iter()
        .copied()
        .find(|detector| detector.meta().name == name)
}

/// A check: turns a window's evidence into findings.
pub trait Detector: Sync {
    /// Its name and causes.
    fn meta(&self) -> Meta;

    /// The evidence that it needs, for which it is `unchecked` where some is missing.
    fn needs(&self) -> &'static [Need];

    /// Judges the evidence. Never fails and never reads a clock.
    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome;

    /// Judges the evidence, and says what of it is missing.
    fn diagnose(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = self.judge(window, so_far);
        let missing = kit::needs::unchecked(self.meta().name, self.needs(), window);
        outcome.unchecked.splice(..0, missing);
        outcome
    }
}

/// What a detector is, for documents, metrics and messages.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Meta {
    /// The check's name, as `spec.checks` and findings have it.
    pub name: &'static str,
    /// Its causes, as findings have them.
    pub causes: &'static [&'static str],
    /// What it finds, one line.
    pub summary: &'static str,
}
