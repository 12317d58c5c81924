//! The numbers under which the program counts, and the keys that had them.
//!
//! There are more keys in a long window than numbers: each pod that comes and goes brings some. When numbers run low,
//! keys that have been still for a while leave theirs to others, and their counts stay here.

use std::collections::HashMap;

use netdiag_abi::drop::{
    DropKey, KEYS_PER_DEVICE, KEYS_PER_NAMESPACE, KEYS_PER_NODE_NAMESPACE, MAX_KEYS, ShareKey,
    WHOLE_NAMESPACE,
};

use super::{DropSnapshot, activity::Activity, maps::Maps};
use crate::probes::{error::Error, system::monotonic_ns};

/// A key that was still so long may have to leave its number, nanoseconds.
const STILL_NS: u64 = 30_000_000_000;

/// As many keys leave at one time.
const LEAVING: usize = 512;

/// As many keys are kept without a number. With those that have one they fit a recording.
const MOST_LEFT: usize = 15_000;

/// Who has, and who had, which number.
#[derive(Default)]
pub(super) struct Numbers {
    /// Keys that were taken away at the last reading; a program may still have counted for them.
    leaving: Vec<(DropKey, u32)>,
    /// Counts under numbers that the keys do not have any more.
    left: HashMap<DropKey, u64>,
}

impl Numbers {
    /// Reads all counts; also gives the key of each number.
    pub(super) fn read(&self, maps: &Maps) -> Result<(DropSnapshot, HashMap<u32, DropKey>), Error> {
        let taken_ns = monotonic_ns();
        let mut counts = self.left.clone();
        let mut keys = HashMap::new();
        for (key, number) in self.leaving.iter().copied().chain(maps.keys()?) {
            *counts.entry(key).or_default() += maps.count(number)?;
            keys.insert(number, key);
        }
        let snapshot = DropSnapshot {
            taken_ns,
            counts,
            lost_counts: maps.lost_counts()?,
            lost_samples: maps.lost_samples()?,
        };
        Ok((snapshot, keys))
    }

    /// Gives numbers back, as far as they run low. Call after [`Numbers::read`].
    pub(super) fn give_back(
        &mut self,
        maps: &mut Maps,
        keys: &HashMap<u32, DropKey>,
        activity: &Activity,
        node_inum: u32,
        now_ns: u64,
    ) -> Result<(), Error> {
        for (key, number) in std::mem::take(&mut self.leaving) {
            *self.left.entry(key).or_default() += maps.count(number)?;
            maps.free(number)?;
        }
        let keys: Vec<_> = keys.iter().map(|(number, key)| (*key, *number)).collect();
        if self.left.len() >= MOST_LEFT || !run_low(&keys, node_inum) {
            return Ok(());
        }
        let leaving = still(&keys, activity, now_ns);
        if !leaving.is_empty() {
            maps.remove(&leaving)?;
            self.leaving = leaving;
        }
        Ok(())
    }
}

/// True if more than half of all numbers, or most of a device's or namespace's, are given away.
fn run_low(keys: &[(DropKey, u32)], node_inum: u32) -> bool {
    let mut shares: HashMap<ShareKey, (u32, usize)> = HashMap::new();
    for (key, _) in keys {
        let of_namespace = if key.inum == node_inum {
            KEYS_PER_NODE_NAMESPACE
        } else {
            KEYS_PER_NAMESPACE
        };
        for (ifindex, most) in [
            (key.ifindex, KEYS_PER_DEVICE),
            (WHOLE_NAMESPACE, of_namespace),
        ] {
            let of = ShareKey {
                net: key.net,
                ifindex,
                reserved: 0,
            };
            shares.entry(of).or_insert((most, 0)).1 += 1;
        }
    }
    keys.len() > MAX_KEYS as usize / 2
        || shares
            .values()
            .any(|(most, has)| *has > *most as usize / 4 * 3)
}

/// The keys that have been still the longest.
fn still(keys: &[(DropKey, u32)], activity: &Activity, now_ns: u64) -> Vec<(DropKey, u32)> {
    let moved = |key: &DropKey| activity.span(key).map_or(now_ns, |span| span.last_ns);
    let mut still: Vec<_> = keys
        .iter()
        .filter(|(key, _)| now_ns.saturating_sub(moved(key)) >= STILL_NS)
        .copied()
        .collect();
    still.sort_by_key(|(key, number)| (moved(key), *number));
    still.truncate(LEAVING);
    still
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn key(net: u64, ifindex: u32, location: u64) -> DropKey {
        DropKey {
            net,
            ifindex,
            location,
            ..DropKey::default()
        }
    }

    fn numbered(keys: impl Iterator<Item = DropKey>) -> Vec<(DropKey, u32)> {
        keys.zip(1..).collect()
    }

    #[test]
    fn numbers_run_low_on_the_node_in_a_namespace_and_on_a_device() {
        let of_devices = |devices: u32| (0..devices).map(|device| key(7, device, 1));
        assert!(!run_low(&numbered(of_devices(300)), 0));
        assert!(run_low(&numbered(of_devices(400)), 1));
        assert!(!run_low(&numbered(of_devices(400)), 0), "the node's own");
        assert!(run_low(&numbered((0..100).map(|one| key(7, 2, one))), 1));
        let of_many = (0..2100).map(|one| key(one, 2, 1));
        assert!(run_low(&numbered(of_many), 1));
    }

    #[test]
    fn those_that_were_still_the_longest_leave() {
        let (old, older, busy) = (key(1, 2, 3), key(2, 2, 3), key(3, 2, 3));
        let mut activity = Activity::default();
        let mut note = |seconds: u64, counts: &[(DropKey, u64)]| {
            activity.note(&DropSnapshot {
                taken_ns: seconds * SECOND,
                counts: counts.iter().copied().collect(),
                ..DropSnapshot::default()
            });
        };
        note(0, &[(older, 1)]);
        note(1, &[(older, 1), (old, 1), (busy, 1)]);
        note(35, &[(older, 1), (old, 1), (busy, 2)]);
        let keys = [(old, 1), (older, 2), (busy, 3)];
        let leaving = still(&keys, &activity, 35 * SECOND);
        assert_eq!(leaving, [(older, 2), (old, 1)]);
        assert_eq!(still(&keys, &activity, 20 * SECOND), []);
    }
}
