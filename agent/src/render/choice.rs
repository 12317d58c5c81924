//! The findings that get a block of their own. The others are counted in one line, `Also`.

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::{
    report::{Finding, LedgerEntry},
    severity::Severity,
};

use super::severity;

/// The findings that are shown in full, in reading order with their numbers, and those that are folded.
pub(super) struct Choice<'a> {
    /// The findings with a block.
    pub shown: Vec<&'a Finding>,
    /// The findings of the line `Also`.
    pub folded: Vec<&'a Finding>,
}

impl<'a> Choice<'a> {
    /// All of them.
    pub(super) fn all(findings: &'a [Finding]) -> Self {
        Self {
            shown: findings.iter().collect(),
            folded: Vec::new(),
        }
    }

    /// Chooses the findings that the verdict is about, that ask for an act, or that explain a row of the ledger that
    /// has a line, and the causes of all these.
    pub(super) fn of(findings: &'a [Finding], about: &[&Finding], rows: &[&LedgerEntry]) -> Self {
        let by_id: BTreeMap<&str, &Finding> =
            findings.iter().map(|one| (one.id.as_str(), one)).collect();
        let asking = findings
            .iter()
            .filter(|finding| severity(finding) > Severity::Info)
            .map(|finding| finding.id.as_str());
        let bookings = rows.iter().flat_map(|row| &row.explained);
        let booked = bookings.filter_map(|booking| booking.finding.as_deref());
        let about = about.iter().map(|finding| finding.id.as_str());
        let mut waiting: Vec<&str> = asking.chain(booked).chain(about).collect();
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if let Some(finding) = by_id.get(id)
                && kept.insert(&finding.id)
            {
                waiting.extend(finding.caused_by.iter().map(String::as_str));
            }
        }
        let (shown, folded) = findings
            .iter()
            .partition(|one| kept.contains(one.id.as_str()));
        Self { shown, folded }
    }
}
