//! Fragments that come in on two NICs of one segment, and what only looks like it.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{BadCable, Family, SharedDomain, Trouble};

use super::watched::watch;
use crate::expected;

/// Datagrams of a scenario; they are sent within 1 s.
const SENT: u64 = 20;
/// Seconds of a window: 1 to send, 1 until the node gives up what is incomplete, the rest for a slow guest.
const WINDOW: u64 = 9;
const VETHS: [&str; 2] = ["lan0", "lan1"];
const NICS: [&str; 2] = ["eth1", "eth2"];

#[test]
#[ignore = "needs a guest"]
fn fragments_on_two_nics_of_a_segment_with_connection_tracking() {
    let node = Node::new("segment").unwrap();
    let mut shared = SharedDomain::on_segment(&node, Family::V4).unwrap();
    shared.track_connections().unwrap();
    for nic in NICS {
        shared.capture(nic).unwrap();
    }
    shared.join(&["eth1"]).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(60).unwrap());
    expected::some_datagrams_lost(NICS, 60, made, &outcome);
    expected::opened_by("Promiscuity/PacketSocket", &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_on_two_nics_of_a_segment_that_filter() {
    let node = Node::new("filtering-segment").unwrap();
    let mut shared = SharedDomain::on_segment(&node, Family::V4).unwrap();
    shared.track_connections().unwrap();
    shared.join(&["eth1"]).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    assert_eq!((made.datagrams, made.failed), (SENT, 0));
    expected::nothing_about_fragments(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_that_come_first_where_nobody_joined() {
    let node = Node::new("stranger-first").unwrap();
    let mut shared = SharedDomain::on_veths(&node, Family::V4).unwrap();
    shared.track_connections().unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan0"]).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    expected::every_datagram_lost(VETHS, SENT, made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_that_come_first_where_the_group_was_joined() {
    let node = Node::new("member-first").unwrap();
    let mut shared = SharedDomain::on_veths(&node, Family::V4).unwrap();
    shared.track_connections().unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan1"]).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    expected::collisions_without_loss(VETHS, SENT, made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_of_a_group_that_was_joined_on_both_nics() {
    let node = Node::new("member-twice").unwrap();
    let mut shared = SharedDomain::on_veths(&node, Family::V4).unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&VETHS).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    expected::collisions_without_loss(VETHS, SENT, made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_on_two_nics_without_connection_tracking() {
    let node = Node::new("strays").unwrap();
    let mut shared = SharedDomain::on_veths(&node, Family::V4).unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan0"]).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    expected::copies_without_collision(VETHS, SENT, made, &outcome);
}

/// The kernel keeps a queue for each interface that a group's IPv6 fragments come in on.
#[test]
#[ignore = "needs a guest"]
fn fragments_of_ipv6_on_two_nics() {
    let node = Node::new("ipv6-group").unwrap();
    let mut shared = SharedDomain::on_veths(&node, Family::V6).unwrap();
    shared.track_connections().unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan0"]).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    assert_eq!((made.datagrams, made.failed), (SENT, 0));
    let finding = outcome.finding("FragmentReassembly", "SharedBroadcastDomain", "lan0");
    assert_eq!(finding["severity"], "Info", "{finding:#}");
    expected::assert_harmless(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_while_one_of_two_nics_is_down() {
    let node = Node::new("one-down").unwrap();
    let mut shared = SharedDomain::on_veths(&node, Family::V4).unwrap();
    shared.track_connections().unwrap();
    shared.make_promiscuous().unwrap();
    shared.join(&["lan0"]).unwrap();
    shared.switch_off("lan1").unwrap();
    let (made, outcome) = watch(&node, WINDOW, || shared.send(SENT).unwrap());
    assert_eq!((made.datagrams, made.failed), (SENT, 0));
    expected::nothing_about_fragments(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn fragments_lost_on_a_cable() {
    for family in [Family::V4, Family::V6] {
        let node = Node::new("lossy-cable").unwrap();
        let cable = BadCable::new(&node, family, Trouble::Loss).unwrap();
        let (made, outcome) = watch(&node, WINDOW, || cable.send(SENT).unwrap());
        expected::lost_fragments(SENT, made, &outcome);
    }
}

#[test]
#[ignore = "needs a guest"]
fn fragments_repeated_on_a_cable() {
    let node = Node::new("repeating-cable").unwrap();
    let cable = BadCable::new(&node, Family::V4, Trouble::Repetition).unwrap();
    let (made, outcome) = watch(&node, WINDOW, || cable.send(SENT).unwrap());
    expected::repeated_fragments(SENT, made, &outcome);
}
