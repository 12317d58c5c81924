//! The drop program's maps, as the agent reads them.

use std::collections::HashMap;

use aya::maps::{HashMap as BpfHashMap, MapData, PerCpuArray, Queue, RingBuf};
use netdiag_abi::drop::{DropKey, MAX_KEYS, OVERFLOW};

use super::DropSnapshot;
use crate::probes::{error::Error, system::monotonic_ns, tracepoint::Loaded, wire::Wire};

/// The attached program and its maps; dropping it detaches the program.
pub(super) struct Maps {
    loaded: Loaded,
    keys: BpfHashMap<MapData, Wire<DropKey>, u32>,
    counts: PerCpuArray<MapData, u64>,
    lost: PerCpuArray<MapData, u64>,
    ring: RingBuf<MapData>,
}

impl Maps {
    /// Takes the maps out of the loaded object, then attaches the program.
    pub(super) fn attach(mut loaded: Loaded) -> Result<Self, Error> {
        fill_free_numbers(&mut loaded)?;
        let keys = BpfHashMap::try_from(loaded.take_map("DROP_KEYS")?)?;
        let counts = PerCpuArray::try_from(loaded.take_map("DROP_COUNTS")?)?;
        let lost = PerCpuArray::try_from(loaded.take_map("DROP_LOST")?)?;
        let ring = RingBuf::try_from(loaded.take_map("DROP_SAMPLES")?)?;
        loaded.attach()?;
        Ok(Self {
            loaded,
            keys,
            counts,
            lost,
            ring,
        })
    }

    /// All counts by key. A count lives in only one place, so reading while the program runs loses and doubles none.
    pub(super) fn snapshot(&self) -> Result<DropSnapshot, Error> {
        let taken_ns = monotonic_ns();
        let mut counts = HashMap::new();
        for entry in self.keys.iter() {
            let (Wire(key), index) = entry?;
            counts.insert(key, sum(&self.counts, index)?);
        }
        Ok(DropSnapshot {
            taken_ns,
            counts,
            lost_counts: sum(&self.counts, OVERFLOW)? + self.loaded.recursion_misses(),
            lost_samples: sum(&self.lost, 0)?,
        })
    }

    /// Hands over every record that waits in the ring.
    pub(super) fn drain_samples(&mut self, mut take: impl FnMut(&[u8])) {
        while let Some(record) = self.ring.next() {
            take(&record);
        }
    }

    /// Detaches the program; returns its keys by number.
    pub(super) fn into_keys(self) -> HashMap<u32, DropKey> {
        let Self { loaded, keys, .. } = self;
        drop(loaded);
        keys.iter()
            .filter_map(Result::ok)
            .map(|(Wire(key), index)| (index, key))
            .collect()
    }
}

/// Hands every number but the shared one to the program, which gives one to each new key.
fn fill_free_numbers(loaded: &mut Loaded) -> Result<(), Error> {
    let mut free: Queue<&mut MapData, u32> = Queue::try_from(loaded.map_mut("DROP_FREE")?)?;
    for number in (0..MAX_KEYS).filter(|number| *number != OVERFLOW) {
        free.push(number, 0)?;
    }
    Ok(())
}

fn sum(array: &PerCpuArray<MapData, u64>, index: u32) -> Result<u64, Error> {
    let values = array.get(&index, 0)?;
    Ok(values.iter().sum())
}
