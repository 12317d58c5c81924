//! Segment routing headers in front of TCP, on a NIC that hands packets to receive offload as real ones do.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{Header, Nic, SegmentRouting};

use super::watched::watch;
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn inline_segments_that_are_not_joined() {
    let node = Node::new("srv6-inline").unwrap();
    let scenario = SegmentRouting::to_node(&node, Nic::Virtual, Header::Inline).unwrap();
    let ((routed, plain), outcome) = watch(&node, 6, || {
        let routed = scenario.send_routed(2).unwrap();
        (routed, scenario.send_plain(2).unwrap())
    });
    expected::unmerged_segments(scenario.nic(), &routed, &plain, &outcome);
    expected::assert_receive_offload_was_watched("segmentRoutingInline", &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn inline_segments_that_a_veth_does_not_join() {
    let node = Node::new("srv6-veth").unwrap();
    let scenario = SegmentRouting::to_node(&node, Nic::Veth, Header::Inline).unwrap();
    let ((routed, plain), outcome) = watch(&node, 6, || {
        let routed = scenario.send_routed(2).unwrap();
        (routed, scenario.send_plain(2).unwrap())
    });
    // Before 5.13 a veth joins nothing (d3256efd8e8b, "veth: allow enabling NAPI even without XDP").
    if plain.in_stack >= plain.on_nic {
        expected::no_segment_fault(&outcome);
        return;
    }
    expected::unmerged_segments(scenario.nic(), &routed, &plain, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn encapsulated_segments_that_are_joined() {
    let node = Node::new("srv6-encap").unwrap();
    let scenario = SegmentRouting::to_node(&node, Nic::Virtual, Header::Encapsulating).unwrap();
    let (routed, outcome) = watch(&node, 4, || scenario.send_routed(2).unwrap());
    expected::assert_merged(&routed);
    expected::assert_receive_offload_was_watched("segmentRoutingEncapsulated", &outcome);
    expected::no_segment_fault(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn inline_segments_where_receive_offload_is_off() {
    let node = Node::new("srv6-off").unwrap();
    let mut scenario = SegmentRouting::to_node(&node, Nic::Virtual, Header::Inline).unwrap();
    scenario.switch_receive_offload_off().unwrap();
    let ((routed, plain), outcome) = watch(&node, 6, || {
        let routed = scenario.send_routed(2).unwrap();
        (routed, scenario.send_plain(2).unwrap())
    });
    expected::assert_unmerged(&routed);
    expected::assert_unmerged(&plain);
    expected::no_segment_fault(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn segments_without_a_routing_header() {
    let node = Node::new("srv6-none").unwrap();
    let scenario = SegmentRouting::to_node(&node, Nic::Virtual, Header::None).unwrap();
    let (plain, outcome) = watch(&node, 4, || scenario.send_plain(2).unwrap());
    expected::assert_merged(&plain);
    expected::assert_receive_offload_was_not_watched(&outcome);
    expected::no_segment_fault(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn inline_super_frames_on_their_way_out() {
    let node = Node::new("srv6-out").unwrap();
    let scenario = SegmentRouting::from_node(&node, Nic::Virtual, Header::Inline).unwrap();
    let (routed, outcome) = watch(&node, 6, || scenario.send_routed(4).unwrap());
    expected::routed_super_frames(scenario.nic(), &routed, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn encapsulated_super_frames_on_their_way_out() {
    let node = Node::new("srv6-out-encap").unwrap();
    let scenario = SegmentRouting::from_node(&node, Nic::Veth, Header::Encapsulating).unwrap();
    let (routed, outcome) = watch(&node, 4, || scenario.send_routed(2).unwrap());
    assert!(routed.sent > 1_000_000 && routed.dropped == 0, "{routed:?}");
    expected::no_segment_fault(&outcome);
}
