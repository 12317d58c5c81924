//! Every reason for which a device becomes promiscuous.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::PromiscuousDevices;

use super::watched::watch;
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn devices_promiscuous_for_every_reason() {
    let node = Node::new("promiscuous").unwrap();
    let mut devices = PromiscuousDevices::new(&node).unwrap();
    devices.add_modular().unwrap();
    let (counted, outcome) = watch(&node, 3, || devices.promiscuity().unwrap());
    let count = |name: &str| counted.iter().find(|(device, _)| device == name);
    for (device, users) in [
        ("port0", 1),
        ("dp0", 1),
        ("dummy0", 1),
        ("bond1", 2),
        ("bond1.100", 1),
    ] {
        assert_eq!(count(device).map(|found| found.1), Some(users), "{device}");
    }
    expected::promiscuous_devices(&counted, devices.captures_on_nic(), &outcome);
    let all = expected::promiscuity(&outcome);
    for found in [
        ("OpenVSwitchPort", "port0", "Info"),
        ("OpenVSwitchPort", "dp0", "Info"),
        ("UnicastFilter", "dummy0", "Info"),
        ("UserRequest", "bond1", "Info"),
        ("PacketSocket", "bond1.100", "Info"),
    ] {
        assert!(all.contains(&found), "{found:?} is not in {all:?}");
    }
    // What lies below follows: it is no finding of its own.
    assert_eq!(all.len(), 10, "{all:?}");
    expected::remedies_end_promiscuity(&node, &devices, &outcome);
}
