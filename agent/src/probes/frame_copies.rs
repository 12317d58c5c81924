//! The frame copies probe: frames that come in on two interfaces of one namespace, which are then in one broadcast
//! domain.

mod fold;
mod layout;
#[cfg(test)]
mod live_tests;
mod support;

use aya::maps::{MapData, MapError, PerCpuArray, PerCpuHashMap};
use netdiag_abi::frame_copies::{Copies, CopyKey, total};
use netdiag_diagnosis::evidence::{self, Link, Namespace};

pub(super) use layout::resolve;
pub use support::supported;

use super::{
    Kernel, KernelFacts, OnDemandProbe, Support,
    tracepoint::{self, Backend, Description, Hook, Loaded},
    wire::Wire,
};
use crate::causes::causes;

/// The probe in the eBPF object.
pub(super) const PROBE: Description = Description {
    maps: "FRAME_COPIES_",
    layout: "FRAME_COPIES_LAYOUT",
    hooks: &[Hook {
        tracepoint: "netif_receive_skb",
        direct: "frame_copies_direct",
        probed: "frame_copies_probed",
        raw: "frame_copies_raw",
    }],
};

/// Why frames cannot be compared.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("failed to lay out the frame copies probe: {reason}")]
    Unsupported { reason: String },
    #[error(transparent)]
    Load(#[from] tracepoint::Error),
    #[error("failed to access a map of the frame copies probe")]
    Map { source: MapError },
}

/// The loaded probe with maps of its own. Dropping it detaches it.
pub struct FrameCopiesProbe {
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
        let unsupported = |reason| Error::Unsupported { reason };
        if let Support::No(reason) = supported(&kernel.facts) {
            return Err(unsupported(reason));
        }
        let layout = kernel.frame_copies_layout.clone().map_err(unsupported)?;
        let mut loaded = tracepoint::load(&PROBE, &Wire(layout), backends)?;
        let map_error = |source| Error::Map { source };
        let counts = loaded.take_map("FRAME_COPIES_COUNTS")?;
        let totals = loaded.take_map("FRAME_COPIES_TOTALS")?;
        loaded.attach()?;
        Ok(Self {
            facts: kernel.facts.clone(),
            loaded,
            counts: PerCpuHashMap::try_from(counts).map_err(map_error)?,
            totals: PerCpuArray::try_from(totals).map_err(map_error)?,
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
    type Evidence = evidence::FrameCopies;

    fn attach(kernel: &Kernel) -> Result<Self, String> {
        Self::attach_first_of(kernel, &Backend::ALL).map_err(|error| causes(&error))
    }

    fn resume(&mut self) -> Result<(), String> {
        self.loaded.attach().map_err(|error| causes(&error))
    }

    fn detach(&mut self) {
        self.loaded.detach();
    }

    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> Self::Evidence {
        let copies = self.copies();
        evidence::FrameCopies {
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
