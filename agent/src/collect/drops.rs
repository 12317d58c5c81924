//! The drop probe within a window, or the reason why there is none.

use netdiag_diagnosis::evidence::{Drops, Link, Lost, Namespace, Observed};

use crate::probes::{
    Error, Kernel,
    drop::{DropProbe, DropSnapshot, Edges},
};

/// Counts drops from its making on.
pub(super) struct DropWatch(Result<DropProbe, Error>);

impl DropWatch {
    /// Attaches the probe.
    pub(super) fn begin(kernel: &Kernel) -> Self {
        let probe = DropProbe::attach(kernel);
        if let Ok(probe) = &probe
            && let Some(reason) = probe.degraded()
        {
            tracing::warn!(reason, "The drop probe works with less than it could");
        }
        Self(probe)
    }

    /// The counts of this moment; also empties the ring of samples. Nothing where there is no probe.
    pub(super) fn read(&mut self) -> DropSnapshot {
        let read = match &mut self.0 {
            Ok(probe) => probe.read(),
            Err(_) => return DropSnapshot::default(),
        };
        read.unwrap_or_else(|error| {
            self.0 = Err(error);
            DropSnapshot::default()
        })
    }

    /// Detaches the probe and tells what it saw on these namespaces' links, and on those that `ended` within the window.
    /// Links that only samples name are added to these.
    pub(super) fn finish(
        self,
        edges: &Edges,
        namespaces: &[Namespace],
        links: &[Link],
        ended: &mut Vec<Link>,
    ) -> (Observed<Drops>, Lost) {
        match self.0 {
            Ok(probe) => probe.finish(edges, namespaces, links, ended),
            Err(error) => (Observed::unavailable(error.missing()), Lost::default()),
        }
    }
}
