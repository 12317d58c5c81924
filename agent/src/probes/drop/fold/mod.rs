//! Turns counts by kernel addresses and numbers into evidence by names.

use std::collections::{BTreeMap, HashMap, VecDeque};

use netdiag_abi::drop::{DropKey, sample_flags};
use netdiag_diagnosis::{
    evidence::{DropCount, NetnsId, PacketSample},
    kernel::{Function, Reason},
};

use super::{Edges, activity::Activity, places::DropPlaces, samples::Sampled};
use crate::probes::facts::KernelFacts;

/// A key's drops within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub key: DropKey,
    pub at_least: u64,
    pub count: u64,
    pub first_ns: u64,
    pub last_ns: u64,
}

/// The keys that were dropped within the window, and how often: surely between the end of one edge and the beginning
/// of the other, possibly between their outer ends.
pub(super) fn within_window(edges: &Edges, activity: &Activity) -> Vec<Counted> {
    edges
        .m1_after
        .counts
        .iter()
        .filter_map(|(key, last)| {
            let at = |counts: &HashMap<DropKey, u64>| counts.get(key).copied().unwrap_or(0);
            let count = last.saturating_sub(at(&edges.m0.counts));
            let span = activity.span(key);
            (count > 0).then(|| Counted {
                key: *key,
                at_least: at(&edges.m1.counts).saturating_sub(at(&edges.m0_after.counts)),
                count,
                first_ns: span.map_or(edges.m0.taken_ns, |span| span.first_ns),
                last_ns: span.map_or(edges.m1_after.taken_ns, |span| span.last_ns),
            })
        })
        .collect()
}

/// The key of one entry of the evidence. Several keys of the map may share it: a function has many call sites, a
/// namespace many cookies. The first number is the device's, then come the protocol's number and its subtype.
type CountName = (Option<NetnsId>, u32, u16, u8, Reason, Function);

/// The indexes by which names are found, and the window.
pub(super) struct Fold<'a> {
    pub places: &'a DropPlaces,
    pub locations: &'a HashMap<u64, String>,
    pub facts: &'a KernelFacts,
    pub start_ns: u64,
    pub end_ns: u64,
}

impl Fold<'_> {
    /// Counts by name, most frequent first, and the samples with the places of their counts.
    pub(super) fn fold(
        &self,
        counted: &[Counted],
        mut samples: HashMap<DropKey, VecDeque<Sampled>>,
    ) -> (Vec<DropCount>, Vec<PacketSample>) {
        let mut named: BTreeMap<CountName, (DropCount, Vec<Sampled>)> = BTreeMap::new();
        for drop in counted {
            let mut packets: Vec<Sampled> = samples
                .remove(&drop.key)
                .unwrap_or_default()
                .into_iter()
                .filter(|sample| (self.start_ns..=self.end_ns).contains(&sample.header.at_ns))
                .collect();
            let times = packets.iter().map(|sample| sample.header.at_ns);
            // The clock of samples is exact; a read only knows that the count moved since the one before it.
            let first_ms = self.milliseconds(times.clone().fold(drop.first_ns, u64::min));
            let last_ms = self.milliseconds(times.fold(drop.last_ns, u64::max));

            let name = self.name(&drop.key);
            let (netns, ifindex, ethertype, _, reason, location) = name.clone();
            let (count, kept) = named.entry(name).or_insert_with(|| {
                let fresh = DropCount {
                    netns,
                    ifindex,
                    ethertype,
                    reason,
                    location,
                    first_ms,
                    last_ms,
                    ..DropCount::default()
                };
                (fresh, Vec::new())
            });
            count.at_least = count.at_least.saturating_add(drop.at_least);
            count.count = count.count.saturating_add(drop.count);
            count.first_ms = count.first_ms.min(first_ms);
            count.last_ms = count.last_ms.max(last_ms);
            kept.append(&mut packets);
        }

        let mut entries: Vec<(DropCount, Vec<Sampled>)> = named.into_values().collect();
        entries.sort_by_key(|(drop, _)| std::cmp::Reverse(drop.count)); // stable: equals stay in order of name
        let mut counts = Vec::with_capacity(entries.len());
        let mut packets = Vec::new();
        for (key, (count, mut kept)) in entries.into_iter().enumerate() {
            kept.sort_by_key(|sample| sample.header.at_ns);
            packets.extend(kept.into_iter().map(|sample| self.packet(key, sample)));
            counts.push(count);
        }
        (counts, packets)
    }

    fn name(&self, key: &DropKey) -> CountName {
        let location = self.locations.get(&key.location);
        let location = location.map_or_else(Function::default, |name| name.as_str().into());
        let device = self.places.device(key, &location);
        (
            device
                .map(|(netns, _)| netns)
                .or_else(|| self.places.namespace(key)),
            device.map_or(0, |(_, ifindex)| ifindex),
            key.protocol,
            key.subtype,
            self.facts.drop_reason_of(key.reason),
            location,
        )
    }

    fn packet(&self, key: usize, sample: Sampled) -> PacketSample {
        let header = sample.header;
        PacketSample {
            key,
            at_ms: self.milliseconds(header.at_ns),
            length: header.length,
            truncated: u64::from(header.length) > sample.bytes.len() as u64,
            network_offset: Sampled::offset(header.network_offset),
            transport_offset: Sampled::offset(header.transport_offset),
            has_link_header: sample.has(sample_flags::LINK_HEADER),
            ip_summed: header.ip_summed,
            packet_type: header.packet_type,
            skb_iif: header.skb_iif,
            vlan_tci: sample.vlan_tci(),
            route: sample.route(),
            bytes: sample.bytes,
        }
    }

    fn milliseconds(&self, at_ns: u64) -> u64 {
        at_ns.min(self.end_ns).saturating_sub(self.start_ns) / 1_000_000
    }
}

#[cfg(test)]
mod tests;
