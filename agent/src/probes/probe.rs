//! A probe as the rest of the agent knows it.

use netdiag_crds::report;
use netdiag_diagnosis::EvidenceWindow;

use super::{
    description::Description,
    on_demand::RegisteredProbe,
    question::WindowStart,
    standing,
    watch::{DemandWatch, ProbeWatch},
};

/// Makes the watch of a probe from what was read as the window began.
type MakeWatch = fn(&WindowStart<'_>) -> Box<dyn ProbeWatch>;

/// A line of the registry.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Its part of the object.
    pub description: &'static Description,
    /// Its state in a window; `None` when only other evidence shows it.
    pub standing: Option<fn(&EvidenceWindow) -> report::Probe>,
    /// Every count of events in its evidence.
    pub counts: fn(&EvidenceWindow) -> Vec<u64>,
    /// Its control within a window; `None` when it reads in every window.
    pub watch: Option<MakeWatch>,
}

impl Registration {
    /// A probe that questions attach.
    pub(crate) const fn on_demand<P: RegisteredProbe>() -> Self {
        Self {
            description: P::DESCRIPTION,
            standing: Some(|window| {
                standing::on_demand(P::DESCRIPTION.name, P::backend, P::evidence(window))
            }),
            counts: |window| {
                P::evidence(window)
                    .value()
                    .map(P::counts)
                    .unwrap_or_default()
            },
            watch: Some(|start| Box::new(DemandWatch::<P>::new(start))),
        }
    }
}
