//! The interface of a detector.

use super::kit::{Need, needs};
use crate::{Window, causes::Check, finding::Outcome};

/// A check: turns a window's evidence into findings.
pub trait Detector: Sync {
    /// The check that it makes.
    fn check(&self) -> &'static Check;

    /// The evidence that it needs, for which it is `unchecked` where some is missing.
    fn needs(&self) -> &'static [Need];

    /// Judges the evidence. Never fails and never reads a clock.
    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome;

    /// Judges the evidence, and says what of it is missing.
    fn diagnose(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let mut outcome = self.judge(window, so_far);
        let missing = needs::unchecked(self.check(), self.needs(), window);
        outcome.unchecked.splice(..0, missing);
        outcome
    }
}
