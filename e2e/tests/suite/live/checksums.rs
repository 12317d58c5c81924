//! Half-made checksums that a program between two pods passes on, and what only looks so.

use netdiag_e2e::scenarios::{Fault, LostChecksum, WrongChecksums};

use super::diagnosed::Diagnosed;
use crate::expected;
use crate::outcome::Outcome;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_program_that_loses_checksums_between_two_pods_is_named() {
    let (made, forwarder, outcome) = diagnose("lost-checksum", Fault::HalfMade, 25, 4);
    expected::lost_checksum(&made, forwarder, &outcome);
    let status = &outcome.diagnosis["status"];
    assert_eq!(status["summary"]["severity"], "Critical");
    assert_eq!(status["nodes"]["affected"], 1);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_program_that_packets_are_routed_through_is_named() {
    let (made, forwarder, outcome) = diagnose("tun", Fault::HalfMadeByTuns, 25, 4);
    expected::lost_checksum(&made, forwarder, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn super_frames_whose_checksum_is_lost_are_found_on_a_connection_that_crawls() {
    let (made, forwarder, outcome) = diagnose("super-frames", Fault::SuperFrames, 10, 4);
    expected::lost_checksum_of_super_frames(&made, forwarder, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn super_frames_that_packet_sockets_pass_on_are_found_too() {
    let fault = Fault::SuperFramesBySockets;
    let (made, forwarder, outcome) = diagnose("super-sockets", fault, 10, 4);
    expected::lost_checksum_of_super_frames(&made, forwarder, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn half_made_checksums_are_seen_through_what_connection_tracking_makes_of_them() {
    let fault = Fault::HalfMadeBeforeFilter;
    let (made, forwarder, outcome) = diagnose("lost-checksum-filter", fault, 10, 3);
    expected::lost_checksum_before_a_filter(&made, forwarder, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn half_made_checksums_are_seen_through_address_translation() {
    let fault = Fault::HalfMadeBeforeTranslation;
    let (made, forwarder, outcome) = diagnose("lost-checksum-nat", fault, 10, 4);
    expected::lost_checksum_before_translation(&made, forwarder, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_program_that_passes_the_note_on_is_no_finding() {
    let (made, _, outcome) = diagnose("note-kept", Fault::NoteKept, 10, 2);
    expected::note_kept(&made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn broken_bytes_are_corruption_and_no_lost_checksum() {
    let (made, _, outcome) = diagnose("broken-bytes", Fault::BrokenBytes, 60, 3);
    expected::broken_bytes(&made, &outcome);
}

/// Diagnoses a node of this name while the client talks; what it counted, and the process id of the program in between.
fn diagnose(
    node: &str,
    fault: Fault,
    datagrams: u64,
    seconds: u64,
) -> (WrongChecksums, u32, Outcome) {
    let diagnosed = Diagnosed::node(node);
    let scenario = LostChecksum::new(&diagnosed.node, fault).unwrap();
    let talk = || scenario.talk(datagrams, seconds).unwrap();
    let (made, outcome) = diagnosed.diagnose(9, talk);
    (made, scenario.forwarder(), outcome)
}
