//! A NIC that filters by MAC address, as real ones do.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{Increase, SegmentAnnouncements};

use super::watched::watch;
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn lldp_that_the_nic_filters_is_not_seen() {
    let node = Node::new("nic").unwrap();
    let nic = SegmentAnnouncements::on_nic(&node).unwrap();
    let (made, outcome) = watch(&node, 5, || nic.announce(20, &["eth1"]).unwrap());
    assert_eq!(made, [dropped("eth1", 0)]);
    let findings = outcome.all();
    assert!(findings.is_empty(), "{findings:#?}");
    expected::assert_harmless(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lldp_on_a_nic_under_a_bridge() {
    let node = Node::new("bridged-nic").unwrap();
    let nic = SegmentAnnouncements::on_bridged_nic(&node, "").unwrap();
    let (made, outcome) = watch(&node, 5, || nic.announce(20, &["eth1"]).unwrap());
    assert_eq!(made, [dropped("eth1", 20)]);
    let finding = expected::lldp_on("eth1", "leaf-7", 20, &outcome);
    expected::assert_bridge_is_the_cause(finding, &outcome);
    outcome.assert_explained("", "eth1", "rx_dropped", 20);
    expected::assert_harmless(&outcome);
}

/// One port that learns and floods needs no promiscuity, yet the bridge still asks for every multicast frame.
#[test]
#[ignore = "needs a guest"]
fn lldp_on_the_only_port_of_a_vlan_filtering_bridge() {
    let node = Node::new("vlan-filtering").unwrap();
    let nic = SegmentAnnouncements::on_bridged_nic(&node, "vlan_filtering 1").unwrap();
    let (made, outcome) = watch(&node, 5, || nic.announce(20, &["eth1"]).unwrap());
    assert_eq!(made, [dropped("eth1", 20)]);
    expected::lldp_on("eth1", "leaf-7", 20, &outcome);
    let promiscuous = outcome.all().iter().find(|finding| {
        finding["cause"] == "BridgePort" && finding.to_string().contains("are promiscuous")
    });
    assert_eq!(promiscuous, None);
    outcome.assert_explained("", "eth1", "rx_dropped", 20);
    expected::assert_harmless(&outcome);
}

fn dropped(device: &'static str, dropped: u64) -> Increase {
    Increase {
        device,
        dropped,
        no_handler: 0,
    }
}
