//! Every probe: the one list that loading, watching, reporting, reading of recordings and the memory's sum go through.

pub(crate) mod map_bytes;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;

use netdiag_crds::report;
use netdiag_diagnosis::EvidenceWindow;

use super::{
    drop, frame_copies::FrameCopiesProbe, gro::GroProbe, inet_sockets, kernel::Kernel, net_devices,
    packet_sockets, probe::Registration, question::WindowStart,
    retransmissions::RetransmissionProbe, watch::ProbeWatch,
};

/// In the order of reports.
pub(crate) static PROBES: [Registration; 7] = [
    drop::PROBE,
    packet_sockets::PROBE,
    inet_sockets::PROBE,
    net_devices::PROBE,
    Registration::on_demand::<FrameCopiesProbe>(),
    Registration::on_demand::<GroProbe>(),
    Registration::on_demand::<RetransmissionProbe>(),
];

impl Kernel {
    /// Reads what the probes need to know. Never fails: what is missing shows when a probe is attached.
    pub(crate) fn load() -> Self {
        Self::read(PROBES.iter().map(|probe| probe.description))
    }
}

/// The watches of all probes that questions attach, none of them attached yet.
pub(crate) fn watches(start: &WindowStart<'_>) -> Vec<Box<dyn ProbeWatch>> {
    let watches = PROBES.iter().filter_map(|probe| probe.watch);
    watches.map(|watch| watch(start)).collect()
}

/// The state of each probe in a window.
pub(crate) fn standing(window: &EvidenceWindow) -> impl Iterator<Item = report::Probe> {
    let standing = PROBES.iter().filter_map(|probe| probe.standing);
    standing.map(|standing| standing(window))
}

/// Every count of events that probes saw in a window.
pub(crate) fn counts(window: &EvidenceWindow) -> impl Iterator<Item = u64> {
    PROBES.iter().flat_map(|probe| (probe.counts)(window))
}
