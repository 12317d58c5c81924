//! A NIC that filters by MAC address, as real ones do.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::ControlFrames;

use super::watched::watch;
use crate::expected::{self, rose};

#[test]
#[ignore = "needs a guest"]
fn control_frames_that_the_nic_filters_are_not_seen() {
    let node = Node::new("nic").unwrap();
    let nic = ControlFrames::on_nic(&node).unwrap();
    let bursts = [("lldp", 20), ("cdp", 20), ("eapol", 20)];
    let (made, outcome) = watch(&node, 5, || nic.send(&bursts, &["eth1"]).unwrap());
    assert_eq!(made, [rose("eth1", 0, 0)]);
    let findings = outcome.all();
    assert!(findings.is_empty(), "{findings:#?}");
    expected::assert_harmless(&outcome);
}

/// A bridge that hands LLDP on moves the drop from its port to itself.
#[test]
#[ignore = "needs a guest"]
fn lldp_on_a_bridge_that_forwards_it() {
    let node = Node::new("bridged-nic").unwrap();
    let nic = ControlFrames::on_bridged_nic(&node, "group_fwd_mask 0x4000", "").unwrap();
    let (made, outcome) = watch(&node, 5, || {
        nic.send(&[("lldp", 20)], &["br0", "eth1"]).unwrap()
    });
    assert_eq!(made, [rose("br0", 20, 0), rose("eth1", 0, 0)]);
    let lldp = expected::lldp_on("br0", "leaf-7", 20, &outcome);
    let bridge = expected::assert_bridge_is_the_cause(lldp, &outcome);
    expected::assert_chain(bridge, "eth1 <- br0");
    expected::assert_dropped("br0", &[("LLDP", 20)], &outcome);
    expected::assert_harmless(&outcome);
}

/// One port needs no promiscuity, whether it learns and floods or not, yet the bridge still asks for every multicast
/// frame.
#[test]
#[ignore = "needs a guest"]
fn lldp_on_the_only_port_of_a_vlan_filtering_bridge() {
    let node = Node::new("vlan-filtering").unwrap();
    let options = "learning off flood off";
    let nic = ControlFrames::on_bridged_nic(&node, "vlan_filtering 1", options).unwrap();
    let (made, outcome) = watch(&node, 5, || nic.send(&[("lldp", 20)], &["eth1"]).unwrap());
    assert_eq!(made, [rose("eth1", 20, 0)]);
    let lldp = expected::lldp_on("eth1", "leaf-7", 20, &outcome);
    let multicast = expected::the_cause(lldp, &outcome);
    assert_eq!(multicast["cause"], "AllMulticast");
    expected::assert_chain(multicast, "eth1 <- br0");
    let all = expected::promiscuity(&outcome);
    assert_eq!(all, [("AllMulticast", "eth1", "Info")]);
    expected::assert_dropped("eth1", &[("LLDP", 20)], &outcome);
    expected::assert_harmless(&outcome);
}
