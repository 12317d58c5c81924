//! Counters of lost packets that the ledger does not balance.

use crate::{
    EvidenceWindow,
    kernel::{Kind, NamespaceCounter},
};

/// The protocol counters of lost packets that rose in the namespaces of a window beside those of its ledger, by their
/// kernel names, with their increases.
pub fn risen_beside(window: &EvidenceWindow) -> Vec<(&'static str, u64)> {
    let all = NamespaceCounter::ALL.into_iter();
    let beside = all.filter(|counter| {
        counter.kind() != Kind::Signal && !NamespaceCounter::BALANCED.contains(counter)
    });
    let sums = beside.map(|counter| {
        let each = window.namespaces.iter();
        let each = each.filter_map(|namespace| namespace.increase(counter.name()));
        (counter.name(), each.fold(0, u64::saturating_add))
    });
    sums.filter(|(_, rose)| *rose > 0).collect()
}
