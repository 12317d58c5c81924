//! A probe on the path of every packet, which is attached only while a question needs it.

use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{Link, Namespace, OnDemand},
};

use super::{description::Description, error::Error, kernel::Kernel, question::Question};

/// Such a probe in the kernel. Dropping it detaches it and frees its maps.
pub(crate) trait OnDemandProbe: Sized + 'static {
    /// The evidence that the probe takes.
    type Evidence;
    /// The question that the probe answers.
    type Question: Question;
    /// Loads it with empty maps and attaches it.
    ///
    /// # Errors
    /// The agent was built without eBPF, this process may not load it, or this kernel takes no variant of it.
    fn attach(kernel: &Kernel) -> Result<Self, Error>;

    /// Attaches it again after [`OnDemandProbe::detach`]. It goes on counting in the same maps.
    ///
    /// # Errors
    /// The kernel refuses.
    fn resume(&mut self) -> Result<(), Error>;

    /// Detaches it. What it saw stays in its maps.
    fn detach(&mut self);

    /// Ends the watch and returns the evidence, which names only devices that are among `links`.
    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> Self::Evidence;
}

/// One that the registry has a line of.
pub(crate) trait RegisteredProbe: OnDemandProbe {
    /// The programs and maps of this probe in the object.
    const DESCRIPTION: &'static Description;

    /// Its place in a window.
    fn evidence(window: &EvidenceWindow) -> &OnDemand<Self::Evidence>;

    /// As [`RegisteredProbe::evidence`], to be filled.
    fn evidence_mut(window: &mut EvidenceWindow) -> &mut OnDemand<Self::Evidence>;

    /// The variant that saw this.
    fn backend(evidence: &Self::Evidence) -> &str;

    /// Every count of events in the evidence; a recording may hold any number.
    fn counts(evidence: &Self::Evidence) -> Vec<u64>;
}
