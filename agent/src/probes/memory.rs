//! What a window's maps take, against the memory limit that the chart gives the agent's container: the kernel charges
//! maps to it (5.11 on), and some grow with the number of processors.

use aya_obj::generated::bpf_map_type::{self, *};
use netdiag_crds::limits::ASSIGNMENTS;

use super::{drop, frame_copies, gro, object, retransmissions};

/// As many processors as the limit is made for.
const PROCESSORS: u64 = 128;
/// The most that the agent itself was seen to take while it parses the kernel's types to load a probe, and how much it
/// keeps. Loads take turns, so the peak comes once, however many windows begin.
const PEAK_BYTES: u64 = 56 * MEBIBYTE;
const MEBIBYTE: u64 = 1024 * 1024;
/// Evidence of a window: links, samples, findings.
const EVIDENCE_BYTES: u64 = 4 * MEBIBYTE;

/// What each loaded object keeps, by the prefix of its maps.
const KEPT: [&str; 5] = [
    drop::PROBE.maps,
    frame_copies::PROBE.maps,
    gro::PROBE.maps,
    retransmissions::PROBE.maps,
    "NET_DEVICES_",
];

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
    let Ok(kind) = bpf_map_type::try_from(map.map_type()) else {
        panic!("no map type has the number {}", map.map_type());
    };
    match kind {
        BPF_MAP_TYPE_ARRAY => entries * value,
        BPF_MAP_TYPE_PERCPU_ARRAY => entries * (POINTER + value * processors),
        // One spare element a processor, for replacing.
        BPF_MAP_TYPE_HASH => buckets + (entries + processors) * (ELEMENT + key + value),
        BPF_MAP_TYPE_LRU_HASH => buckets + entries * (ELEMENT + key + value),
        BPF_MAP_TYPE_PERCPU_HASH => {
            buckets + entries * (ELEMENT + key + POINTER + value * processors)
        }
        BPF_MAP_TYPE_QUEUE => (entries + 1) * u64::from(map.value_size()),
        // Its pages, those of its two positions and of its own structure, and the list of all.
        BPF_MAP_TYPE_RINGBUF => entries + 3 * PAGE + 2 * entries / PAGE * POINTER,
        other => panic!("what a map of type {other:?} takes is not known"),
    }
}

/// Bytes of all maps whose names begin so.
fn bytes_of(object: &aya_obj::Object, prefix: &str, processors: u64) -> u64 {
    let own = |(name, _): &(&String, &aya_obj::Map)| name.starts_with(prefix);
    let maps = object.maps.iter().filter(own);
    maps.map(|(_, map)| bytes(map, processors)).sum()
}

fn parsed_object() -> Option<aya_obj::Object> {
    let object = object().map(|object| aya_obj::Object::parse(object).unwrap());
    if object.is_none() {
        println!("SKIP: the agent was built without its eBPF object");
    }
    object
}

/// agent.resources.limits.memory of the chart.
fn limit_of_the_chart() -> u64 {
    let values = include_str!("../../../charts/netdiag/values.yaml");
    let values: serde_json::Value = serde_yaml::from_str(values).unwrap();
    let limit = values["agent"]["resources"]["limits"]["memory"].as_str();
    let mebibytes = limit.and_then(|limit| limit.strip_suffix("Mi")).unwrap();
    mebibytes.parse::<u64>().unwrap() * MEBIBYTE
}

#[test]
fn the_chart_s_limit_holds_all_windows_of_a_node_with_many_processors() {
    let Some(object) = parsed_object() else {
        return;
    };
    for processors in [2, PROCESSORS] {
        for prefix in KEPT {
            let kibibytes = bytes_of(&object, prefix, processors) / 1024;
            println!("{processors} processors: {prefix}* {kibibytes} KiB");
        }
    }
    let maps: u64 = KEPT
        .iter()
        .map(|prefix| bytes_of(&object, prefix, PROCESSORS))
        .sum();
    let windows = u64::try_from(ASSIGNMENTS).unwrap();
    let most = PEAK_BYTES + windows * (maps + EVIDENCE_BYTES);
    println!(
        "a window's maps {} MiB, the most {} MiB",
        maps / MEBIBYTE,
        most / MEBIBYTE
    );
    let limit = limit_of_the_chart();
    // A tenth is left for what the kernel charges besides: sockets, page tables, files.
    assert!(most + most / 10 <= limit, "{most} of {limit}");
}
