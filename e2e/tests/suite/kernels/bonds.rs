//! Bonds under a bridge: promiscuity goes down to the ports, LLDP dies on the bond.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{Increase, SegmentAnnouncements};

use super::watched::watch;
use crate::expected;
use crate::outcome::Outcome;

const DEVICES: [&str; 3] = ["bond0", "eth1", "eth2"];

#[test]
#[ignore = "needs a guest"]
fn lldp_on_an_active_backup_bond_under_a_bridge() {
    let node = Node::new("active-backup").unwrap();
    let bond = SegmentAnnouncements::on_bridged_bond(&node, "active-backup", "").unwrap();
    let (made, outcome) = watch(&node, 8, || bond.announce(20, &DEVICES).unwrap());
    // The standby is not promiscuous, so its filter keeps the frames out.
    assert_eq!(
        made,
        [drops("bond0", 20), drops("eth1", 0), drops("eth2", 0)]
    );
    let finding = expected::lldp_on("bond0", "leaf-7", 20, &outcome);
    expected::assert_bridge_is_the_cause(finding, &outcome);
    outcome.assert_explained("", "bond0", "rx_dropped", 20);
    assert_chain(&outcome, &["eth1"]);
    expected::assert_harmless(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lldp_on_an_802_3ad_bond_under_a_bridge() {
    let node = Node::new("lacp").unwrap();
    let bond = SegmentAnnouncements::on_bridged_bond(&node, "802.3ad", "").unwrap();
    let (made, outcome) = watch(&node, 8, || bond.announce(20, &DEVICES).unwrap());
    // Without a partner one port stays out of the aggregate. What it drops the kernel adds to the bond's counter too.
    let [bond, ports @ ..] = &made[..] else {
        panic!("{made:?}")
    };
    let of_ports: u64 = ports.iter().map(|port| port.dropped).sum();
    assert_eq!(bond.dropped, 20 + of_ports, "{made:?}");
    let finding = expected::lldp_on("bond0", "leaf-7", 20, &outcome);
    expected::assert_bridge_is_the_cause(finding, &outcome);
    assert_chain(&outcome, &["eth1", "eth2"]);
    for device in made.iter().filter(|device| device.dropped > 0) {
        outcome.assert_explained("", device.device, "rx_dropped", device.dropped);
    }
    expected::assert_harmless(&outcome);
}

#[test]
#[ignore = "needs a guest"]
fn lldp_on_a_bond_under_a_vlan_filtering_bridge() {
    let node = Node::new("filtering-bond").unwrap();
    let bond =
        SegmentAnnouncements::on_bridged_bond(&node, "active-backup", "vlan_filtering 1").unwrap();
    let (made, outcome) = watch(&node, 8, || bond.announce(20, &DEVICES).unwrap());
    assert_eq!(made[0].dropped, 20 + made[1].dropped + made[2].dropped);
    expected::lldp_on("bond0", "leaf-7", 20, &outcome);
    expected::assert_harmless(&outcome);
}

/// The finding of `br0`'s promiscuity tells the bond and these ports.
#[track_caller]
fn assert_chain(outcome: &Outcome, ports: &[&str]) {
    let bridge = outcome
        .all()
        .iter()
        .find(|finding| finding["check"] == "Promiscuity" && finding["cause"] == "BridgePort");
    let bridge = bridge.unwrap_or_else(|| panic!("{:#}", outcome.result));
    let text = bridge.to_string();
    for device in ["bond0"].iter().chain(ports) {
        assert!(text.contains(device), "{device} is not in {bridge:#}");
    }
}

fn drops(device: &'static str, dropped: u64) -> Increase {
    Increase {
        device,
        dropped,
        no_handler: 0,
    }
}
