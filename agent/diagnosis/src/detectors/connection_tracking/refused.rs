//! Packets that connection tracking itself refused: `nf_hook_slow` ends them, and a counter tells why.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    books::{Books, Entries},
    fault::{Crowd, Fault, Kind},
};
use crate::{
    Window,
    detectors::kit::{Tally, harm},
    evidence::{DropCount, Namespace, PacketSample},
    finding::{Assessment, Confidence, Culprit, Harm},
    kernel::site,
    packets::ip::{IpPacket, UDP},
};

/// As many refusals tell a table that takes nobody from one that was full for a moment; as many connections to one
/// destination tell a crowd from a race of two packets.
const TRIES: usize = 3;

/// The faults by which connection tracking refused packets, each with its share of the keys.
///
/// Before 6.7 the verdicts of rules end at the same function, so that a key is taken only if the counters account for
/// most of its packets; else only the counter speaks.
pub(super) fn faults<'a>(
    window: &Window<'_>,
    namespace: &'a Namespace,
    books: Books,
    keys: &[(usize, &DropCount)],
) -> Vec<Fault<'a>> {
    let refused: Tally = keys
        .iter()
        .filter(|(_, key)| key.location.is_of(&site::NF_HOOK_SLOW))
        .copied()
        .collect();
    let accounts = books.refused().saturating_mul(2) >= refused.count;
    let seen = if accounts { refused } else { Tally::default() };
    let largest = [books.without_entry, books.collided, books.chain_too_long]
        .into_iter()
        .max();
    let tally_of = |count: u64| match Some(count) == largest && !seen.keys.is_empty() {
        // Several mechanisms at once share the keys; the one with the most packets shows their flows.
        true => seen.clone().with_count(count),
        false => Tally::of_counter(count, (0, window.duration_ms)),
    };
    let of_kind = |kind, tally, (assessment, confidence)| Fault {
        kind,
        namespace,
        books,
        tally,
        assessment,
        confidence,
    };
    let mut faults = Vec::new();
    if books.without_entry > 0 || books.evicted > 0 {
        let entries = Entries::of(window, namespace);
        let tally = match books.without_entry {
            0 => Tally::of_counter(books.evicted, (0, window.duration_ms)),
            count => tally_of(count),
        };
        let judged = table_full(window, &tally, books, entries);
        faults.push(of_kind(Kind::TableFull(entries), tally, judged));
    }
    if books.chain_too_long > 0 {
        let tally = tally_of(books.chain_too_long);
        let judged = (outage(window, &tally), Confidence::Certain);
        faults.push(of_kind(Kind::HashChainFull, tally, judged));
    }
    if books.collided > 0 {
        let tally = tally_of(books.collided);
        let samples: Vec<&PacketSample> = tally.samples(window).collect();
        if let Some(crowd) = crowd(window, namespace, &samples) {
            let judged = (outage(window, &tally), Confidence::Certain);
            faults.push(of_kind(Kind::SourcePortsExhausted(crowd), tally, judged));
        } else if !samples.is_empty() && samples.iter().all(|sample| is_udp(sample)) {
            let lost = Assessment::loss(tally.count, None).by(Culprit::Here);
            let lost = lost.with_flows(harm::flows(window, &tally));
            faults.push(of_kind(Kind::InsertRace, tally, (lost, Confidence::Likely)));
        }
    }
    faults
}

/// A full table lets no new connection through. Evicted connections, and a table that was full for a moment, are loss.
fn table_full(
    window: &Window<'_>,
    tally: &Tally,
    books: Books,
    entries: Option<Entries>,
) -> (Assessment, Confidence) {
    let confidence = match entries {
        Some(entries) if entries.was_full() => Confidence::Certain,
        _ => Confidence::Likely,
    };
    let is_full = entries.is_some_and(|entries| entries.is_full_at_the_end());
    let assessment = if is_full && books.without_entry >= TRIES as u64 {
        outage(window, tally)
    } else {
        Assessment::loss(tally.count, None)
            .by(Culprit::Here)
            .with_flows(harm::flows(window, tally))
    };
    (assessment, confidence)
}

/// These connections do not come about: proved dead where the samples show it.
fn outage(window: &Window<'_>, tally: &Tally) -> Assessment {
    harm::outage(window, tally, Culprit::Here).unwrap_or_else(|| {
        Assessment::of(Harm::Outage)
            .by(Culprit::Here)
            .with_packets(tally.count)
            .with_flows(harm::flows(window, tally))
    })
}

/// Connections that leave from an address of this namespace to one destination, so many that their source was
/// translated and no port was left (`nf_nat_l4proto_unique_tuple` gives up, and the entry then collides).
fn crowd(window: &Window<'_>, namespace: &Namespace, samples: &[&PacketSample]) -> Option<Crowd> {
    // A connection that is tried again has the sequence number of its first try.
    let mut crowds: BTreeMap<(IpAddr, IpAddr, u16, u8), BTreeSet<u32>> = BTreeMap::new();
    for (index, sample) in (0..).zip(samples) {
        let Some(packet) = IpPacket::of_sample(sample) else {
            continue;
        };
        let holders = window.holders_of(packet.source);
        let is_own = holders.iter().any(|(holder, _)| holder.id == namespace.id);
        if let (true, Some(ports)) = (is_own, packet.transport()) {
            let to = (packet.destination, ports.destination_port);
            let crowd = (packet.source, to.0, to.1, packet.protocol);
            let connection = packet.segment().map_or(index, |segment| segment.sequence);
            crowds.entry(crowd).or_default().insert(connection);
        }
    }
    let (crowd, members) = crowds
        .into_iter()
        .max_by_key(|(_, members)| members.len())?;
    (members.len() >= TRIES).then_some(Crowd {
        source: crowd.0,
        destination: crowd.1,
        port: crowd.2,
        protocol: crowd.3,
    })
}

fn is_udp(sample: &PacketSample) -> bool {
    IpPacket::of_sample(sample).is_some_and(|packet| packet.protocol == UDP)
}
