//! The retransmission probe: joins TCP segments that this node's sockets send again to drops of their earlier copies.
//!
//! It hooks the drop of every packet a second time, besides the drop probe, and is therefore attached only while
//! retransmissions happen.

mod layout;
#[cfg(test)]
mod live_tests;
mod question;
mod support;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use aya::maps::{HashMap as BpfHashMap, MapData, PerCpuArray, PerCpuHashMap};
use netdiag_abi::{
    drop::DropKey,
    retransmissions::{RememberedDrop, RetransmissionLayout, Retransmitted, total},
};
use netdiag_diagnosis::{
    EvidenceWindow,
    evidence::{ExplainedRetransmissions, Link, Namespace, NetnsId, OnDemand, Retransmissions},
    kernel::Function,
};

use self::{question::DroppedHere, support::supported};
use super::{
    description::{Backend, Description, Hook, any_layout},
    drop::DropPlaces,
    error::Error,
    facts::KernelFacts,
    kallsyms,
    kernel::Kernel,
    on_demand::{OnDemandProbe, RegisteredProbe},
    tracepoint::{self, Loaded},
    wire::Wire,
};

/// The probe in the eBPF object.
pub(super) static DESCRIPTION: Description = Description {
    name: "retransmissions",
    maps: "RETRANSMISSION_",
    large_maps: &["RETRANSMISSION_DROPS", "RETRANSMISSION_PLACES"],
    layout: "RETRANSMISSION_LAYOUT",
    hooks: &[
        Hook {
            tracepoint: "kfree_skb",
            direct: "retransmissions_drop_direct",
            probed: "retransmissions_drop_probed",
            raw: "retransmissions_drop_raw",
        },
        Hook {
            tracepoint: "tcp_retransmit_skb",
            direct: "retransmissions_sent_direct",
            probed: "retransmissions_sent_probed",
            raw: "retransmissions_sent_raw",
        },
        Hook {
            tracepoint: "tcp_retransmit_synack",
            direct: "retransmissions_synack_direct",
            probed: "retransmissions_synack_probed",
            raw: "retransmissions_synack_raw",
        },
    ],
    supported,
    resolve: |types, facts| any_layout(layout::resolve(types, facts)),
};

/// The probe in the kernel. Dropping it detaches it and frees its maps.
pub(super) struct RetransmissionProbe {
    facts: KernelFacts,
    programs: Loaded,
    drops: BpfHashMap<MapData, u32, Wire<RememberedDrop>>,
    places: PerCpuHashMap<MapData, Wire<DropKey>, Wire<Retransmitted>>,
    totals: PerCpuArray<MapData, u64>,
}

impl RetransmissionProbe {
    /// Loads the first of these variants that the kernel takes, with empty maps, and attaches it.
    fn attach_first_of(kernel: &Kernel, backends: &[Backend]) -> Result<Self, Error> {
        let layout: RetransmissionLayout = kernel.layout(&DESCRIPTION)?;
        let mut programs = tracepoint::load(kernel, &DESCRIPTION, layout, backends)?;
        let drops = BpfHashMap::try_from(programs.take_map("RETRANSMISSION_DROPS")?)?;
        let places = PerCpuHashMap::try_from(programs.take_map("RETRANSMISSION_PLACES")?)?;
        let totals = PerCpuArray::try_from(programs.take_map("RETRANSMISSION_TOTALS")?)?;
        programs.attach()?;
        Ok(Self {
            facts: kernel.facts.clone(),
            programs,
            drops,
            places,
            totals,
        })
    }

    fn total(&self, element: u32) -> u64 {
        let values = self.totals.get(&element, 0);
        values.map_or(0, |values| values.iter().sum())
    }

