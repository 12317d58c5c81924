//! Which packets connection tracking itself refused, by its counters.

use crate::{
    Window,
    evidence::Namespace,
    kernel::NamespaceCounter::{
        self, ConntrackChainTooLong, ConntrackDrop, ConntrackEarlyDrop, ConntrackInsertFailed,
        ConntrackInvalid,
    },
};

/// The growth of a namespace's counters of connection tracking, each packet in one part only.
///
/// `nf_conntrack_in` counts `drop` for a packet that gets no entry. `nf_ct_resolve_clash` counts `drop` and
/// `insert_failed` for one whose entry collides, `__nf_conntrack_confirm` `chaintoolong` and `insert_failed`
/// for one whose chain has no room (5.15 on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Books {
    /// Packets of new connections for which no entry could be made.
    pub(super) without_entry: u64,
    /// Packets whose connection collided with another one's entry.
    pub(super) collided: u64,
    /// Packets whose chain of the hash table was too long.
    pub(super) chain_too_long: u64,
    /// Connections without an answer that were removed to make room for others.
    pub(super) evicted: u64,
    /// Packets that fit to no connection. They go on, unless a rule drops them.
    pub(super) invalid: u64,
}

impl Books {
    pub(super) fn of(namespace: &Namespace) -> Self {
        let rose =
            |counter: NamespaceCounter| namespace.increase(counter.name()).unwrap_or_default();
        let dropped = rose(ConntrackDrop);
        let failed = rose(ConntrackInsertFailed);
        let chain_too_long = rose(ConntrackChainTooLong).min(failed);
        let collided = (failed - chain_too_long).min(dropped);
        Self {
            without_entry: dropped - collided,
            collided,
            chain_too_long,
            evicted: rose(ConntrackEarlyDrop),
            invalid: rose(ConntrackInvalid),
        }
    }

    /// The packets that connection tracking itself refused.
    pub(super) fn refused(&self) -> u64 {
        self.without_entry + self.collided + self.chain_too_long
    }
}

/// The entries of a namespace and the limit on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) limit: u64,
    pub(super) before: Option<u64>,
    pub(super) after: Option<u64>,
}

impl Entries {
    /// `None` where the limit or both numbers are not known.
    pub(super) fn of(window: &Window<'_>, namespace: &Namespace) -> Option<Self> {
        let (before, after) = (namespace.connections.before, namespace.connections.after);
        before.or(after)?;
        Some(Self {
            limit: window.settings.conntrack_max?,
            before,
            after,
        })
    }

    /// `__nf_conntrack_alloc` refuses what would go beyond the limit, so a full table stands just at it. Entries that end
    /// meanwhile make a little room.
    fn is_full(&self, entries: Option<u64>) -> bool {
        entries.is_some_and(|entries| entries >= self.limit - self.limit / 20)
    }

    /// The table was full at the end of the window.
    pub(super) fn is_full_at_the_end(&self) -> bool {
        self.is_full(self.after)
    }

    /// The table was full at one of both readings.
    pub(super) fn was_full(&self) -> bool {
        self.is_full(self.before) || self.is_full(self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(counters: &[(&str, u64)]) -> Books {
        let counters = counters
            .iter()
            .map(|(name, value)| (format!("Conntrack.{name}"), *value));
        Books::of(&Namespace {
            counters: counters.collect(),
            ..Namespace::default()
        })
    }

    #[test]
    fn each_refused_packet_is_in_one_part() {
        assert_eq!(books(&[]), Books::default());
        let full = books(&[("drop", 50), ("insert_failed", 0)]);
        assert_eq!((full.without_entry, full.refused()), (50, 50));
        let collided = books(&[("drop", 16), ("insert_failed", 16)]);
        assert_eq!((collided.without_entry, collided.collided), (0, 16));
        let long = books(&[("drop", 0), ("insert_failed", 7), ("chainlength", 7)]);
        assert_eq!((long.chain_too_long, long.collided), (7, 0));
        let all = books(&[("drop", 60), ("insert_failed", 17), ("chainlength", 7)]);
        assert_eq!(
            (all.without_entry, all.collided, all.chain_too_long),
            (50, 10, 7)
        );
        // A dying entry raises only insert_failed; nothing was refused.
        assert_eq!(books(&[("insert_failed", 5)]).refused(), 0);
    }

    #[test]
    fn a_table_is_full_near_its_limit() {
        let entries = |before, after| Entries {
            limit: 262_144,
            before,
            after,
        };
        assert!(entries(None, Some(262_144)).is_full_at_the_end());
        assert!(entries(Some(262_140), Some(10)).was_full());
        assert!(!entries(Some(262_140), Some(10)).is_full_at_the_end());
        assert!(!entries(Some(10), Some(131_072)).was_full());
    }
}
