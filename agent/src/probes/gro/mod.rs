//! The GRO probe: counts what generic receive offload makes of TCP packets with and without a segment routing header.
//!
//! It runs for every packet that comes in, so it is attached only where such headers may come in at all.

mod layout;
#[cfg(test)]
mod live_tests;
mod question;
mod support;

use aya::maps::{MapData, PerCpuArray, PerCpuHashMap};
use netdiag_abi::gro::{GroCounts, GroKey, GroLayout, kind, lost};
use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{GroCount, GroKind, GroReceive, Link, Namespace, OnDemand},
};

use self::{question::SegmentRoutingJoined, support::supported};
use super::{
    description::{Backend, Description, Hook, any_layout},
    error::Error,
    kernel::Kernel,
    on_demand::{OnDemandProbe, RegisteredProbe},
    places::{Places, SeenNamespace},
    tracepoint::{self, Loaded},
    wire::Wire,
};

/// The probe in the eBPF object. The exits read no kernel memory, so that they have one typed variant; they come after
/// the entries, of which the first decides which variant it is.
pub(super) static DESCRIPTION: Description = Description {
    name: "gro",
    maps: "GRO_",
    large_maps: &["GRO_COUNTS"],
    layout: "GRO_LAYOUT",
    hooks: &[
        Hook {
            tracepoint: "napi_gro_receive_entry",
            direct: "gro_receive_entry_direct",
            probed: "gro_receive_entry_probed",
            raw: "gro_receive_entry_raw",
        },
        Hook {
            tracepoint: "napi_gro_frags_entry",
            direct: "gro_frags_entry_direct",
            probed: "gro_frags_entry_probed",
            raw: "gro_frags_entry_raw",
        },
        Hook {
            tracepoint: "napi_gro_receive_exit",
            direct: "gro_receive_exit",
            probed: "gro_receive_exit",
            raw: "gro_receive_exit_raw",
        },
        Hook {
            tracepoint: "napi_gro_frags_exit",
            direct: "gro_frags_exit",
            probed: "gro_frags_exit",
            raw: "gro_frags_exit_raw",
        },
    ],
    supported,
    resolve: |types, facts| any_layout(layout::resolve(types, facts)),
};

/// The probe in the kernel. Dropping it detaches it and frees its maps.
pub(super) struct GroProbe {
    programs: Loaded,
    counts: PerCpuHashMap<MapData, Wire<GroKey>, Wire<GroCounts>>,
    lost: PerCpuArray<MapData, u64>,
    has_cookies: bool,
}

impl GroProbe {
    /// Loads the first of these variants that the kernel takes, with empty maps, and attaches it.
    fn attach_first_of(kernel: &Kernel, backends: &[Backend]) -> Result<Self, Error> {
        let mut layout: GroLayout = kernel.layout(&DESCRIPTION)?;
        layout::find_pages(&mut layout, &kernel.facts);
        let mut programs = tracepoint::load(kernel, &DESCRIPTION, layout, backends)?;
        let counts = PerCpuHashMap::try_from(programs.take_map("GRO_COUNTS")?)?;
        let lost = PerCpuArray::try_from(programs.take_map("GRO_LOST")?)?;
        programs.attach()?;
        Ok(Self {
            programs,
            counts,
            lost,
            has_cookies: kernel.facts.namespaces_have_cookies,
        })
    }

    fn lost(&self, why: u32) -> u64 {
        let values = self.lost.get(&why, 0);
        values.map_or(0, |values| values.iter().sum())
    }

    /// The counts, summed over all CPUs.
    fn counted(&self) -> Vec<(GroKey, GroCounts)> {
        let entries = self.counts.iter().filter_map(Result::ok);
        entries
            .map(|(Wire(key), of_cpus)| {
                let mut sum = GroCounts::default();
                for Wire(counts) in of_cpus.iter() {
                    sum.offered += counts.offered;
                    sum.merged += counts.merged;
                    sum.held += counts.held;
                }
                (key, sum)
            })
            .collect()
    }
}

impl OnDemandProbe for GroProbe {
    type Evidence = GroReceive;
    type Question = SegmentRoutingJoined;

    fn attach(kernel: &Kernel) -> Result<Self, Error> {
        Self::attach_first_of(kernel, &Backend::ALL)
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.programs.attach()
    }

    fn detach(&mut self) {
        self.programs.detach();
    }

    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> GroReceive {
        GroReceive {
            backend: self.programs.backend.name().to_owned(),
            lost: self
                .lost(lost::NO_ROOM)
                .saturating_add(self.programs.recursion_misses()),
            unread: self.lost(lost::UNREAD),
            counts: on_devices(&self.counted(), namespaces, links, self.has_cookies),
        }
    }
}

impl RegisteredProbe for GroProbe {
    const DESCRIPTION: &'static Description = &DESCRIPTION;

    fn evidence(window: &EvidenceWindow) -> &OnDemand<GroReceive> {
        &window.gro
    }

    fn evidence_mut(window: &mut EvidenceWindow) -> &mut OnDemand<GroReceive> {
        &mut window.gro
    }

    fn backend(evidence: &GroReceive) -> &str {
        &evidence.backend
    }

    fn counts(evidence: &GroReceive) -> Vec<u64> {
        let counts = evidence.counts.iter();
        counts
            .flat_map(|count| [count.offered, count.merged, count.held])
            .chain([evidence.unread, evidence.lost])
            .collect()
    }
}

/// The counts of devices that the node really has, by device and kind.
fn on_devices(
    counted: &[(GroKey, GroCounts)],
    namespaces: &[Namespace],
    links: &[Link],
    has_cookies: bool,
) -> Vec<GroCount> {
    let namespace = |key: &GroKey| SeenNamespace {
        inum: key.inum,
        net: key.net,
    };
    let seen = counted.iter().map(|(key, _)| namespace(key));
    let places = Places::new(namespaces, links, seen, has_cookies);
    let mut counts: Vec<GroCount> = counted
        .iter()
        .filter_map(|(key, counts)| {
            let (netns, ifindex) = places.device(namespace(key), key.ifindex)?;
            Some(GroCount {
                netns,
                ifindex,
                kind: kind_of(key.kind)?,
                offered: counts.offered,
                merged: counts.merged,
                held: counts.held,
            })
        })
        .collect();
    counts.sort_by_key(|count| (count.netns, count.ifindex, count.kind));
    counts
}

fn kind_of(number: u32) -> Option<GroKind> {
    match number {
        kind::PLAIN_TCP => Some(GroKind::PlainTcp),
        kind::INLINE => Some(GroKind::SegmentRoutingInline),
        kind::ENCAPSULATED => Some(GroKind::SegmentRoutingEncapsulated),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
