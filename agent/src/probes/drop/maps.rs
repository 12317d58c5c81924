//! The drop program's maps, as the agent reads them.

use std::collections::HashMap;

use aya::maps::{Array, HashMap as BpfHashMap, MapData, PerCpuArray, PerCpuValues, Queue, RingBuf};
use netdiag_abi::drop::{
    CACHE_SLOTS, CacheSlot, DropKey, KeySamples, MAX_KEYS, OVERFLOW, RESERVED_KEYS, Share,
    ShareKey, WHOLE_NAMESPACE,
};

use crate::probes::{error::Error, tracepoint::Loaded, wire::Wire};

/// The attached program and its maps; dropping it detaches the program.
pub(super) struct Maps {
    loaded: Loaded,
    keys: BpfHashMap<MapData, Wire<DropKey>, u32>,
    free: Queue<MapData, u32>,
    shares: BpfHashMap<MapData, Wire<ShareKey>, Wire<Share>>,
    counts: PerCpuArray<MapData, u64>,
    cache: PerCpuArray<MapData, Wire<CacheSlot>>,
    sampled: Array<MapData, Wire<KeySamples>>,
    lost: PerCpuArray<MapData, u64>,
    ring: RingBuf<MapData>,
}

impl Maps {
    /// Takes the maps out of the loaded object, then attaches the program.
    pub(super) fn attach(mut loaded: Loaded) -> Result<Self, Error> {
        let mut free: Queue<MapData, u32> = Queue::try_from(loaded.take_map("DROP_FREE")?)?;
        let mut reserved: Queue<MapData, u32> = Queue::try_from(loaded.take_map("DROP_RESERVED")?)?;
        for number in (0..MAX_KEYS).filter(|number| *number != OVERFLOW) {
            if number < MAX_KEYS - RESERVED_KEYS {
                free.push(number, 0)?;
            } else {
                reserved.push(number, 0)?;
            }
        }
        let keys = BpfHashMap::try_from(loaded.take_map("DROP_KEYS")?)?;
        let shares = BpfHashMap::try_from(loaded.take_map("DROP_SHARES")?)?;
        let counts = PerCpuArray::try_from(loaded.take_map("DROP_COUNTS")?)?;
        let cache = PerCpuArray::try_from(loaded.take_map("DROP_CACHE")?)?;
        let sampled = Array::try_from(loaded.take_map("DROP_SAMPLED")?)?;
        let lost = PerCpuArray::try_from(loaded.take_map("DROP_LOST")?)?;
        let ring = RingBuf::try_from(loaded.take_map("DROP_SAMPLES")?)?;
        loaded.attach()?;
        Ok(Self {
            loaded,
            keys,
            free,
            shares,
            counts,
            cache,
            sampled,
            lost,
            ring,
        })
    }

    /// All keys with their numbers.
    pub(super) fn keys(&self) -> Result<Vec<(DropKey, u32)>, Error> {
        let keys = self.keys.iter();
        keys.map(|entry| {
            let (Wire(key), number) = entry?;
            Ok((key, number))
        })
        .collect()
    }

    /// The count under a number. A count lives in only one place, so reading while the program runs loses and doubles
    /// none.
    pub(super) fn count(&self, number: u32) -> Result<u64, Error> {
        sum(&self.counts, number)
    }

    /// Drops that no key had room for, and those that came while the probe was busy on the same CPU.
    pub(super) fn lost_counts(&self) -> Result<u64, Error> {
        Ok(self.count(OVERFLOW)? + self.loaded.recursion_misses())
    }

    /// Nanoseconds that the program has run, and how often, while the kernel measures it.
    #[cfg(test)]
    pub(super) fn run_time(&self) -> (u64, u64) {
        let sum = |name| self.loaded.sum_of(name);
        (sum("run_time_ns:"), sum("run_cnt:"))
    }

    /// Samples that found the ring full.
    pub(super) fn lost_samples(&self) -> Result<u64, Error> {
        sum(&self.lost, 0)
    }

    /// Hands over every record that waits in the ring.
    pub(super) fn drain_samples(&mut self, mut take: impl FnMut(&[u8])) {
        while let Some(record) = self.ring.next() {
            take(&record);
        }
    }

    /// Lets the first packets of these numbers be sampled once more.
    pub(super) fn sample_anew(&mut self, numbers: impl Iterator<Item = u32>) -> Result<(), Error> {
        for number in numbers {
            self.sampled.set(number, Wire(KeySamples::default()), 0)?;
        }
        Ok(())
    }

    /// Takes keys away: their next drop gets a new number. A program that runs at this moment may still count under the
    /// old one.
    pub(super) fn remove(&mut self, keys: &[(DropKey, u32)]) -> Result<(), Error> {
        for (key, _) in keys {
            self.keys.remove(&Wire(*key))?;
        }
        let is_removed = |slot: &Wire<CacheSlot>| {
            let mut numbers = keys.iter().map(|(_, number)| number);
            slot.0.index != OVERFLOW && numbers.any(|number| *number == slot.0.index)
        };
        for index in 0..CACHE_SLOTS {
            let slots = self.cache.get(&index, 0)?;
            if slots.iter().any(is_removed) {
                // The program may write to the slot meanwhile. The number is the last that is written here, so that what
                // is left is an empty slot, or one of no key.
                let empty = vec![Wire(CacheSlot::default()); slots.len()];
                self.cache
                    .set(index, PerCpuValues::try_from(empty).map_err(map_error)?, 0)?;
            }
        }
        self.count_shares()
    }

    /// Makes a number free that [`Maps::remove`] took from its key a while ago.
    pub(super) fn free(&mut self, number: u32) -> Result<(), Error> {
        let zeros = vec![0; self.counts.get(&number, 0)?.len()];
        self.counts
            .set(number, PerCpuValues::try_from(zeros).map_err(map_error)?, 0)?;
        self.sampled.set(number, Wire(KeySamples::default()), 0)?;
        Ok(self.free.push(number, 0)?)
    }

    /// Counts the keys of each device and namespace anew.
    fn count_shares(&mut self) -> Result<(), Error> {
        let mut shares: HashMap<ShareKey, Share> = HashMap::new();
        for (key, _) in self.keys()? {
            for ifindex in [key.ifindex, WHOLE_NAMESPACE] {
                let of = ShareKey {
                    net: key.net,
                    ifindex,
                    reserved: 0,
                };
                let share = shares.entry(of).or_default();
                share.keys += 1;
                share.unknown_types += u32::from(key.is_of_unknown_type());
            }
        }
        let known: Vec<_> = self.shares.keys().filter_map(Result::ok).collect();
        for key in known {
            match shares.get(&key.0) {
                Some(share) => self.shares.insert(key, Wire(*share), 0)?,
                None => self.shares.remove(&key)?,
            }
        }
        Ok(())
    }
}

fn map_error(source: std::io::Error) -> aya::maps::MapError {
    aya::maps::MapError::IoError(source)
}

fn sum(array: &PerCpuArray<MapData, u64>, index: u32) -> Result<u64, Error> {
    let values = array.get(&index, 0)?;
    Ok(values.iter().sum())
}
