//! Half-made checksums that a program between two pods passes on, and what only looks so.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{Fault, LostChecksum};

use super::counted::Leftover;
use super::watched::{watch, watch_leaving};
use crate::expected;

/// What a kernel without drop reasons does not show.
const NO_EVENT: Leftover = Leftover::Because(
    "before 5.17 tcp_drop frees without an event what an open connection refuses",
);

#[test]
#[ignore = "needs a guest"]
fn lost_by_a_program_with_packet_sockets() {
    let node = Node::new("lost-checksum").unwrap();
    let scenario = LostChecksum::new(&node, Fault::HalfMade).unwrap();
    let (made, outcome) = watch(&node, 2, || scenario.talk(25, 4).unwrap());
    expected::lost_checksum(&made, scenario.forwarder(), &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lost_by_a_program_with_tun_devices() {
    let node = Node::new("lost-checksum-tun").unwrap();
    let scenario = LostChecksum::new(&node, Fault::HalfMadeByTuns).unwrap();
    let (made, outcome) = watch(&node, 2, || scenario.talk(25, 4).unwrap());
    expected::lost_checksum(&made, scenario.forwarder(), &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lost_of_super_frames_by_a_program_with_tap_devices() {
    let node = Node::new("super-frames").unwrap();
    let scenario = LostChecksum::new(&node, Fault::SuperFrames).unwrap();
    let leftover = leftover();
    let (made, outcome) = watch_leaving(leftover, &node, 2, || scenario.talk(5, 4).unwrap());
    expected::lost_checksum_of_super_frames(&made, scenario.forwarder(), &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lost_of_super_frames_by_a_program_with_packet_sockets() {
    let node = Node::new("super-sockets").unwrap();
    let scenario = LostChecksum::new(&node, Fault::SuperFramesBySockets).unwrap();
    let leftover = leftover();
    let (made, outcome) = watch_leaving(leftover, &node, 2, || scenario.talk(5, 4).unwrap());
    expected::lost_checksum_of_super_frames(&made, scenario.forwarder(), &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lost_before_a_filter_and_a_service() {
    let node = Node::new("lost-checksum-filter").unwrap();
    let scenario = LostChecksum::new(&node, Fault::HalfMadeBeforeFilter).unwrap();
    let (made, outcome) = watch(&node, 2, || scenario.talk(10, 3).unwrap());
    expected::lost_checksum_before_a_filter(&made, scenario.forwarder(), &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lost_before_addresses_are_translated() {
    let node = Node::new("lost-checksum-nat").unwrap();
    let scenario = LostChecksum::new(&node, Fault::HalfMadeBeforeTranslation).unwrap();
    let (made, outcome) = watch(&node, 2, || scenario.talk(10, 4).unwrap());
    expected::lost_checksum_before_translation(&made, scenario.forwarder(), &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn program_that_passes_the_note_on() {
    let node = Node::new("note-kept").unwrap();
    let scenario = LostChecksum::new(&node, Fault::NoteKept).unwrap();
    let (made, outcome) = watch(&node, 2, || scenario.talk(10, 2).unwrap());
    expected::note_kept(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn program_that_breaks_bytes() {
    let node = Node::new("broken-bytes").unwrap();
    let scenario = LostChecksum::new(&node, Fault::BrokenBytes).unwrap();
    let (made, outcome) = watch_leaving(leftover(), &node, 2, || scenario.talk(30, 2).unwrap());
    expected::broken_bytes(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn nic_that_flips_bits() {
    let node = Node::new("flipped-bits").unwrap();
    let scenario = LostChecksum::new(&node, Fault::FlippedBits).unwrap();
    let (made, outcome) = watch_leaving(leftover(), &node, 2, || scenario.talk(30, 2).unwrap());
    expected::flipped_bits(&made, &outcome);
}

fn leftover() -> Leftover {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    match release.starts_with("5.10.") {
        true => NO_EVENT,
        false => Leftover::None,
    }
}
