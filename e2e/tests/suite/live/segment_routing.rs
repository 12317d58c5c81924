//! Segment routing headers in front of TCP.

use netdiag_e2e::scenarios::{Header, Nic, SegmentRouting};

use super::diagnosed::Diagnosed;
use crate::expected;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn inline_segments_that_are_not_joined_cost_and_are_not_lost() {
    let diagnosed = Diagnosed::node("srv6-inline");
    let scenario = SegmentRouting::to_node(&diagnosed.node, Nic::Veth, Header::Inline).unwrap();
    let ((routed, plain), outcome) = diagnosed.diagnose(6, || {
        let routed = scenario.send_routed(2).unwrap();
        (routed, scenario.send_plain(2).unwrap())
    });
    expected::unmerged_segments(scenario.nic(), &routed, &plain, &outcome);
    assert_eq!(
        outcome.diagnosis["status"]["summary"]["severity"],
        "Warning"
    );
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn encapsulated_segments_that_are_joined_are_no_finding() {
    let diagnosed = Diagnosed::node("srv6-encap");
    let scenario =
        SegmentRouting::to_node(&diagnosed.node, Nic::Veth, Header::Encapsulating).unwrap();
    let (routed, outcome) = diagnosed.diagnose(4, || scenario.send_routed(2).unwrap());
    expected::assert_merged(&routed);
    expected::no_segment_fault(&outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn inline_super_frames_are_blamed_only_where_the_kernel_drops_them() {
    let diagnosed = Diagnosed::node("srv6-out");
    let scenario = SegmentRouting::from_node(&diagnosed.node, Nic::Veth, Header::Inline).unwrap();
    let (routed, outcome) = diagnosed.diagnose(4, || scenario.send_routed(2).unwrap());
    expected::routed_super_frames(scenario.nic(), &routed, &outcome);
}
