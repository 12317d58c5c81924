//! Drops with one cause on one device.

use super::table::Row;
use crate::{
    detectors::kit::Tally,
    evidence::{DropCount, Link, Namespace, NetnsId},
    finding::{Confidence, Severity},
    kernel::Site,
};

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
    pub(super) row: Option<&'static Row>,
    /// The site of the first key.
    pub(super) site: Option<&'static Site>,
    /// Packets of the same keys that nobody misses; the tally is without them.
    pub(super) noise: u64,
    /// The urgency of a cause that too few packets were seen to exclude.
    pub(super) at_least: Severity,
}

impl Drops {
    /// Adds a key of which so many packets are none of this fault's.
    pub(super) fn add_without_noise(
        &mut self,
        index: usize,
        key: &DropCount,
        row: Option<&'static Row>,
        noise: usize,
    ) {
        let noise = u64::try_from(noise).unwrap_or(u64::MAX);
        // The packets that made this row speak are no noise, whatever the count of a recording says.
        let noise = noise.min(key.count.saturating_sub(1));
        let rest = DropCount {
            count: key.count - noise,
            ..key.clone()
        };
        self.noise = self.noise.saturating_add(noise);
        self.add(index, &rest, row);
    }

    pub(super) fn add(&mut self, index: usize, key: &DropCount, row: Option<&'static Row>) {
        self.site = self.site.or_else(|| key.location.site());
        self.tally.add(index, key);
        let rank = |row: Option<&'static Row>| row.map(|row| row.class.rank());
        if rank(row) > rank(self.row) {
            self.row = row;
        }
    }
}

impl Group<'_> {
    pub(super) fn confidence(&self) -> Confidence {
        match self.drops.row {
            // The kernel log has no namespace: its line may be about another one's table.
            Some(row) if row.is_told_by_log() => Confidence::Possible,
            Some(_) => Confidence::Certain,
            None => Confidence::Possible,
        }
    }

    pub(super) fn place(&self) -> (NetnsId, Option<u32>) {
        (self.namespace.id, self.link.map(|link| link.ifindex))
    }
}