    /// Drops and retransmissions that found no room: those that were told so, and drops that went from the map of the
    /// least recently used without having been sent again.
    fn lost(&self) -> u64 {
        let present = self.drops.keys().filter(Result::is_ok).count() as u64;
        let forgotten = self
            .total(total::REMEMBERED)
            .saturating_sub(self.total(total::ANSWERED))
            .saturating_sub(present);
        forgotten + self.total(total::LOST) + self.programs.recursion_misses()
    }

    fn explained(&self) -> Vec<(DropKey, Retransmitted)> {
        let entries = self.places.iter().filter_map(Result::ok);
        entries
            .map(|(Wire(place), counts)| {
                let sum = |of: fn(&Retransmitted) -> u64| counts.iter().map(|one| of(&one.0)).sum();
                let segments = sum(|counted| counted.segments);
                let late = sum(|counted| counted.late);
                (place, Retransmitted { segments, late })
            })
            .collect()
    }
}

impl OnDemandProbe for RetransmissionProbe {
    type Evidence = Retransmissions;
    type Question = DroppedHere;

    fn attach(kernel: &Kernel) -> Result<Self, Error> {
        Self::attach_first_of(kernel, &Backend::ALL)
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.programs.attach()
    }

    fn detach(&mut self) {
        self.programs.detach();
    }

    fn finish(self, namespaces: &[Namespace], links: &[Link]) -> Self::Evidence {
        let explained = self.explained();
        let addresses: Vec<u64> = explained.iter().map(|(place, _)| place.location).collect();
        // Where names are hidden the drop probe says so.
        let locations = kallsyms::resolve(&addresses).unwrap_or_default();
        let places = DropPlaces::new(
            namespaces,
            links,
            explained.iter().map(|(place, _)| place),
            self.facts.namespaces_have_cookies,
        );
        Retransmissions {
            backend: self.programs.backend.name().to_owned(),
            segments: self.total(total::SEGMENTS),
            explained: fold(&explained, &places, &locations, &self.facts),
            lost: self.lost(),
        }
    }
}

impl RegisteredProbe for RetransmissionProbe {
    const DESCRIPTION: &'static Description = &DESCRIPTION;

    fn evidence(window: &EvidenceWindow) -> &OnDemand<Retransmissions> {
        &window.retransmissions
    }

    fn evidence_mut(window: &mut EvidenceWindow) -> &mut OnDemand<Retransmissions> {
        &mut window.retransmissions
    }

    fn backend(evidence: &Retransmissions) -> &str {
        &evidence.backend
    }

    fn counts(evidence: &Retransmissions) -> Vec<u64> {
        let explained = evidence.explained.iter();
        explained
            .flat_map(|one| [one.segments, one.late])
            .chain([evidence.segments, evidence.lost])
            .collect()
    }
}

/// Counts by name, most frequent first. Several places may have one name: a function has many call sites.
fn fold(
    explained: &[(DropKey, Retransmitted)],
    places: &DropPlaces,
    locations: &HashMap<u64, String>,
    facts: &KernelFacts,
) -> Vec<ExplainedRetransmissions> {
    let mut named: BTreeMap<_, Retransmitted> = BTreeMap::new();
    for (place, counted) in explained {
        let location = locations.get(&place.location);
        let location = location.map_or_else(Function::default, |name| name.as_str().into());
        let device = places.device(place, &location);
        let reason = facts.drop_reason_of(place.reason);
        let name = (device, place.protocol, reason, location);
        let sum = named.entry(name).or_default();
        sum.segments = sum.segments.saturating_add(counted.segments);
        sum.late = sum.late.saturating_add(counted.late);
    }
    let row = |((device, ethertype, reason, location), sum): (_, Retransmitted)| {
        let device: Option<(NetnsId, u32)> = device;
        ExplainedRetransmissions {
            netns: device.map(|(netns, _)| netns),
            ifindex: device.map_or(0, |(_, ifindex)| ifindex),
            ethertype,
            reason,
            location,
            segments: sum.segments,
            late: sum.late,
        }
    };
    let mut rows: Vec<_> = named.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.segments)); // stable: equals stay in order of name
    rows
}
