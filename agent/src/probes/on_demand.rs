//! What a probe on the path of every packet must be able to do, so that it is attached only while it is needed.

use netdiag_diagnosis::evidence::{Link, Namespace};

use super::Kernel;

/// A probe that a question attaches.
pub trait OnDemandProbe: Sized {
    /// What it saw.
    type Evidence;

    /// Loads its programs with empty maps and attaches them.
    ///
    /// # Errors
    /// Why this kernel does not take them, in words for a report.
    fn attach(kernel: &Kernel) -> Result<Self, String>;

    /// Attaches them again after [`OnDemandProbe::detach`]; what was counted before stays.
    ///
    /// # Errors
    /// Why the kernel refuses, in words.
    fn resume(&mut self) -> Result<(), String>;

    /// Detaches the programs. What they counted stays readable.
    fn detach(&mut self);

    /// Turns what was seen into evidence. `namespaces` and `links` are those of the node: nothing else is believed.
    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> Self::Evidence;
}
