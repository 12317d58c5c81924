//! The ledger's lines: `bond0 rx_dropped  +3 = 3 LLDP (benign) + 0 unexplained`.

use std::{cmp::Reverse, collections::BTreeMap};

use netdiag_crds::report::{Explained, LedgerEntry, verdict};
use netdiag_diagnosis::text::printable;

use super::{Style, text::wrap};

/// Wider names are not aligned; the others would be pushed too far to the right.
const ALIGN_AT_MOST: usize = 40;

/// Of harmless counters so many get a line of their own; the rest is summed, except with `-o wide`.
const HARMLESS_LINES: usize = 10;

/// The rows of a ledger: those with a line of their own, what hurts first, and those that are summed.
pub(super) struct Rows<'a> {
    /// One line each.
    pub own: Vec<&'a LedgerEntry>,
    summed: Vec<&'a LedgerEntry>,
}

impl<'a> Rows<'a> {
    /// The rows of this ledger; `-o wide` sums none.
    pub(super) fn of(entries: &'a [LedgerEntry], wide: bool) -> Self {
        let (mut own, mut harmless): (Vec<&LedgerEntry>, Vec<&LedgerEntry>) =
            entries.iter().partition(|entry| is_open(entry));
        own.sort_by_key(|entry| {
            let unknown = total(entry, verdict::UNKNOWN).saturating_add(entry.unexplained);
            Reverse((total(entry, verdict::HARMFUL), unknown))
        });
        let lines = if wide || harmless.len() <= HARMLESS_LINES + 1 {
            harmless.len()
        } else {
            HARMLESS_LINES
        };
        let summed = harmless.split_off(lines);
        own.extend(harmless);
        Self { own, summed }
    }

    /// One line a row, and one a counter for the summed ones.
    pub(super) fn text(&self, style: Style) -> String {
        let sums = sums(&self.summed);
        let entries: Vec<&LedgerEntry> = self.own.iter().copied().chain(&sums).collect();
        let names: Vec<String> = entries.iter().map(|entry| name(entry)).collect();
        let column = names
            .iter()
            .map(|name| textwrap::core::display_width(name))
            .filter(|width| *width <= ALIGN_AT_MOST)
            .max()
            .unwrap_or(0);
        let lines: Vec<String> = names
            .iter()
            .zip(&entries)
            .map(|(name, entry)| {
                let line = format!("{name:<column$}  {}", sum(entry));
                wrap("  ", "      ", &line, style.width)
            })
            .collect();
        lines.join("\n")
    }
}

/// Somebody may miss some of these packets.
pub(super) fn is_open(entry: &LedgerEntry) -> bool {
    entry.unexplained > 0
        || entry
            .explained
            .iter()
            .any(|booking| booking.verdict != verdict::BENIGN)
}

/// One entry a counter for those that get no line of their own.
fn sums(entries: &[&LedgerEntry]) -> Vec<LedgerEntry> {
    let mut by_counter: BTreeMap<&str, Vec<&LedgerEntry>> = BTreeMap::new();
    for entry in entries.iter().copied() {
        by_counter.entry(&entry.counter).or_default().push(entry);
    }
    let add = |values: &mut dyn Iterator<Item = i64>| values.fold(0, i64::saturating_add);
    by_counter
        .into_iter()
        .map(|(counter, entries)| LedgerEntry {
            interface: None,
            netns: Some(format!("{} more (-o wide lists them):", entries.len())),
            counter: counter.to_owned(),
            increase: add(&mut entries.iter().map(|entry| entry.increase)),
            explained: entries
                .iter()
                .flat_map(|entry| entry.explained.clone())
                .collect(),
            unexplained: 0,
            uncertainty: add(&mut entries.iter().map(|entry| entry.uncertainty)),
        })
        .collect()
}

fn total(entry: &LedgerEntry, verdict: &str) -> i64 {
    entry
        .explained
        .iter()
        .filter(|booking| booking.verdict == verdict)
        .fold(0, |sum: i64, booking| sum.saturating_add(booking.count))
}

fn name(entry: &LedgerEntry) -> String {
    let parts = [
        entry.netns.as_deref(),
        entry.interface.as_deref(),
        Some(entry.counter.as_str()),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    printable(&parts.join(" ")).into_owned()
}

fn sum(entry: &LedgerEntry) -> String {
    let mut terms: Vec<(String, i64)> = Vec::new();
    for booking in &entry.explained {
        let term = term(booking);
        match terms.iter_mut().find(|(known, _)| *known == term) {
            Some((_, count)) => *count = count.saturating_add(booking.count),
            None => terms.push((term, booking.count)),
        }
    }
    if terms.is_empty() {
        terms.push(("explained".to_owned(), 0));
    }
    terms.push(("unexplained".to_owned(), entry.unexplained));
    let terms: Vec<String> = terms
        .iter()
        .map(|(term, count)| format!("{count} {term}"))
        .collect();
    let mut line = format!("+{} = {}", entry.increase, terms.join(" + "));
    if entry.uncertainty > 0 {
        line.push_str(&format!(
            "  (read at the edges: {} more or less)",
            entry.uncertainty
        ));
    }
    line
}

/// Harmless frames are known by their protocol, the rest by the kernel's reason.
fn term(booking: &Explained) -> String {
    let is_benign = booking.verdict == verdict::BENIGN;
    let what = match &booking.protocol {
        Some(protocol) if is_benign => protocol.clone(),
        Some(protocol) if !booking.reason.contains(protocol.as_str()) => {
            format!("{} {protocol}", booking.reason)
        }
        _ => booking.reason.clone(),
    };
    format!("{what} ({})", booking.verdict.to_lowercase())
}
