//! Healthy look-alikes on other kernels.

use std::thread;
use std::time::Duration;

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{BusyNode, HealthyPods};

use super::watched::watch;
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn idle_node() {
    let node = Node::new("idle").unwrap();
    let _pod = node.start_pod("idle", "10.76.0.1/24", "veth-idle").unwrap();
    let ((), outcome) = watch(&node, 4, || thread::sleep(Duration::from_secs(2)));
    expected::assert_harmless(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn healthy_pods_with_offload() {
    let node = Node::new("healthy-pods").unwrap();
    let pods = HealthyPods::new(&node).unwrap();
    let ((sent, received), outcome) = watch(&node, 3, || pods.talk(3).unwrap());
    assert!(
        sent > 1_000_000 && received > 100,
        "{sent} bytes, {received} packets"
    );
    expected::healthy_pods(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn capture_beside_healthy_pods() {
    let node = Node::new("capture").unwrap();
    let mut pods = HealthyPods::new(&node).unwrap();
    let pid = pods.start_capture().unwrap();
    let ((sent, _), outcome) = watch(&node, 3, || pods.talk(2).unwrap());
    assert!(sent > 1_000_000, "{sent} bytes");
    expected::capture(pid, &outcome);
}

/// Numbers of namespaces are given again at once, so a drop must not be told of the wrong one.
#[test]
#[ignore = "needs a guest"]
fn busy_node_whose_pods_come_and_go() {
    let node = Node::new("busy").unwrap();
    let busy = BusyNode::new(&node).unwrap();
    let (work, outcome) = watch(&node, 3, || busy.work().unwrap());
    expected::busy_node(&work, &outcome);
}
