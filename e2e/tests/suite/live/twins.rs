//! Healthy look-alikes: first the stimulus is proved, and that the agent saw it; then silence is asked for.

use netdiag_e2e::scenarios::{BusyNode, HealthyPods};

use super::diagnosed::Diagnosed;
use crate::expected;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn offloaded_checksums_between_healthy_pods_are_no_finding() {
    let diagnosed = Diagnosed::node("healthy-pods");
    let pods = HealthyPods::new(&diagnosed.node).unwrap();
    let ((sent, received), outcome) = diagnosed.diagnose(6, || pods.talk(3).unwrap());
    assert!(
        sent > 10_000_000 && received > 1_000,
        "{sent} bytes, {received} packets"
    );
    expected::healthy_pods(&outcome);
    assert_eq!(outcome.diagnosis["status"]["nodes"]["affected"], 0);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_capture_is_named_and_harmless() {
    let diagnosed = Diagnosed::node("capture");
    let mut pods = HealthyPods::new(&diagnosed.node).unwrap();
    let pid = pods.start_capture().unwrap();
    let ((sent, _), outcome) = diagnosed.diagnose(5, || pods.talk(2).unwrap());
    assert!(sent > 10_000_000, "{sent} bytes");
    expected::capture(pid, &outcome);
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_busy_node_whose_pods_come_and_go_is_healthy() {
    let diagnosed = Diagnosed::node("busy");
    let busy = BusyNode::new(&diagnosed.node).unwrap();
    let (work, outcome) = diagnosed.diagnose(10, || busy.work().unwrap());
    expected::busy_node(&work, &outcome);
    assert_eq!(outcome.diagnosis["status"]["nodes"]["affected"], 0);
}
