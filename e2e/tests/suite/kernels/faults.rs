//! The faults of the live suite, on other kernels.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{BridgedNics, UnequalMtu};

use super::watched::watch;
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn lldp_on_macvlan_nics_under_a_bridge() {
    let node = Node::new("bridged-nics").unwrap();
    let nics = BridgedNics::new(&node).unwrap();
    nics.build_bridge().unwrap();
    let (made, outcome) = watch(&node, 8, || nics.announce(20).unwrap());
    expected::lldp_on_bridged_nics(&made, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn veth_with_a_smaller_end() {
    let node = Node::new("unequal-mtu").unwrap();
    let scenario = UnequalMtu::new(&node).unwrap();
    let (made, outcome) = watch(&node, 8, || scenario.send_large(50).unwrap());
    expected::unequal_mtu(made, &outcome);
}
