//! What the eBPF object must look like to be loaded so.

use super::*;
use crate::probes::{drop, frame_copies, gro, retransmissions};

/// Every probe that is loaded here.
const PROBES: [&Description; 4] = [
    &drop::PROBE,
    &frame_copies::PROBE,
    &gro::PROBE,
    &retransmissions::PROBE,
];

fn parsed_object() -> Option<aya_obj::Object> {
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
    for hook in PROBES.iter().flat_map(|probe| probe.hooks) {
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
    for (name, map) in &object.maps {
        let entry = (map.key_size() + map.value_size()).max(1);
        let is_large = map.max_entries().saturating_mul(entry) > LARGE;
        let is_listed = LARGE_MAPS.contains(&name.as_str());
        assert_eq!(is_large, is_listed, "{name}");
    }
    assert!(
        LARGE_MAPS
            .iter()
            .all(|name| object.maps.contains_key(*name))
    );
}
