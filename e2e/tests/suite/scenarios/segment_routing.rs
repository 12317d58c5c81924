//! Segment routing headers in front of TCP, and the offloads that meet them, on a NIC that hands packets to receive
//! offload as real ones do.

use anyhow::Result;
use netdiag_e2e::scenarios::{Header, Nic, SegmentRouting, Transfer};
use serde_json::Value;

use super::{Harness, kernel_is_since};
use crate::outcome::Outcome;

/// Programs of the probe that watches receive offload.
const PROBE: &str = "gro";

/// A virtual NIC joins what has a plain header.
pub fn inline_segments_that_are_not_joined(harness: &Harness) -> Result<()> {
    let stage = harness.node("srv6-inline")?;
    let scenario = SegmentRouting::to_node(stage.node(), Nic::Virtual, Header::Inline)?;
    let ((routed, plain), outcome) = stage.watch(6, |agent| {
        agent.wait_for(PROBE)?;
        scenario.send_both()
    })?;
    unmerged_segments(scenario.nic(), &routed, &plain, &outcome);
    assert_receive_offload_was_watched("segmentRoutingInline", &outcome);
    Ok(())
}

/// A veth does as well, from 5.13 on (d3256efd8e8b, "veth: allow enabling NAPI even without XDP").
pub fn inline_segments_that_a_veth_does_not_join(harness: &Harness) -> Result<()> {
    let stage = harness.node("srv6-veth")?;
    let scenario = SegmentRouting::to_node(stage.node(), Nic::Veth, Header::Inline)?;
    let ((routed, plain), outcome) = stage.watch(6, |agent| {
        agent.wait_for(PROBE)?;
        scenario.send_both()
    })?;
    if !kernel_is_since(5, 13) && plain.in_stack >= plain.on_nic {
        no_segment_fault(&outcome);
        return Ok(());
    }
    unmerged_segments(scenario.nic(), &routed, &plain, &outcome);
    outcome.assert_rolled_up("Info");
    Ok(())
}

/// Encapsulated segments are joined on a virtual NIC.
pub fn encapsulated_segments_that_are_joined(harness: &Harness) -> Result<()> {
    let outcome = encapsulated_segments(harness, Nic::Virtual)?;
    assert_receive_offload_was_watched("segmentRoutingEncapsulated", &outcome);
    Ok(())
}

/// They are on a veth.
pub fn encapsulated_segments_on_a_veth(harness: &Harness) -> Result<()> {
    encapsulated_segments(harness, Nic::Veth).map(drop)
}

fn encapsulated_segments(harness: &Harness, nic: Nic) -> Result<Outcome> {
    let stage = harness.node("srv6-encap")?;
    let scenario = SegmentRouting::to_node(stage.node(), nic, Header::Encapsulating)?;
    let (routed, outcome) = stage.watch(6, |agent| {
        agent.wait_for(PROBE)?;
        scenario.send_routed()
    })?;
    assert_merged(&routed);
    no_segment_fault(&outcome);
    Ok(outcome)
}

/// Nothing is joined where that is switched off.
pub fn inline_segments_where_receive_offload_is_off(harness: &Harness) -> Result<()> {
    let stage = harness.node("srv6-off")?;
    let mut scenario = SegmentRouting::to_node(stage.node(), Nic::Virtual, Header::Inline)?;
    scenario.switch_receive_offload_off()?;
    let ((routed, plain), outcome) = stage.watch(6, |_| scenario.send_both())?;
    assert_unmerged(&routed);
    assert_unmerged(&plain);
    no_segment_fault(&outcome);
    Ok(())
}

/// Plain segments, for which nobody asks the agent to watch receive offload.
pub fn segments_without_a_routing_header(harness: &Harness) -> Result<()> {
    let stage = harness.node("srv6-none")?;
    let scenario = SegmentRouting::to_node(stage.node(), Nic::Virtual, Header::None)?;
    let (plain, outcome) = stage.watch(4, |_| scenario.send_plain())?;
    assert_merged(&plain);
    assert_eq!(outcome.evidence["gro"]["state"], "idle");
    no_segment_fault(&outcome);
    Ok(())
}

/// Super-frames with an inline header leave by a virtual NIC.
pub fn inline_super_frames_on_their_way_out(harness: &Harness) -> Result<()> {
    inline_super_frames(harness, Nic::Virtual)
}

/// They leave by a veth.
pub fn inline_super_frames_on_a_veth(harness: &Harness) -> Result<()> {
    inline_super_frames(harness, Nic::Veth)
}

