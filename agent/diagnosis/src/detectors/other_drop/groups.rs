//! The drops that no other check has explained, folded by cause and place.

use std::collections::BTreeMap;

use super::table::{self, Class, Row, Surroundings};
use crate::{
    evidence::{DropCount, EvidenceWindow, Link, Namespace, NetnsId},
    finding::Outcome,
    kernel::Reason,
};

/// Drops with one cause on one device, or in one namespace where the device is not known.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The kernel's reason; the function where the kernel gives none.
    pub(super) cause: &'a str,
    pub(super) namespace: &'a Namespace,
    pub(super) link: Option<&'a Link>,
    pub(super) tally: Tally,
}

/// Drops added up, with the row of the table that speaks for them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Indices of the drop keys.
    pub(super) drops: Vec<usize>,
    pub(super) count: u64,
    /// First and last, milliseconds since the window began; `None` before the first key.
    times: Option<(u64, u64)>,
    pub(super) row: Option<&'static Row>,
}

/// Everything that is left for this check.
#[derive(Debug, Default)]
pub(super) struct Leftovers<'a> {
    /// Loss, decisions and what the table does not know.
    pub(super) groups: Vec<Group<'a>>,
    /// What the table calls no loss, of the whole node.
    pub(super) not_loss: Tally,
    /// What could not be given to a device or namespace of this node.
    pub(super) nowhere: Tally,
}

impl Tally {
    fn add(&mut self, drop: usize, key: &DropCount, row: Option<&'static Row>) {
        self.drops.push(drop);
        self.count = self.count.saturating_add(key.count);
        let (first, last) = self.times.unwrap_or((key.first_ms, key.last_ms));
        self.times = Some((first.min(key.first_ms), last.max(key.last_ms)));
        if rank(row) > rank(self.row) {
            self.row = row;
        }
    }

    /// First and last, milliseconds since the window began.
    pub(super) fn times(&self) -> (u64, u64) {
        self.times.unwrap_or_default()
    }

    /// What kind of drop it is; `None` where the table does not know.
    pub(super) fn class(&self) -> Option<Class> {
        self.row.map(|row| row.class)
    }
}

fn rank(row: Option<&'static Row>) -> Option<(u8, u64)> {
    row.map(|row| row.class.rank())
}

/// Where a group is, and why: what makes two keys one group.
type Place<'a> = (NetnsId, Option<u32>, &'a str);

/// Sorts what no check before has claimed. Drops in namespaces of other nodes that share this kernel are left out.
pub(super) fn fold<'a>(window: &'a EvidenceWindow, so_far: &Outcome) -> Leftovers<'a> {
    let mut leftovers = Leftovers::default();
    let Some(drops) = window.drops.value() else {
        return leftovers;
    };
    let mut claimed = vec![false; drops.counts.len()];
    for claim in &so_far.claims {
        if let Some(mark) = claimed.get_mut(claim.drop) {
            *mark = true;
        }
    }
    let mut groups: BTreeMap<Place<'a>, Group<'a>> = BTreeMap::new();
    for ((drop, key), claimed) in drops.counts.iter().enumerate().zip(claimed) {
        if claimed || key.count == 0 || key.reason.is_consumed() {
            continue;
        }
        let around = Surroundings::of(window, key);
        let (link, row) = (around.link, table::lookup(key, &around));
        let namespace = match key.netns {
            None => None,
            Some(id) => match window.namespace(id) {
                None => continue,
                found => found,
            },
        };
        if row.is_some_and(|row| row.class == Class::NotLoss) {
            leftovers.not_loss.add(drop, key, row);
            continue;
        }
        let Some(namespace) = namespace else {
            leftovers.nowhere.add(drop, key, row);
            continue;
        };
        let cause = cause_of(key);
        groups
            .entry((namespace.id, link.map(|link| link.ifindex), cause))
            .or_insert_with(|| Group {
                cause,
                namespace,
                link,
                tally: Tally::default(),
            })
            .tally
            .add(drop, key, row);
    }
    leftovers.groups = groups.into_values().collect();
    leftovers
}

/// The kernel's reason, the function where it gives none or where that tells more, or that it says neither.
pub(super) fn cause_of(key: &DropCount) -> &str {
    match key.location.named() {
        Some(function) if key.reason.is_unnamed() || table::is_told_by_function(key) => function,
        _ => key.reason.named().unwrap_or(Reason::NOT_SPECIFIED.as_str()),
    }
}
