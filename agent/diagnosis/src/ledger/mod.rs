//! The drop ledger: every increase of a drop counter, booked to what caused it.
//!
//! Balance is per counter and never summed over devices: one packet may be counted on two (both ends of a veth), and a
//! bond's counters contain its slaves'. An event that no counter counts has no entry here.

mod booking;
mod counters;
mod fit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::{counters::CounterOf, fit::Range};
use crate::{
    Window,
    causes::CHECKSUM_DROP,
    evidence::{DropCount, Link, LinkKind, Namespace, NetnsId},
    finding::{Claim, FindingId, Subject, Verdict},
    kernel::{DeviceCounter, NamespaceCounter},
};

/// One counter's increase within the window, and where it went.
///
/// Invariant: `increase` is the sum of `explained` and `unexplained`, never overlapping.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerEntry {
    /// The device; absent for a namespace's protocol counter.
    pub interface: Option<String>,
    /// The device's index.
    pub ifindex: Option<u32>,
    /// The namespace.
    pub netns: NetnsId,
    /// The owner of the namespace, absent for the node's own.
    pub place: Option<String>,
    /// The counter in the kernel's spelling: `rx_dropped`, `Tcp.InCsumErrors`.
    pub counter: &'static str,
    /// The increase of the counter.
    pub increase: u64,
    /// The drops that the increase was booked to, most first.
    pub explained: Vec<Booking>,
    /// The part of the increase that nothing explains.
    pub unexplained: u64,
    /// The largest possible error of the booking, because counters and drops are not read at one instant.
    pub uncertainty: u64,
}

/// Part of a counter's increase.
#[derive(Clone, Debug, PartialEq)]
pub struct Booking {
    /// The kernel's drop reason, or the location where it gives none.
    pub reason: String,
    /// Protocol by name.
    pub protocol: Option<String>,
    /// Packets.
    pub count: u64,
    /// The judgement whether these drops hurt.
    pub verdict: Verdict,
    /// The finding that explains them.
    pub finding: Option<FindingId>,
}

/// Books the drops of a window to the counters that rose: the device counters `rx_dropped`, `tx_dropped` and
/// `rx_nohandler`, and the namespaces' `Tcp.InCsumErrors`, `Udp.InCsumErrors` and `Udp6.InCsumErrors`.
///
/// The node's own namespace comes first, then by place, interface and counter.
pub fn balance(window: &Window<'_>, claims: &[Claim]) -> Vec<LedgerEntry> {
    let books = Books::new(window, claims);
    let mut entries = BTreeMap::new();
    // Slaves before the bonds that contain their counts.
    let (bonds, others): (Vec<&Link>, Vec<&Link>) =
        window.links().iter().partition(|link| is_bond(link));
    for link in others.into_iter().chain(bonds) {
        let Some(namespace) = window.namespace(link.netns) else {
            continue;
        };
        for counter in DeviceCounter::ALL {
            let of = counter.of(link);
            let mut entry = empty_entry(namespace, counter.name(), counter.increase(link));
            entry.interface = Some(link.name.clone());
            entry.ifindex = Some(link.ifindex);
            if entry.increase == 0 {
                continue;
            }
            if is_bond(link) {
                inherit(&mut entry, window, link, counter, &entries);
            }
            books.explain(&mut entry, of);
            entries.insert(of, entry);
        }
    }
    for namespace in &window.namespaces {
        for counter in NamespaceCounter::BALANCED {
            let mut entry = empty_entry(namespace, counter.name(), counter.increase(namespace));
            if entry.increase == 0 {
                continue;
            }
            let of = CounterOf::Namespace {
                netns: namespace.id,
                counter,
            };
            books.explain(&mut entry, of);
            entries.insert(of, entry);
        }
    }
    let mut entries: Vec<LedgerEntry> = entries.into_values().collect();
    for entry in &mut entries {
        entry
            .explained
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    }
    // `None`, the node's own namespace and a protocol counter, sorts first.
    entries.sort_by(|a, b| {
        (&a.place, a.netns, &a.interface, a.counter).cmp(&(
            &b.place,
            b.netns,
            &b.interface,
            b.counter,
        ))
    });
    entries
}

/// An entry with nothing booked yet.
fn empty_entry(namespace: &Namespace, counter: &'static str, increase: u64) -> LedgerEntry {
    LedgerEntry {
        interface: None,
        ifindex: None,
        netns: namespace.id,
        place: Subject::of_namespace(namespace).place(),
        counter,
        increase,
        explained: Vec::new(),
        unexplained: increase,
        uncertainty: 0,
    }
}

