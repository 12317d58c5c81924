//! The frame copies probe: frames that come in on two interfaces of one namespace, which are then in one broadcast
//! domain.

mod fold;
mod layout;
#[cfg(test)]
mod live_tests;
mod question;
mod support;

use aya::maps::{MapData, PerCpuArray, PerCpuHashMap};
use netdiag_abi::frame_copies::{Copies, CopyKey, FrameCopiesLayout, total};
use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{FrameCopies, Link, Namespace, OnDemand},
};

use self::{question::ReceivedTwice, support::supported};
use super::{
    description::{Backend, Description, Hook, any_layout},
    error::Error,
    facts::KernelFacts,
    kernel::Kernel,
    on_demand::{OnDemandProbe, RegisteredProbe},
    tracepoint::{self, Loaded},
    wire::Wire,
};

/// The probe in the eBPF object.
pub(super) static DESCRIPTION: Description = Description {
    name: "frame-copies",
    maps: "FRAME_COPIES_",
    large_maps: &["FRAME_COPIES_FRAMES", "FRAME_COPIES_COUNTS"],
    layout: "FRAME_COPIES_LAYOUT",
    hooks: &[Hook {
        tracepoint: "netif_receive_skb",
        direct: "frame_copies_direct",
        probed: "frame_copies_probed",
        raw: "frame_copies_raw",
    }],
    supported,
    resolve: |types, facts| any_layout(layout::resolve(types, facts)),
};

/// The loaded probe with maps of its own. Dropping it detaches it.
pub(super) struct FrameCopiesProbe {
    facts: KernelFacts,
    loaded: Loaded,
    counts: PerCpuHashMap<MapData, Wire<CopyKey>, Wire<Copies>>,
    totals: PerCpuArray<MapData, u64>,
}

impl FrameCopiesProbe {
    /// Attaches the first of these variants that the kernel takes.
    ///
    /// # Errors
    /// The agent was built without eBPF, this process may not load it, or this kernel takes no variant of it.
    fn attach_first_of(kernel: &Kernel, backends: &[Backend]) -> Result<Self, Error> {
        let layout: FrameCopiesLayout = kernel.layout(&DESCRIPTION)?;
        let mut loaded = tracepoint::load(kernel, &DESCRIPTION, layout, backends)?;
        let counts = PerCpuHashMap::try_from(loaded.take_map("FRAME_COPIES_COUNTS")?)?;
        let totals = PerCpuArray::try_from(loaded.take_map("FRAME_COPIES_TOTALS")?)?;
        loaded.attach()?;
        Ok(Self {
            facts: kernel.facts.clone(),
            loaded,
            counts,
            totals,
        })
    }

    fn total(&self, index: u32) -> u64 {
        let values = self.totals.get(&index, 0);
        values.map_or(0, |values| values.iter().sum())
    }

    /// Copies by kind, of all CPUs.
    fn copies(&self) -> Vec<(CopyKey, Copies)> {
        let of_all_cpus = |values: aya::maps::PerCpuValues<Wire<Copies>>| {
            values.iter().fold(Copies::default(), |sum, one| Copies {
                count: sum.count.saturating_add(one.0.count),
                longest_gap_ns: sum.longest_gap_ns.max(one.0.longest_gap_ns),
            })
        };
        self.counts
            .iter()
            .filter_map(Result::ok)
            .map(|(Wire(key), values)| (key, of_all_cpus(values)))
            .collect()
    }
}

impl OnDemandProbe for FrameCopiesProbe {
    type Evidence = FrameCopies;
    type Question = ReceivedTwice;

    fn attach(kernel: &Kernel) -> Result<Self, Error> {
        Self::attach_first_of(kernel, &Backend::ALL)
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.loaded.attach()
    }

    fn detach(&mut self) {
        self.loaded.detach();
    }

    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> Self::Evidence {
        let copies = self.copies();
        FrameCopies {
            backend: self.loaded.backend.name().to_owned(),
            compared: self.total(total::COMPARED),
            unreadable: self.total(total::UNREADABLE),
            lost: self
                .total(total::LOST)
                .saturating_add(self.loaded.recursion_misses()),
            copies: fold::fold(
                copies,
                namespaces,
                links,
                self.facts.namespaces_have_cookies,
            ),
        }
    }
}

impl RegisteredProbe for FrameCopiesProbe {
    const DESCRIPTION: &'static Description = &DESCRIPTION;

    fn evidence(window: &EvidenceWindow) -> &OnDemand<FrameCopies> {
        &window.frame_copies
    }

    fn evidence_mut(window: &mut EvidenceWindow) -> &mut OnDemand<FrameCopies> {
        &mut window.frame_copies
    }

    fn backend(evidence: &FrameCopies) -> &str {
        &evidence.backend
    }

    fn counts(evidence: &FrameCopies) -> Vec<u64> {
        let counts = evidence.copies.iter().map(|copy| copy.count);
        counts
            .chain([evidence.compared, evidence.unreadable, evidence.lost])
            .collect()
    }
}
