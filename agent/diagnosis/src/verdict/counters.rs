//! Counters of lost packets that the ledger does not balance.

use crate::{
    EvidenceWindow,
    kernel::{Kind, NamespaceCounter},
};

/// The counters of lost packets that rose within a window beside those of its ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Protocol counters of namespaces by their kernel names, with their increases.
    pub protocols: Vec<(&'static str, u64)>,
    /// Packets that packet sockets had no room for.
    pub packet_sockets: u64,
}

impl Beside {
    /// Those of a window.
    pub fn of(window: &EvidenceWindow) -> Self {
        let sockets = window.packet_sockets.value().into_iter().flatten();
        let missed = sockets.map(|socket| u64::from(socket.dropped));
        Self {
            protocols: protocols(window),
            packet_sockets: missed.fold(0, u64::saturating_add),
        }
    }
}

fn protocols(window: &EvidenceWindow) -> Vec<(&'static str, u64)> {
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
