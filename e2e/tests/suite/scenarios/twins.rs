//! Healthy look-alikes: first the stimulus is proved, and that the agent saw it; then silence is asked for.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use netdiag_e2e::scenarios::{BusyNode, HealthyPods};
use serde_json::Value;

use super::{Harness, assert_harmless};
use crate::outcome::Outcome;

/// A pod that does nothing.
pub fn idle_node(harness: &Harness) -> Result<()> {
    let stage = harness.node("idle")?;
    let _pod = stage
        .node()
        .start_pod("idle", "10.76.0.1/24", "veth-idle")?;
    let ((), outcome) = stage.watch(4, |_| {
        thread::sleep(Duration::from_secs(2));
        Ok(())
    })?;
    assert_harmless(&outcome);
    Ok(())
}

/// Pods that talk with offloaded checksums.
pub fn healthy_pods_with_offload(harness: &Harness) -> Result<()> {
    let stage = harness.node("healthy-pods")?;
    let pods = HealthyPods::new(stage.node())?;
    let ((sent, received), outcome) = stage.watch(6, |_| pods.talk())?;
    assert!(
        sent > 10_000_000 && received > 100,
        "{sent} bytes, {received} packets"
    );
    healthy_pods(&outcome);
    outcome.assert_affected(0);
    Ok(())
}

/// A capture on `veth-server`: named with its process, harmless.
pub fn capture_beside_healthy_pods(harness: &Harness) -> Result<()> {
    let stage = harness.node("capture")?;
    let mut pods = HealthyPods::new(stage.node())?;
    let pid = pods.start_capture()?;
    let ((sent, _), outcome) = stage.watch(5, |_| pods.talk())?;
    assert!(sent > 10_000_000, "{sent} bytes");
    let of_socket = |finding: &&Value| finding["cause"] == "PacketSocket";
    let finding = outcome.all().iter().find(of_socket);
    let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
    assert_eq!(finding["severity"], "Info");
    assert_eq!(finding["subject"]["interface"], "veth-server");
    let process = format!("netdiag-lab (pid {pid})");
    assert_eq!(finding["subject"]["process"], process);
    assert_harmless(&outcome);
    Ok(())
}

/// Pods that resolve names and send over both IP versions while others come and go. Numbers of namespaces are given
/// again at once, so a drop must not be told of the wrong one.
pub fn busy_node_whose_pods_come_and_go(harness: &Harness) -> Result<()> {
    let stage = harness.node("busy")?;
    let busy = BusyNode::new(stage.node())?;
    let (work, outcome) = stage.watch(10, |_| busy.work())?;
    assert_eq!(work.answered, work.asked, "{work:?}");
    assert!(
        work.asked > 100 && work.sent > 200_000 && work.sent_by_v6 > 200_000,
        "{work:?}"
    );
    healthy_pods(&outcome);
    outcome.assert_affected(0);
    Ok(())
}

/// Pods that talked through `cni0` as they should.
#[track_caller]
fn healthy_pods(outcome: &Outcome) {
    let bridge = outcome.finding("Promiscuity", "BridgePort", "cni0");
    assert!(
        bridge.to_string().contains("veth-server"),
        "the agent saw the pods: {bridge:#}"
    );
    let checksum = |finding: &&Value| finding["check"] == "ChecksumDrop";
    assert_eq!(outcome.all().iter().find(checksum), None);
    assert_harmless(outcome);
}
