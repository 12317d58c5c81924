//! The drops that no other check has explained, folded by cause and place.

use std::collections::BTreeMap;

use super::table::{self, Class, Match, Row, Surroundings};
use crate::{
    Window,
    detectors::kit::{Tally, unclaimed},
    evidence::{DropCount, Link, Namespace, NetnsId},
    finding::{Assessment, Confidence, Finding, Harm, Outcome, Severity, Verdict},
    kernel::Reason,
};

/// As many harmless or small findings are listed one by one; the rest is folded into one.
const INFO_LISTED: usize = 12;

/// Packets a minute from which freed packets that nobody misses are worth a line: 100 a second are seen by anybody who
/// counts drops, and an idle node stays far below.
const NOT_LOSS_PER_MINUTE: u64 = 6_000;

/// Drops with one cause on one device, or in one namespace where the device is not known.
pub(super) struct Group<'a> {
    /// The kernel's reason; the function where the kernel gives none.
    pub(super) cause: &'a str,
    pub(super) namespace: &'a Namespace,
    pub(super) link: Option<&'a Link>,
    pub(super) drops: Drops,
}

/// Drops added up, with the row of the table that speaks for them.
#[derive(Default)]
pub(super) struct Drops {
    pub(super) tally: Tally,
    /// The verdict on each key by its own row, in the order of the tally.
    verdicts: Vec<Verdict>,
    pub(super) row: Option<&'static Row>,
}

/// Everything that is left for this check.
#[derive(Default)]
pub(super) struct Leftovers<'a> {
    /// Loss, decisions and what the table does not know, with a finding each.
    pub(super) groups: Vec<Group<'a>>,
    /// The groups that are too many to list.
    pub(super) folded: Vec<Group<'a>>,
    /// Drops that belong to no known device or namespace of this node.
    pub(super) nowhere: Drops,
    /// Drops of the whole node that the table calls no loss.
    not_loss: Drops,
}

impl Drops {
    fn add(&mut self, index: usize, key: &DropCount, row: Option<&'static Row>) {
        self.tally.add(index, key);
        self.verdicts.push(match row.map(|row| row.class) {
            Some(Class::NotLoss) => Verdict::Benign,
            Some(Class::Loss) => Verdict::Harmful,
            Some(Class::Decision) | None => Verdict::Unknown,
        });
        let rank = |row: Option<&'static Row>| row.map(|row| row.class.rank());
        if rank(row) > rank(self.row) {
            self.row = row;
        }
    }

    /// All groups as one.
    pub(super) fn of(groups: &[Group<'_>]) -> Self {
        let mut sum = Self::default();
        for Group { drops, .. } in groups {
            sum.tally.merge(&drops.tally);
            sum.verdicts.extend(&drops.verdicts);
        }
        sum
    }

    pub(super) fn assessment(&self) -> Assessment {
        match self.row.map(|row| row.class) {
            Some(Class::NotLoss) => Assessment::none(),
            Some(Class::Decision) => Assessment::decision(Harm::Unknown, self.tally.count),
            Some(Class::Loss) => Assessment::loss(self.tally.count, None),
            None => Assessment::of(Harm::Unknown).with_packets(self.tally.count),
        }
    }

    pub(super) fn confidence(&self) -> Confidence {
        match self.row {
            // The kernel log has no namespace: its line may be about another one's table.
            Some(row) if matches!(row.matches, Match::Logged { .. }) => Confidence::Possible,
            Some(_) => Confidence::Certain,
            None => Confidence::Possible,
        }
    }

    /// A finding that explains these drops.
    pub(super) fn explained_by(&self, finding: Finding) -> Outcome {
        let keys = self.tally.keys.iter().copied();
        Outcome::explained(finding, keys.zip(self.verdicts.iter().copied()))
    }
}

/// The namespace and device of a group, and its cause: what makes two keys one group.
type Place<'a> = (NetnsId, Option<u32>, &'a str);

/// Sorts what no check before has claimed. Drops in namespaces of other nodes that share this kernel are left out.
pub(super) fn leftovers<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Leftovers<'a> {
    let mut leftovers = Leftovers::default();
    let mut groups: BTreeMap<Place<'a>, Group<'a>> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let namespace = key.netns.map(|id| window.namespace(id));
        if key.reason.is_consumed() || namespace == Some(None) {
            continue;
        }
        let around = Surroundings::of(window, key);
        let (link, row) = (around.link, table::lookup(key, &around));
        if row.is_some_and(|row| row.class == Class::NotLoss) {
            leftovers.not_loss.add(index, key, row);
            continue;
        }
        let Some(namespace) = namespace.flatten() else {
            leftovers.nowhere.add(index, key, row);
            continue;
        };
        let cause = cause_of(key);
        groups
            .entry((namespace.id, link.map(|link| link.ifindex), cause))
            .or_insert_with(|| Group {
                cause,
                namespace,
                link,
                drops: Drops::default(),
            })
            .drops
            .add(index, key, row);
    }
    leftovers.list(groups.into_values());
    leftovers
}

impl<'a> Leftovers<'a> {
    /// Lists every warning and the most frequent of the others. Names break ties, so that two windows list the same.
    fn list(&mut self, groups: impl Iterator<Item = Group<'a>>) {
        let warns = |group: &Group<'_>| group.drops.assessment().severity() > Severity::Info;
        let (mut listed, mut others): (Vec<Group<'a>>, Vec<Group<'a>>) = groups.partition(warns);
        others.sort_by(|a, b| {
            let name = |group: &Group<'_>| (group.namespace.id, group.link.map(|l| l.ifindex));
            let count = |group: &Group<'_>| group.drops.tally.count;
            (count(b), a.cause, name(a)).cmp(&(count(a), b.cause, name(b)))
        });
        self.folded = others.split_off(others.len().min(INFO_LISTED));
        listed.append(&mut others);
        self.groups = listed;
    }

    /// Drops that the table calls no loss, if they are so many that whoever watches drops has seen them.
    pub(super) fn frequent_not_loss(&self, window: &Window<'_>) -> Option<&Drops> {
        let is_frequent = window.reaches_rate(self.not_loss.tally.count, NOT_LOSS_PER_MINUTE);
        is_frequent.then_some(&self.not_loss)
    }
}

/// The kernel's reason, the function where it gives none or where that tells more, or that it says neither.
pub(super) fn cause_of(key: &DropCount) -> &str {
    match key.location.named() {
        Some(function) if key.reason.is_unnamed() || table::is_told_by_site(key) => function,
        _ => key.reason.named().unwrap_or(Reason::NOT_SPECIFIED.as_str()),
    }
}
