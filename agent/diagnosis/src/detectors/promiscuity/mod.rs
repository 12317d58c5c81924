//! Why a device is promiscuous, and whether it should be.

use super::{Detector, EvidenceKind, Meta, Outcome};
use crate::evidence::EvidenceWindow;

/// The `Promiscuity` check.
pub(super) struct Promiscuity;

impl Detector for Promiscuity {
    fn meta(&self) -> Meta {
        Meta {
            name: "Promiscuity",
            causes: &[],
            needs: &[EvidenceKind::Links],
            summary: "a device takes frames that are not for it",
        }
    }

    fn diagnose(&self, _window: &EvidenceWindow, _so_far: &Outcome) -> Outcome {
        Outcome::default()
    }
}
