//! The memory that windows may take: estimated before one is begun, so that what does not fit is refused with a reason
//! instead of ending the agent, and with it all other windows.

mod limit;

use std::sync::{Arc, Mutex, PoisonError};

/// One mebibyte.
pub(crate) const MEBIBYTE: u64 = 1024 * 1024;
/// The memory for loading the probes. The most that a control group was charged while an agent on 6.18 loaded them was
/// 51 MiB: 31 of them the kernel's, whose verifier keeps states of a program, the rest the agent's, which parses the
/// kernel's types. Loads take turns, so that this comes once, however many windows begin.
pub(crate) const LOAD_BYTES: u64 = 56 * MEBIBYTE;
/// The memory that the agent keeps for a window of a usual node: loaded objects, samples, links, findings. A test
/// measures 2 MiB.
pub(crate) const WINDOW_BYTES: u64 = 6 * MEBIBYTE;
/// Namespaces and links of a usual node, whose evidence is in [`WINDOW_BYTES`].
const USUAL: Size = Size {
    namespaces: 32,
    links: 256,
};
/// The evidence of a namespace at both ends of a window: mostly its counters, some 400 by name.
pub(crate) const NAMESPACE_BYTES: u64 = 128 * 1024;
/// The evidence of a link at both ends, and what is concluded from it.
const LINK_BYTES: u64 = 4 * 1024;
/// The part of the limit that is left for what the kernel charges besides: sockets, page tables, files.
const REST: u64 = 10;

/// The parts of a node by which the memory of a window grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Network namespaces.
    pub namespaces: usize,
    /// Network devices.
    pub links: usize,
}

/// The memory for all windows of this process.
pub(crate) struct Budget {
    /// The limit less what is needed besides windows, in bytes. `None`: there is no limit.
    room: Option<u64>,
    taken: Mutex<u64>,
}

/// Memory that a window holds. Dropped, it is another's.
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

/// A window does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the window would take about {} MiB of memory, and {} MiB of {} MiB are free; raise the agent's memory limit (agent.resources.limits.memory), or run fewer diagnoses at a time",
    .needed.div_ceil(MEBIBYTE), .free / MEBIBYTE, .room / MEBIBYTE
)]
pub(crate) struct NoRoom {
    needed: u64,
    free: u64,
    room: u64,
}

impl Size {
    /// Bytes of the evidence of a window beyond those of a usual node.
    fn more_bytes(self) -> u64 {
        let beyond = |number: usize, usual: usize| {
            u64::try_from(number.saturating_sub(usual)).unwrap_or(u64::MAX)
        };
        let namespaces = beyond(self.namespaces, USUAL.namespaces).saturating_mul(NAMESPACE_BYTES);
        let links = beyond(self.links, USUAL.links).saturating_mul(LINK_BYTES);
        namespaces.saturating_add(links)
    }
}

impl Budget {
    /// The budget within the limit of this process' control group.
    pub(crate) fn of_this_process() -> Arc<Self> {
        Self::within(limit::of_this_process())
    }

    /// The budget within a limit in bytes.
    pub(crate) fn within(limit: Option<u64>) -> Arc<Self> {
        let room = limit.map(|limit| (limit - limit / REST).saturating_sub(LOAD_BYTES));
        let taken = Mutex::new(0);
        Arc::new(Self { room, taken })
    }

    /// Room for a window whose maps take so many bytes, on a usual node.
    ///
    /// # Errors
    /// When it does not fit.
    pub(crate) fn admit(self: &Arc<Self>, map_bytes: u64) -> Result<Reservation, NoRoom> {
        let mut reservation = Reservation {
            budget: Arc::clone(self),
            bytes: 0,
        };
        reservation.grow(map_bytes.saturating_add(WINDOW_BYTES))?;
        Ok(reservation)
    }
}

impl Reservation {
    /// Room for the evidence of a node of this size.
    ///
    /// # Errors
    /// When it does not fit.
    pub(crate) fn fit(&mut self, size: Size) -> Result<(), NoRoom> {
        self.grow(size.more_bytes())
    }

    fn grow(&mut self, more: u64) -> Result<(), NoRoom> {
        let taken = self.budget.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = self.budget.room {
            let free = room.saturating_sub(*taken);
            if more > free {
                let needed = self.bytes.saturating_add(more);
                let free = free.saturating_add(self.bytes);
                return Err(NoRoom { needed, free, room });
            }
        }
        *taken = taken.saturating_add(more);
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let taken = self.budget.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use netdiag_diagnosis::evidence::Link;

    use super::*;

    const CHART: Option<u64> = Some(256 * MEBIBYTE);
    /// Of the maps at 2, 128 and 512 processors.
    const MAPS: [u64; 3] = [3 * MEBIBYTE, 11 * MEBIBYTE, 36 * MEBIBYTE];

    fn size(namespaces: usize, links: usize) -> Size {
        Size { namespaces, links }
    }

    /// The number of windows of such a node that fit into a limit at a time.
    fn windows(limit: Option<u64>, maps: u64, of: Size) -> usize {
        let budget = Budget::within(limit);
        let admit = || {
            let mut reservation = budget.admit(maps).ok()?;
            reservation.fit(of).ok()?;
            Some(reservation)
        };
        let held: Vec<_> = std::iter::from_fn(admit).take(100).collect();
        held.len()
    }

    #[test]
    fn the_chart_s_limit_holds_eight_windows_of_a_usual_node() {
        for maps in &MAPS[..2] {
            assert!(windows(CHART, *maps, size(32, 256)) >= 8);
        }
    }

    #[test]
    fn a_window_that_does_not_fit_is_refused_with_its_numbers() {
        assert_eq!(windows(CHART, MAPS[2], size(32, 256)), 4);
        assert_eq!(windows(CHART, MAPS[0], size(1_024, 16_000)), 0);
        assert_eq!(windows(None, MAPS[2], size(1_024, 16_000)), 100);
        let refused = Budget::within(CHART).admit(200 * MEBIBYTE).err().unwrap();
        let text = refused.to_string();
        let numbers = "about 206 MiB of memory, and 174 MiB of 174 MiB are free";
        assert!(text.contains(numbers), "{text}");
        assert!(text.contains("agent.resources.limits.memory"));
        assert!(Budget::within(Some(MEBIBYTE)).admit(0).is_err());
    }

    /// A link is read at both ends, and a third time where it changed between; with its names, each in an allocation.
    #[test]
    fn a_link_at_both_ends_takes_no_more_than_is_estimated() {
        const NAMES: u64 = 8 * 48;
        let link = u64::try_from(size_of::<Link>()).unwrap() + NAMES;
        assert!(3 * link <= LINK_BYTES, "{link}");
    }

    #[test]
    fn what_a_window_held_is_free_when_it_ends_or_was_refused() {
        let budget = Budget::within(CHART);
        for _ in 0..1_000 {
            let mut reservation = budget.admit(MAPS[1]).unwrap();
            assert!(reservation.fit(size(5_000, 0)).is_err());
        }
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }
}
