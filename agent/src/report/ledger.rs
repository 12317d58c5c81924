//! A ledger made smaller: small rows are summed per counter, so that it still balances.

use std::{cmp::Reverse, collections::BTreeMap};

use netdiag_crds::{
    limits,
    report::{Explained, LedgerEntry, verdict},
};

use super::size::{bytes, largest};

/// The reason of bookings that are summed whatever their reasons.
const SEVERAL_REASONS: &str = "several reasons";
/// `Benign`, `Harmful`, `Unknown`.
const VERDICTS: usize = 3;

/// The fields that bookings share which are summed.
#[derive(Clone, Copy)]
enum RowLikeness {
    /// Reason, protocol and verdict.
    Reason,
    /// Only the verdict.
    Verdict,
}

/// Keeps the rows that matter most and sums the rest, as far as it must to take at most so many bytes.
pub(super) fn fit_ledger(entries: &mut Vec<LedgerEntry>, budget: usize) {
    if bytes(entries) <= budget {
        return;
    }
    entries.sort_by_key(|entry| Reverse((not_benign(entry), entry.increase)));
    let with_sums = |kept: usize, alike| {
        let (whole, small) = entries.split_at(kept.min(entries.len()));
        let mut shorter = whole.to_vec();
        shorter.extend(sums(small, alike));
        shorter
    };
    let fitting = [RowLikeness::Reason, RowLikeness::Verdict]
        .iter()
        .find_map(|alike| {
            largest(entries.len(), |kept| {
                bytes(&with_sums(kept, *alike)) <= budget
            })
            .map(|kept| with_sums(kept, *alike))
        });
    *entries = fitting.unwrap_or_else(|| {
        // Many results share the object: whole counters go, the least important first.
        let mut sums = with_sums(0, RowLikeness::Verdict);
        while bytes(&sums) > budget && sums.pop().is_some() {}
        sums
    });
}

/// Size of the shortest ledger that still has every counter.
pub(super) fn smallest_balanced(entries: &[LedgerEntry]) -> usize {
    bytes(&sums(entries, RowLikeness::Verdict))
}

/// One row a counter, most important first.
fn sums(entries: &[LedgerEntry], alike: RowLikeness) -> Vec<LedgerEntry> {
    let mut counters: BTreeMap<&str, Vec<&LedgerEntry>> = BTreeMap::new();
    for entry in entries {
        counters.entry(&entry.counter).or_default().push(entry);
    }
    let mut sums: Vec<LedgerEntry> = counters
        .into_iter()
        .map(|(counter, rows)| sum(counter, &rows, alike))
        .collect();
    sums.sort_by_key(|entry| Reverse((not_benign(entry), entry.increase)));
    sums
}

fn sum(counter: &str, rows: &[&LedgerEntry], alike: RowLikeness) -> LedgerEntry {
    let total = |value: fn(&LedgerEntry) -> i64| {
        rows.iter()
            .fold(0, |sum: i64, row| sum.saturating_add(value(row)))
    };
    let mut entry = LedgerEntry {
        counter: counter.to_owned(),
        increase: total(|row| row.increase),
        unexplained: total(|row| row.unexplained),
        uncertainty: total(|row| row.uncertainty),
        ..LedgerEntry::default()
    };
    if let [only] = rows {
        entry.interface.clone_from(&only.interface);
        entry.netns.clone_from(&only.netns);
    }
    let mut bookings: BTreeMap<(&str, &str, Option<&str>), i64> = BTreeMap::new();
    for booking in rows.iter().flat_map(|row| &row.explained) {
        let key = match alike {
            RowLikeness::Reason => (
                booking.verdict.as_str(),
                booking.reason.as_str(),
                booking.protocol.as_deref(),
            ),
            RowLikeness::Verdict => (booking.verdict.as_str(), SEVERAL_REASONS, None),
        };
        let count = bookings.entry(key).or_default();
        *count = count.saturating_add(booking.count);
    }
    entry.explained = bookings
        .into_iter()
        .map(|((verdict, reason, protocol), count)| Explained {
            reason: reason.to_owned(),
            protocol: protocol.map(str::to_owned),
            count,
            verdict: verdict.to_owned(),
            finding: None,
        })
        .collect();
    entry
        .explained
        .sort_by_key(|booking| Reverse(booking.count));
    limit_bookings(&mut entry.explained);
    entry
}

/// Sums the smallest bookings per verdict when there are more than the schema takes.
pub(super) fn limit_bookings(bookings: &mut Vec<Explained>) {
    if bookings.len() <= limits::EXPLAINED {
        return;
    }
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for booking in bookings.split_off(limits::EXPLAINED - VERDICTS) {
        let count = sums.entry(booking.verdict).or_default();
        *count = count.saturating_add(booking.count);
    }
    bookings.extend(sums.into_iter().map(|(verdict, count)| Explained {
        reason: SEVERAL_REASONS.to_owned(),
        count,
        verdict,
        ..Explained::default()
    }));
}

/// Packets of a row that are not known to be harmless.
fn not_benign(entry: &LedgerEntry) -> i64 {
    entry
        .explained
        .iter()
        .filter(|booking| booking.verdict != verdict::BENIGN)
        .fold(entry.unexplained, |sum, booking| {
            sum.saturating_add(booking.count)
        })
}
