//! The drop program's maps, as the agent reads them.

use std::{
    collections::HashMap,
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Ebpf,
    maps::{HashMap as BpfHashMap, MapData, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, Program, RawTracePoint},
};
use netdiag_abi::drop::{DropKey, OVERFLOW};

use super::{Backend, DropSnapshot, Error, load::refusal};
use crate::probes::{system::monotonic_ns, wire::Wire};

/// The attached program and its maps; dropping it detaches the program.
pub(super) struct Maps {
    ebpf: Ebpf,
    program: &'static str,
    keys: BpfHashMap<MapData, Wire<DropKey>, u32>,
    counts: PerCpuArray<MapData, u64>,
    lost: PerCpuArray<MapData, u64>,
    ring: RingBuf<MapData>,
}

impl Maps {
    /// Takes the maps out of the loaded object, then attaches the program.
    pub(super) fn attach(mut ebpf: Ebpf, backend: Backend) -> Result<Self, Error> {
        let mut take = |name| ebpf.take_map(name).ok_or(Error::Inconsistent);
        let keys = BpfHashMap::try_from(take("DROP_KEYS")?).map_err(map_error)?;
        let counts = PerCpuArray::try_from(take("DROP_COUNTS")?).map_err(map_error)?;
        let lost = PerCpuArray::try_from(take("DROP_LOST")?).map_err(map_error)?;
        let ring = RingBuf::try_from(take("DROP_SAMPLES")?).map_err(map_error)?;

        let program = ebpf
            .program_mut(backend.program())
            .ok_or(Error::Inconsistent)?;
        match backend {
            Backend::TypedDirect | Backend::TypedProbed => {
                let program: &mut BtfTracePoint =
                    program.try_into().map_err(|_| Error::Inconsistent)?;
                program.attach().map(|_| ())
            }
            Backend::Raw => {
                let program: &mut RawTracePoint =
                    program.try_into().map_err(|_| Error::Inconsistent)?;
                program.attach("kfree_skb").map(|_| ())
            }
        }
        .map_err(|source| refusal(&source))?;
        Ok(Self {
            ebpf,
            program: backend.program(),
            keys,
            counts,
            lost,
            ring,
        })
    }

    /// All counts by key. A count lives in one place alone, so reading while the program runs loses and doubles none.
    pub(super) fn snapshot(&self) -> Result<DropSnapshot, Error> {
        let taken_ns = monotonic_ns();
        let mut counts = HashMap::new();
        for entry in self.keys.iter() {
            let (Wire(key), index) = entry.map_err(map_error)?;
            counts.insert(key, sum(&self.counts, index)?);
        }
        Ok(DropSnapshot {
            taken_ns,
            counts,
            lost_counts: sum(&self.counts, OVERFLOW)? + self.recursion_misses(),
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
        let Self { ebpf, keys, .. } = self;
        drop(ebpf);
        keys.iter()
            .filter_map(Result::ok)
            .map(|(Wire(key), index)| (index, key))
            .collect()
    }

    /// Runs that the kernel left out, because an interrupt dropped a packet while the program ran on that CPU. Kernels
    /// before 5.12 do not tell.
    fn recursion_misses(&self) -> u64 {
        self.ebpf
            .program(self.program)
            .and_then(program_number)
            .and_then(|number| fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok())
            .and_then(|text| field(&text, "recursion_misses:"))
            .unwrap_or(0)
    }
}

fn program_number(program: &Program) -> Option<i32> {
    let descriptor = match program {
        Program::BtfTracePoint(program) => program.fd(),
        Program::RawTracePoint(program) => program.fd(),
        _ => return None,
    };
    Some(descriptor.ok()?.as_fd().as_raw_fd())
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))?
        .trim()
        .parse()
        .ok()
}

fn sum(array: &PerCpuArray<MapData, u64>, index: u32) -> Result<u64, Error> {
    let values = array.get(&index, 0).map_err(map_error)?;
    Ok(values.iter().sum())
}

fn map_error(source: aya::maps::MapError) -> Error {
    Error::Map { source }
}
