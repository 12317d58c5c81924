//! Tests that the eBPF object has the form which the loader expects.

use super::*;
use crate::probes::{
    description::Backend,
    facts::{KernelFacts, Support},
    object::object,
};

pub(super) fn parsed_object() -> Option<aya_obj::Object> {
    let object = object().map(|object| aya_obj::Object::parse(object).unwrap());
    if object.is_none() {
        println!("SKIP: the agent was built without its eBPF object");
    }
    object
}

/// A kernel without commit 0108a4e9f358 ("bpf: ensure main program has an extable", 6.4) panics on a bad address
/// that is read directly in a program with subprograms. Seen on 5.10: `skb->dev` of a datagram, which is no pointer.
/// Variants that read by helper have no such loads, so the compiler may factor out what two of them have in common.
#[test]
fn what_reads_directly_calls_no_subprogram() {
    const CALL: u8 = 0x85;
    const TO_SUBPROGRAM: u8 = 1;
    let Some(object) = parsed_object() else {
        return;
    };
    for hook in PROBES.iter().flat_map(|probe| probe.description.hooks) {
        let name = hook.program(Backend::TypedDirect);
        let function = object.programs[name].function_key();
        let calls = object.functions[&function].instructions.iter();
        let calls = calls.filter(|it| it.code == CALL && it.src_reg() == TO_SUBPROGRAM);
        assert_eq!(calls.count(), 0, "{name}");
    }
}

#[test]
fn every_large_map_is_made_small_for_other_probes() {
    const LARGE: u32 = 8 * 1024;
    let Some(object) = parsed_object() else {
        return;
    };
    let large: Vec<&str> = PROBES
        .iter()
        .flat_map(|probe| probe.description.large_maps)
        .copied()
        .collect();
    for (name, map) in &object.maps {
        let entry = (map.key_size() + map.value_size()).max(1);
        let is_large = map.max_entries().saturating_mul(entry) > LARGE;
        let is_listed = large.contains(&name.as_str());
        assert_eq!(is_large, is_listed, "{name}");
    }
    assert!(large.iter().all(|name| object.maps.contains_key(*name)));
}

#[test]
fn the_kernel_s_memory_is_known_for_each_kind_of_map() {
    use aya_obj::generated::bpf_map_type::{self, *};
    let Some(object) = parsed_object() else {
        return;
    };
    for (name, map) in &object.maps {
        let kind = bpf_map_type::try_from(map.map_type());
        let is_known = matches!(
            kind,
            Ok(BPF_MAP_TYPE_ARRAY
                | BPF_MAP_TYPE_PERCPU_ARRAY
                | BPF_MAP_TYPE_HASH
                | BPF_MAP_TYPE_LRU_HASH
                | BPF_MAP_TYPE_PERCPU_HASH
                | BPF_MAP_TYPE_QUEUE
                | BPF_MAP_TYPE_RINGBUF)
        );
        assert!(is_known, "{name}: add its kind to map_bytes.rs");
    }
}

/// A map's owner is told by its name.
#[test]
fn every_probe_owns_its_large_maps_by_their_names() {
    for probe in &PROBES {
        let Registration { description, .. } = probe;
        let is_own = |name: &&str| name.starts_with(description.maps);
        assert!(description.large_maps.iter().all(is_own), "{description:?}");
    }
}

/// The layout's global is what a probe's layout is found by.
#[test]
fn no_two_probes_have_a_name_or_a_layout_in_common() {
    for of in [
        |one: &Registration| one.description.name,
        |one: &Registration| one.description.layout,
    ] {
        let mut names: Vec<_> = PROBES.iter().map(of).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROBES.len());
    }
}

#[test]
fn no_probe_is_supported_by_a_kernel_without_types() {
    let facts = KernelFacts::default();
    for probe in &PROBES {
        let support = probe.description.support(&facts);
        assert!(matches!(support, Support::No(reason) if reason.contains("CONFIG_DEBUG_INFO_BTF")));
    }
}
