//! The mechanisms by which connection tracking ended packets.

use super::{books::Books, fault::Fault, invalid, refused};
use crate::{
    Window, detectors::kit::unclaimed, evidence::DropCount, finding::Outcome, kernel::Reason,
};

/// The faults of every namespace.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut faults = Vec::new();
    for namespace in &window.namespaces {
        let books = Books::of(namespace);
        if books == Books::default() {
            continue;
        }
        let keys: Vec<(usize, &DropCount)> = unclaimed(window, so_far)
            .filter(|(_, key)| key.netns == Some(namespace.id) && is_verdict(key))
            .collect();
        let by_tracking = refused::faults(window, namespace, books, &keys);
        let is_left = |index: usize| {
            let mut claimed = by_tracking.iter().flat_map(|fault| &fault.tally.keys);
            claimed.all(|key| *key != index)
        };
        let by_rules: Vec<_> = keys
            .iter()
            .copied()
            .filter(|(index, _)| is_left(*index))
            .collect();
        faults.extend(invalid::fault(window, namespace, books, &by_rules));
        faults.extend(by_tracking);
    }
    faults
}

/// The key's packets ended by a verdict of netfilter, as far as the kernel tells.
fn is_verdict(key: &DropCount) -> bool {
    use crate::kernel::site::PACKET_FILTERS;
    key.location.is_of_any(PACKET_FILTERS)
        && (key.reason == Reason::NETFILTER_DROP || key.reason.is_absent())
}
