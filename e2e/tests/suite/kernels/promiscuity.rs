//! Every reason for which a device becomes promiscuous.

use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{self, HiddenListener, PromiscuousDevices};

use super::watched::watch;
use crate::expected;

#[test]
#[ignore = "needs a guest"]
fn devices_promiscuous_for_every_reason() {
    let node = Node::new("promiscuous").unwrap();
    let mut devices = PromiscuousDevices::new(&node).unwrap();
    devices.add_modular().unwrap();
    let (counted, outcome) = watch(&node, 3, || scenarios::promiscuity(&node).unwrap());
    for (device, users) in [
        ("port0", 1),
        ("dp0", 1),
        ("dummy0", 1),
        ("bond1", 2),
        ("bond1.100", 1),
    ] {
        assert_eq!(counted.get(device), Some(&users), "{device}");
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
    expected::remedies_end_promiscuity(&node, &outcome);
}

#[test]
#[ignore = "needs a guest"]
fn promiscuity_that_nothing_accounts_for() {
    let node = Node::new("hidden").unwrap();
    let _listener = HiddenListener::new(&node).unwrap();
    let (counted, outcome) = watch(&node, 3, || scenarios::promiscuity(&node).unwrap());
    assert_eq!(counted.get("nic0"), Some(&1));
    let all = expected::promiscuity(&outcome);
    assert_eq!(all, [("Unexplained", "nic0", "Warning")]);
    let finding = outcome.finding("Promiscuity", "Unexplained", "nic0");
    let sum = "1 = 0 bridge + 0 user + 0 sockets + 1 unexplained";
    assert!(finding.to_string().contains(sum), "{finding:#}");
    assert_eq!(outcome.alarming().len(), 1, "{:#?}", outcome.alarming());
    outcome.assert_balanced();
}
