//! Fragments that come in on two NICs of one segment, and what only looks like it, on the running kernel.

use netdiag_e2e::scenarios::{BadCable, Family, SharedDomain, Trouble};

use super::diagnosed::Diagnosed;
use crate::expected;

/// Datagrams of a scenario; they are sent within 1 s.
const SENT: u64 = 20;
/// Seconds of a window: 1 to send, 1 until the node gives up what is incomplete, and some to spare.
const WINDOW: u64 = 6;
const NICS: [&str; 2] = ["lan0", "lan1"];

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn datagrams_that_arrive_where_nobody_joined_are_counted_until_the_copies_are_kept_out() {
    let diagnosed = Diagnosed::node("stranger-first");
    let mut shared = SharedDomain::on_veths(&diagnosed.node, Family::V4).unwrap();
    shared.track_connections().unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan0"]).unwrap();
    let (made, outcome) = diagnosed.diagnose(WINDOW, || shared.send(SENT).unwrap());
    expected::every_datagram_lost(NICS, SENT, made, &outcome);
    let summary = &outcome.diagnosis["status"]["summary"];
    assert_eq!(summary["severity"], "Critical");
    let finding = outcome.finding("FragmentReassembly", "SharedBroadcastDomain", "lan0");
    expected::follow_remedy(finding, &diagnosed.node);
    assert_eq!(shared.send(SENT).unwrap().datagrams, SENT);
}

/// Nothing is promiscuous; that a program receives a group raises the question.
#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn copies_are_looked_for_where_a_group_is_received() {
    let diagnosed = Diagnosed::node("member-twice");
    let mut shared = SharedDomain::on_veths(&diagnosed.node, Family::V4).unwrap();
    shared.join(&NICS).unwrap();
    let (made, outcome) = diagnosed.diagnose(12, || shared.send(200).unwrap());
    expected::collisions_without_loss(NICS, 200, made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn copies_that_die_one_by_one_are_harmless() {
    let diagnosed = Diagnosed::node("strays");
    let mut shared = SharedDomain::on_veths(&diagnosed.node, Family::V4).unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan0"]).unwrap();
    let (made, outcome) = diagnosed.diagnose(WINDOW, || shared.send(SENT).unwrap());
    expected::copies_without_collision(NICS, SENT, made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn lost_fragments_are_no_shared_domain() {
    let diagnosed = Diagnosed::node("lossy-cable");
    let cable = BadCable::new(&diagnosed.node, Family::V4, Trouble::Loss).unwrap();
    let (made, outcome) = diagnosed.diagnose(WINDOW, || cable.send(SENT).unwrap());
    expected::lost_fragments(SENT, made, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn repeated_fragments_are_no_loss() {
    let diagnosed = Diagnosed::node("repeating-cable");
    let cable = BadCable::new(&diagnosed.node, Family::V4, Trouble::Repetition).unwrap();
    let (made, outcome) = diagnosed.diagnose(WINDOW, || cable.send(SENT).unwrap());
    expected::repeated_fragments(SENT, made, &outcome);
}