fn is_bond(link: &Link) -> bool {
    link.kind == Some(LinkKind::Bond)
}

/// Books to a bond what it has from its slaves: `bond_get_stats` adds every counter's growth of each slave since it was
/// enslaved to the bond's own. (A team counts for itself, `team_get_stats64`.)
fn inherit(
    entry: &mut LedgerEntry,
    window: &Window<'_>,
    bond: &Link,
    counter: DeviceCounter,
    entries: &BTreeMap<CounterOf, LedgerEntry>,
) {
    for slave in window.topology.ports(bond) {
        let Some(of_slave) = entries.get(&counter.of(slave)) else {
            continue;
        };
        let reason = format!("inherited from {}", slave.name);
        for booking in &of_slave.explained {
            entry.book(Booking {
                reason: reason.clone(),
                ..booking.clone()
            });
        }
        entry.book(Booking {
            reason,
            protocol: None,
            count: of_slave.unexplained,
            verdict: Verdict::Unknown,
            finding: None,
        });
        entry.uncertainty = entry.uncertainty.saturating_add(of_slave.uncertainty);
    }
}

impl LedgerEntry {
    /// Books a part, as far as something is left to explain; adds to a part of the same kind.
    fn book(&mut self, mut booking: Booking) {
        booking.count = booking.count.min(self.unexplained);
        if booking.count == 0 {
            return;
        }
        self.unexplained -= booking.count;
        let same = self.explained.iter_mut().find(|other| {
            other.reason == booking.reason
                && other.protocol == booking.protocol
                && other.verdict == booking.verdict
                && other.finding == booking.finding
        });
        match same {
            Some(other) => other.count += booking.count,
            None => self.explained.push(booking),
        }
    }
}

/// Which drops have raised which counter, and what detectors said about them.
struct Books<'a> {
    counts: &'a [DropCount],
    claims: BTreeMap<usize, &'a Claim>,
    raised: BTreeMap<CounterOf, Vec<usize>>,
}

impl<'a> Books<'a> {
    fn new(window: &'a Window<'_>, claims: &'a [Claim]) -> Self {
        let counts = window
            .drops
            .value()
            .map_or(&[][..], |drops| drops.counts.as_slice());
        let claims: BTreeMap<usize, &Claim> =
            claims.iter().map(|claim| (claim.drop, claim)).collect();
        let mut raised: BTreeMap<CounterOf, Vec<usize>> = BTreeMap::new();
        for drop in 0..counts.len() {
            let is_wrong_checksum = claims
                .get(&drop)
                .and_then(|claim| claim.finding.as_ref())
                .is_some_and(|finding| *finding.check() == CHECKSUM_DROP);
            for counter in booking::counters_raised(window, drop, is_wrong_checksum) {
                raised.entry(counter).or_default().push(drop);
            }
        }
        Self {
            counts,
            claims,
            raised,
        }
    }

    /// Books the drops that raised this counter, as far as something is left to explain.
    fn explain(&self, entry: &mut LedgerEntry, counter: CounterOf) {
        let keys: Vec<(usize, &DropCount)> = self
            .raised
            .get(&counter)
            .into_iter()
            .flatten()
            .filter_map(|drop| Some((*drop, self.counts.get(*drop)?)))
            .collect();
        let ranges: Vec<Range> = keys
            .iter()
            .map(|(_, key)| Range {
                at_least: key.at_least,
                at_most: key.count,
            })
            .collect();
        entry.uncertainty = entry.uncertainty.saturating_add(fit::uncertainty(&ranges));
        for ((drop, key), count) in keys.iter().zip(fit::fit(entry.unexplained, &ranges)) {
            let claim = self.claims.get(drop);
            entry.book(Booking {
                reason: spoken_reason(key).to_owned(),
                protocol: claim.and_then(|claim| claim.protocol.clone()),
                count,
                verdict: claim.map_or(Verdict::Unknown, |claim| claim.verdict),
                finding: claim.and_then(|claim| claim.finding.clone()),
            });
        }
    }
}

/// The kernel's reason, or where it gives none the function that dropped the packet.
fn spoken_reason(key: &DropCount) -> &str {
    match key.location.named() {
        Some(function) if key.reason.is_unnamed() => function,
        _ => key.reason.as_str(),
    }
}
