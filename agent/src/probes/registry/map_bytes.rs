//! The memory that the kernel takes for the maps of a window. Some grow with the number of processors.

use aya_obj::generated::bpf_map_type::{self, *};

use super::PROBES;
use crate::probes::object::object;

/// Bytes of the maps of all probes on this machine; 0 when the agent was built without them.
pub(crate) fn of_a_window() -> u64 {
    let parsed = object().and_then(|object| aya_obj::Object::parse(object).ok());
    let processors = aya::util::nr_cpus().map_or(1, |number| number as u64);
    parsed.map_or(0, |object| {
        let prefixes = PROBES.iter().map(|probe| probe.description.maps);
        prefixes
            .map(|prefix| bytes_of(&object, prefix, processors))
            .sum()
    })
}

/// Bytes that the kernel takes for a map: the sums of `array_map_mem_usage`, `htab_map_mem_usage` and their like
/// (kernel/bpf).
fn bytes(map: &aya_obj::Map, processors: u64) -> u64 {
    const POINTER: u64 = 8;
    /// `struct htab_elem` and `struct bucket`.
    const ELEMENT: u64 = 48;
    const BUCKET: u64 = 16;
    const PAGE: u64 = 4096;
    let round = |bytes: u32| u64::from(bytes).next_multiple_of(8);
    let (key, value, entries) = (
        round(map.key_size()),
        round(map.value_size()),
        u64::from(map.max_entries()),
    );
    let buckets = entries.next_power_of_two() * BUCKET;
    match bpf_map_type::try_from(map.map_type()) {
        Ok(BPF_MAP_TYPE_ARRAY) => entries * value,
        Ok(BPF_MAP_TYPE_PERCPU_ARRAY) => entries * (POINTER + value * processors),
        // One spare element a processor, for replacing.
        Ok(BPF_MAP_TYPE_HASH) => buckets + (entries + processors) * (ELEMENT + key + value),
        Ok(BPF_MAP_TYPE_LRU_HASH) => buckets + entries * (ELEMENT + key + value),
        Ok(BPF_MAP_TYPE_PERCPU_HASH) => {
            buckets + entries * (ELEMENT + key + POINTER + value * processors)
        }
        Ok(BPF_MAP_TYPE_QUEUE) => (entries + 1) * u64::from(map.value_size()),
        // Its pages, those of its two positions and of its own structure, and the list of all.
        Ok(BPF_MAP_TYPE_RINGBUF) => entries + 3 * PAGE + 2 * entries / PAGE * POINTER,
        // No map of ours; a test looks for others.
        _ => buckets + entries * (ELEMENT + key + POINTER + value * processors),
    }
}

/// Bytes of all maps whose names begin so.
pub(super) fn bytes_of(object: &aya_obj::Object, prefix: &str, processors: u64) -> u64 {
    let own = |(name, _): &(&String, &aya_obj::Map)| name.starts_with(prefix);
    let maps = object.maps.iter().filter(own);
    maps.map(|(_, map)| bytes(map, processors)).sum()
}
