//! The probes that questions attach, within one window.

use std::time::Duration;

use netdiag_diagnosis::EvidenceWindow;

use super::snapshot::WindowEnd;
use crate::{
    probes::{Kernel, ProbeWatch, question::WindowStart, registry},
    sources::{Sources, pulse::CounterWatch},
};

/// The probes, and what raises their questions.
pub(super) struct OnDemandProbes {
    pulse: CounterWatch,
    watches: Vec<Box<dyn ProbeWatch>>,
}

impl OnDemandProbes {
    /// Asks the questions that what was read at the window's start raises.
    pub(super) fn begin(sources: Option<&Sources>, before: &WindowEnd, kernel: &Kernel) -> Self {
        let reading = before.reading();
        let links = reading.and_then(|reading| reading.links.value());
        let start = WindowStart {
            links: links.map_or(&[], Vec::as_slice),
            namespaces: reading.map_or(&[], |reading| &reading.namespaces),
            segment_route: sources.and_then(Sources::segment_route),
        };
        let mut probes = Self {
            pulse: reading.map(CounterWatch::from).unwrap_or_default(),
            watches: registry::watches(&start),
        };
        probes.tick(kernel, Duration::ZERO);
        probes
    }

    /// Asks again, about once a second. `now` is the time since the window began.
    pub(super) fn tick(&mut self, kernel: &Kernel, now: Duration) {
        let rises = self.pulse.read();
        for watch in &mut self.watches {
            watch.tick(&rises, kernel, now);
        }
    }

    /// Detaches what is attached and adds to the window what was seen.
    pub(super) fn finish(self, now: Duration, window: &mut EvidenceWindow) {
        for watch in self.watches {
            watch.finish(now, window);
        }
    }
}
