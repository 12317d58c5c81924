//! Each fault is found, with its cause, subject and numbers.

use netdiag_e2e::scenarios::{BridgedNics, UnequalMtu};

use super::diagnosed::Diagnosed;
use crate::expected;

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn lldp_is_blamed_on_the_bridge_only_where_the_nic_filters() {
    let diagnosed = Diagnosed::node("bridged-nics");
    let nics = BridgedNics::new(&diagnosed.node).unwrap();
    nics.build_bridge().unwrap();
    let (made, outcome) = diagnosed.diagnose(5, || nics.announce(20).unwrap());
    expected::lldp_on_bridged_nics(&made, &outcome);
    assert_eq!(outcome.diagnosis["status"]["summary"]["severity"], "Info");
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn the_smaller_end_of_a_veth_is_found_with_both_counters() {
    let diagnosed = Diagnosed::node("unequal-mtu");
    let scenario = UnequalMtu::new(&diagnosed.node).unwrap();
    let (counted, outcome) = diagnosed.diagnose(5, || scenario.send_large(50).unwrap());
    expected::unequal_mtu(counted, &outcome);
}