/// Kernels that look for the TCP header in such super-frames drop them; others do not, and then nothing is to be found.
fn inline_super_frames(harness: &Harness, nic: Nic) -> Result<()> {
    let stage = harness.node("srv6-out")?;
    let scenario = SegmentRouting::from_node(stage.node(), nic, Header::Inline)?;
    let (made, outcome) = stage.watch(6, |_| scenario.send_routed())?;
    let nic = scenario.nic();
    if made.dropped == 0 {
        assert!(made.sent > 1_000_000, "{made:?}");
        no_segment_fault(&outcome);
        return Ok(());
    }
    let finding = outcome.finding("SegmentOffload", "SegmentRoutingGso", nic);
    assert_ne!(finding["severity"], "Info", "{finding:#}");
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    assert_eq!(finding["count"], made.dropped, "{finding:#}");
    let command = &finding["remedies"][0]["command"];
    assert_eq!(
        *command,
        format!("ip link set dev {nic} gso_max_segs 1"),
        "{finding:#}"
    );
    outcome.assert_explained("", nic, "tx_dropped", made.dropped);
    assert_eq!(outcome.alarming(), [finding]);
    outcome.assert_balanced();
    Ok(())
}

/// Encapsulated super-frames are never dropped.
pub fn encapsulated_super_frames_on_their_way_out(harness: &Harness) -> Result<()> {
    let stage = harness.node("srv6-out-encap")?;
    let scenario = SegmentRouting::from_node(stage.node(), Nic::Veth, Header::Encapsulating)?;
    let (routed, outcome) = stage.watch(4, |_| scenario.send_routed())?;
    assert!(routed.sent > 1_000_000 && routed.dropped == 0, "{routed:?}");
    no_segment_fault(&outcome);
    Ok(())
}

/// Segments with an inline header came in at this device and none was joined, beside others that were.
#[track_caller]
fn unmerged_segments(nic: &str, routed: &Transfer, plain: &Transfer, outcome: &Outcome) {
    assert_unmerged(routed);
    assert_merged(plain);
    let finding = outcome.finding("SegmentOffload", "SegmentRoutingGro", nic);
    assert_eq!(finding["severity"], "Info", "it costs, and nothing is lost");
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    let count = finding["count"].as_u64().unwrap();
    // Segments that end a burst are not counted, and what is no segment of TCP is not either.
    assert!(
        (routed.on_nic / 2..=routed.on_nic).contains(&count),
        "{routed:?} {finding:#}"
    );
    let text = finding.to_string();
    assert!(text.contains("generic-receive-offload"), "{finding:#}");
    assert!(besides_full_rings(outcome).is_empty(), "nothing is lost");
    outcome.assert_balanced();
}

/// The findings about loss, except bursts that a fast sender makes longer than the ring of a veth with receive offload
/// (`veth_xmit`): those are lost indeed, and have nothing to do with routing headers.
fn besides_full_rings(outcome: &Outcome) -> Vec<&Value> {
    let is_full_ring =
        |finding: &&Value| finding["check"] == "OtherDrop" && finding["cause"] == "veth_xmit";
    let told = outcome.alarming().into_iter();
    told.filter(|finding| !is_full_ring(finding)).collect()
}

/// No segment was lost, and those that came in were joined, or joining was switched off for all of them.
#[track_caller]
fn no_segment_fault(outcome: &Outcome) {
    let of_check = |finding: &&Value| finding["check"] == "SegmentOffload";
    assert_eq!(outcome.all().iter().find(of_check), None);
    assert_eq!(besides_full_rings(outcome), [] as [&Value; 0]);
}

/// The agent watched receive offload at this device, and saw packets of that kind there.
#[track_caller]
fn assert_receive_offload_was_watched(kind: &str, outcome: &Outcome) {
    let gro = &outcome.evidence["gro"];
    let counts = gro["value"]["counts"].as_array().into_iter().flatten();
    let offered = |count: &Value| count["offered"].as_u64().unwrap_or(0);
    let of_kind = counts.filter(|count| count["kind"] == kind).map(offered);
    assert!(of_kind.sum::<u64>() > 100, "{gro:#}");
    assert_eq!(gro["value"]["unread"], 0, "{gro:#}");
}

/// The kernel joined few or none: each packet of the NIC's came to the stack.
#[track_caller]
fn assert_unmerged(made: &Transfer) {
    assert!(made.on_nic > 1_000, "{made:?}");
    assert!(made.in_stack * 100 >= made.on_nic * 98, "{made:?}");
}

/// The kernel joined many. On a slow machine bursts are short, and an encapsulated packet comes to the stack twice.
#[track_caller]
fn assert_merged(made: &Transfer) {
    assert!(made.on_nic > 200, "{made:?}");
    assert!(made.in_stack * 4 < made.on_nic * 3, "{made:?}");
}
