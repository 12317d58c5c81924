//! Devices that hand on nothing, and queues that drop.

use anyhow::Result;
use netdiag_e2e::scenarios::{GuestWithoutTap, PodBehindVeth, UnreadTaps};
use serde_json::Value;

use super::control_frames::{follow_remedy, undo_remedy};
use super::{Harness, assert_quiet, kernel_is_since};
use crate::outcome::Outcome;

/// TAPs that no program has open, one of them for a guest whose address nobody answers for.
pub fn taps_that_nobody_has_open(harness: &Harness) -> Result<()> {
    let stage = harness.node("unread")?;
    let mut taps = UnreadTaps::new(stage.node())?;
    // A neighbour that does not answer is given up after 3 s.
    let ((known, asked), outcome) = stage.watch(6, |_| taps.send())?;
    for (device, sent) in [("tap0", known), ("tap1", asked)] {
        let finding = outcome.finding("Queueing", "NoReader", device);
        let count = finding["count"].as_u64().unwrap();
        assert!(count >= sent, "{finding:#}");
        assert_eq!(finding["harm"], "Outage", "{finding:#}");
        assert_eq!(finding["severity"], "Warning", "{finding:#}");
    }
    assert_eq!(outcome.alarming().len(), 2, "{:#?}", outcome.alarming());
    outcome.assert_balanced();
    taps.start_guest()?;
    let before = taps.taken()?;
    taps.send()?;
    assert!(taps.taken()? >= before + known);
    Ok(())
}

/// A guest sends to its TAP, which is down on the node.
pub fn guest_whose_tap_is_down(harness: &Harness) -> Result<()> {
    let stage = harness.node("tap-down")?;
    let guest = GuestWithoutTap::new(stage.node())?;
    let (made, outcome) = stage.watch(4, |_| guest.send())?;
    assert_eq!((made.refused, made.taken), (made.sent, 0), "{made:?}");
    let finding = only(&outcome, "DeviceDown", "tap0");
    assert_eq!(finding["count"], made.sent, "{finding:#}");
    follow_remedy(finding, stage.node());
    let made = guest.send()?;
    assert!(made.refused == 0 && made.taken >= made.sent, "{made:?}");
    undo_remedy(finding, stage.node());
    assert!(!guest.is_up()?);
    Ok(())
}

/// The node sends to a pod whose own end of the veth is down.
pub fn pod_whose_device_is_down(harness: &Harness) -> Result<()> {
    let stage = harness.node("pod-down")?;
    let pod = PodBehindVeth::new(stage.node())?;
    pod.cut()?;
    let ((sent, received), outcome) = stage.watch(4, |_| pod.send())?;
    assert_eq!(received, 0);
    let finding = only(&outcome, "NoCarrier", "veth-server");
    assert_eq!(finding["count"], sent, "{finding:#}");
    let summary = finding["summary"].as_str().unwrap_or_default();
    assert!(
        summary.contains("eth0 of pod shop/server is down"),
        "{finding:#}"
    );
    follow_remedy(finding, stage.node());
    let (sent, received) = pod.send()?;
    assert!(received >= sent, "{received} of {sent}");
    undo_remedy(finding, stage.node());
    assert!(!pod.is_up()?);
    Ok(())
}

/// A veth whose other end comes up after the first packets, as at each start of a pod.
pub fn packets_before_a_device_is_active(harness: &Harness) -> Result<()> {
    let stage = harness.node("early")?;
    let pod = PodBehindVeth::new(stage.node())?;
    let ((early, sent, received), outcome) = stage.watch(4, |_| {
        let early = pod.send_too_early()?;
        let (sent, received) = pod.send()?;
        Ok((early, sent, received))
    })?;
    assert!(
        early > 0 && received >= sent,
        "{early}, {received} of {sent}"
    );
    if !outcome.has_no_reasons() {
        let finding = outcome.finding("Queueing", "NotYetActive", "veth-late");
        assert_eq!(finding["severity"], "Info", "{finding:#}");
    }
    assert_quiet(&outcome);
    Ok(())
}

/// A queue that holds few packets of a flow, of which it sends some in a second.
pub fn queue_that_is_full(harness: &Harness) -> Result<()> {
    let stage = harness.node("full-queue")?;
    let pod = PodBehindVeth::new(stage.node())?;
    pod.set_disciplines(&["root fq flow_limit 5 maxrate 200kbit"])?;
    let ((sent, received), outcome) = stage.watch(4, |_| pod.send_at_once(500))?;
    assert!(sent == 500 && received < 400, "{received} of {sent}");
    if outcome.has_no_reasons() {
        // Its count needs the function's own name.
        assert!(outcome.all().iter().all(|one| one["cause"] != "Shaped"));
        return Ok(());
    }
    outcome.assert_balanced();
    let finding = outcome.finding("Queueing", "QueueFull", "veth-server");
    assert_eq!(outcome.alarming(), [finding]);
    assert_eq!(finding["harm"], "Loss", "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["confidence"], "Certain", "{finding:#}");
    let number = |field: &str| finding[field].as_u64().unwrap();
    let (count, carried) = (number("count"), number("carried"));
    // The queue holds 5 when the sender ends; what it holds may get there after the receiver was asked.
    assert!(
        count <= sent - received && count + carried + 5 >= sent,
        "{received} received: {finding:#}"
    );
    Ok(())
}

/// A queue that drops early because its device is slow, so that senders slow down. Datagrams are lost by it.
pub fn queue_that_tells_senders_to_slow_down(harness: &Harness) -> Result<()> {
    let stage = harness.node("signals")?;
    let pod = PodBehindVeth::new(stage.node())?;
    pod.set_disciplines(&[
        "root handle 1: tbf rate 1mbit burst 5k limit 1000000",
        "parent 1:1 handle 10: fq_codel",
    ])?;
    let ((sent, received), outcome) = stage.watch(6, |_| pod.send_at_once(1500))?;
    assert!(sent == 1500 && received < sent, "{received} of {sent}");
    // Before, fq_codel drops without a reason, in a function of a module that the table of sites does not have.
    if !kernel_is_since(6, 14) {
        assert_quiet(&outcome);
        return Ok(());
    }
    outcome.assert_balanced();
    let finding = outcome.finding("Queueing", "CongestionSignal", "veth-server");
    assert_eq!(outcome.alarming(), [finding]);
    assert_eq!(finding["harm"], "Loss", "{finding:#}");
    assert_eq!(finding["culprit"], "Unknown", "{finding:#}");
    Ok(())
}

/// The only finding of Warning or worse: an outage that no change here is sure to end.
#[track_caller]
fn only<'a>(outcome: &'a Outcome, cause: &str, device: &str) -> &'a Value {
    outcome.assert_balanced();
    let finding = outcome.finding("Queueing", cause, device);
    assert_eq!(outcome.alarming(), [finding]);
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["severity"], "Warning", "{finding:#}");
    finding
}
