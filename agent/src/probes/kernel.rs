//! The features of the running kernel that the probes use.

use std::sync::Arc;

use super::{
    btf::{self, KernelTypes},
    description::{AnyLayout, Description},
    error::Error,
    facts::{KernelFacts, Support},
};

/// The running kernel, as read once when the agent starts.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The facts that are known about the kernel.
    pub facts: KernelFacts,
    probes: Vec<Prepared>,
}

/// A probe, and where it finds its fields, or why it cannot.
#[derive(Debug)]
struct Prepared {
    probe: &'static Description,
    layout: Result<AnyLayout, Arc<btf::Error>>,
}

impl Kernel {
    /// Reads what these probes need to know. Never fails: what is missing shows when a probe is attached.
    pub(super) fn read(probes: impl Iterator<Item = &'static Description> + Clone) -> Self {
        let types = KernelTypes::read().map_err(Arc::new);
        let mut facts = KernelFacts::read();
        if let Ok(types) = &types {
            let hooks = probes.clone().flat_map(|probe| probe.hooks);
            facts.read_types(types, hooks.map(|hook| hook.tracepoint));
        }
        let prepare = |probe: &'static Description| Prepared {
            probe,
            layout: match &types {
                Ok(types) => (probe.resolve)(types, &facts).map_err(Arc::new),
                Err(error) => Err(Arc::clone(error)),
            },
        };
        Self {
            probes: probes.map(prepare).collect(),
            facts,
        }
    }

    /// The offsets at which a probe finds its fields.
    ///
    /// # Errors
    /// The probe does not work on this kernel.
    pub(super) fn layout<L: Copy + 'static>(&self, probe: &Description) -> Result<L, Error> {
        if let Support::No(reason) = probe.support(&self.facts) {
            return Err(Error::Unsupported { reason });
        }
        let inconsistent = Error::Inconsistent { name: probe.layout };
        let mut prepared = self.probes.iter();
        let Some(prepared) = prepared.find(|one| one.probe.layout == probe.layout) else {
            return Err(inconsistent);
        };
        match &prepared.layout {
            Ok(layout) => layout.downcast_ref().copied().ok_or(inconsistent),
            Err(source) => Err(Error::Layout {
                source: Arc::clone(source),
            }),
        }
    }

    /// The maps of all probes that take more than some kilobytes.
    pub(super) fn large_maps(&self) -> impl Iterator<Item = &'static str> {
        self.probes
            .iter()
            .flat_map(|one| one.probe.large_maps)
            .copied()
    }

    /// A probe's layout, to pretend that the kernel is another one.
    #[cfg(test)]
    pub(super) fn layout_mut<L: 'static>(&mut self, probe: &Description) -> &mut L {
        let mut prepared = self.probes.iter_mut();
        let prepared = prepared.find(|one| one.probe.layout == probe.layout);
        let layout = prepared.unwrap().layout.as_mut().unwrap();
        layout.downcast_mut().unwrap()
    }
}
