//! Segment routing headers, and the offloads that meet them.

use netdiag_e2e::scenarios::Transfer;
use serde_json::Value;

use crate::outcome::Outcome;

/// Segments with an inline header came in at this device and none was joined, beside others that were.
#[track_caller]
pub fn unmerged_segments(nic: &str, routed: &Transfer, plain: &Transfer, outcome: &Outcome) {
    assert_unmerged(routed);
    assert_merged(plain);
    let finding = outcome.finding("SegmentOffload", "SegmentRoutingGro", nic);
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    let count = finding["count"].as_u64().unwrap();
    // Segments that end a burst are not counted, and what is no segment of TCP is not either.
    assert!(
        (routed.on_nic / 2..=routed.on_nic).contains(&count),
        "{routed:?} {finding:#}"
    );
    let text = finding.to_string();
    assert!(text.contains("generic-receive-offload"), "{finding:#}");
    assert_eq!(besides_full_rings(outcome), [finding], "nothing is lost");
    outcome.assert_balanced();
}

/// What is told of loss, but for bursts that a fast sender makes longer than the ring of a veth with receive offload
/// (`veth_xmit`): those are lost indeed, and have nothing to do with routing headers.
fn besides_full_rings(outcome: &Outcome) -> Vec<&Value> {
    let is_full_ring =
        |finding: &&Value| finding["check"] == "OtherDrop" && finding["cause"] == "veth_xmit";
    let told = outcome.alarming().into_iter();
    told.filter(|finding| !is_full_ring(finding)).collect()
}

/// No segment was lost, and those that came in were joined, or joining was switched off for all of them.
#[track_caller]
pub fn no_segment_fault(outcome: &Outcome) {
    let of_check = |finding: &&Value| finding["check"] == "SegmentOffload";
    assert_eq!(outcome.all().iter().find(of_check), None);
    assert_eq!(besides_full_rings(outcome), [] as [&Value; 0]);
}

/// The agent watched receive offload at this device, and saw packets of that kind there.
#[track_caller]
pub fn assert_receive_offload_was_watched(kind: &str, outcome: &Outcome) {
    let gro = &outcome.evidence["gro"];
    let counts = gro["value"]["counts"].as_array().into_iter().flatten();
    let offered = |count: &Value| count["offered"].as_u64().unwrap_or(0);
    let of_kind = counts.filter(|count| count["kind"] == kind).map(offered);
    assert!(of_kind.sum::<u64>() > 100, "{gro:#}");
    assert_eq!(gro["value"]["unread"], 0, "{gro:#}");
}

/// Nobody asked the agent to watch receive offload.
#[track_caller]
pub fn assert_receive_offload_was_not_watched(outcome: &Outcome) {
    assert_eq!(outcome.evidence["gro"]["state"], "idle");
}

/// Super-frames with an inline header that the node sends by way of this device. Kernels that look for the TCP header
/// in them drop them; others do not, and then nothing is to be found.
#[track_caller]
pub fn routed_super_frames(nic: &str, made: &Transfer, outcome: &Outcome) {
    if made.dropped == 0 {
        assert!(made.sent > 1_000_000, "{made:?}");
        no_segment_fault(outcome);
        return;
    }
    let finding = outcome.finding("SegmentOffload", "SegmentRoutingGso", nic);
    assert_eq!(finding["severity"], "Critical");
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
}

/// The kernel joined few or none: each packet of the NIC's came to the stack.
#[track_caller]
pub fn assert_unmerged(made: &Transfer) {
    assert!(made.on_nic > 1_000, "{made:?}");
    assert!(made.in_stack * 100 >= made.on_nic * 98, "{made:?}");
}

/// The kernel joined many. On a slow machine bursts are short, and an encapsulated packet comes to the stack twice.
#[track_caller]
pub fn assert_merged(made: &Transfer) {
    assert!(made.on_nic > 200, "{made:?}");
    assert!(made.in_stack * 4 < made.on_nic * 3, "{made:?}");
}
