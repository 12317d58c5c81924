//! The GRO probe: counts what generic receive offload makes of TCP packets with and without a segment routing header.
//!
//! It runs for every packet that comes in, so it is attached only where such headers may come in at all.

mod layout;
#[cfg(test)]
mod live_tests;
mod support;

use aya::maps::{MapData, MapError, PerCpuArray, PerCpuHashMap};
use netdiag_abi::gro::{GroCounts, GroKey, kind, lost};
use netdiag_diagnosis::evidence::{GroCount, GroKind, GroReceive, Link, Namespace};

pub(super) use layout::resolve;
pub use support::supported;

use super::{
    Kernel, OnDemandProbe, Support,
    places::{Places, SeenNamespace},
    tracepoint::{self, Backend, Description, Hook, Loaded},
    wire::Wire,
};
use crate::causes::causes;

/// The probe in the eBPF object. The exits read no kernel memory, so that they have one typed variant; they come after
/// the entries, of which the first decides which variant it is.
pub(super) const PROBE: Description = Description {
    maps: "GRO_",
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
};

/// The probe in the kernel. Dropping it detaches it and frees its maps.
pub struct GroProbe {
    programs: Loaded,
    counts: PerCpuHashMap<MapData, Wire<GroKey>, Wire<GroCounts>>,
    lost: PerCpuArray<MapData, u64>,
    has_cookies: bool,
}

impl GroProbe {
    /// Loads the first of these variants that the kernel takes, with empty maps, and attaches it.
    fn attach_first_of(kernel: &Kernel, backends: &[Backend]) -> Result<Self, String> {
        if let Support::No(reason) = supported(&kernel.facts) {
            return Err(reason);
        }
        let mut layout = kernel.gro_layout.clone()?;
        layout::find_pages(&mut layout, &kernel.facts);
        let in_words = |error: tracepoint::Error| causes(&error);
        let mut programs = tracepoint::load(&PROBE, &Wire(layout), backends).map_err(in_words)?;
        let mut take = |name| programs.take_map(name).map_err(in_words);
        let counts = PerCpuHashMap::try_from(take("GRO_COUNTS")?);
        let lost = PerCpuArray::try_from(take("GRO_LOST")?);
        let map_in_words = |error: MapError| causes(&error);
        programs.attach().map_err(in_words)?;
        Ok(Self {
            programs,
            counts: counts.map_err(map_in_words)?,
            lost: lost.map_err(map_in_words)?,
            has_cookies: kernel.facts.namespaces_have_cookies,
        })
    }

    fn lost(&self, why: u32) -> u64 {
        let values = self.lost.get(&why, 0);
        values.map_or(0, |values| values.iter().sum())
    }

    /// What was counted, over all CPUs.
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

    fn attach(kernel: &Kernel) -> Result<Self, String> {
        Self::attach_first_of(kernel, &Backend::ALL)
    }

    fn resume(&mut self) -> Result<(), String> {
        self.programs.attach().map_err(|error| causes(&error))
    }

    fn detach(&mut self) {
        self.programs.detach();
    }

    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> GroReceive {
        GroReceive {
            backend: self.programs.backend.name().to_owned(),
            lost: self.lost(lost::NO_ROOM),
            unread: self.lost(lost::UNREAD),
            counts: on_devices(&self.counted(), namespaces, links, self.has_cookies),
        }
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
