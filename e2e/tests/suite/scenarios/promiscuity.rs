//! Every reason for which a device becomes promiscuous, and what that lets in.

use std::collections::BTreeMap;

use anyhow::Result;
use netdiag_e2e::lab::Node;
use netdiag_e2e::scenarios::{self, ControlFrames, HiddenListener, PromiscuousDevices};

use super::control_frames::{
    assert_bridge_is_the_cause, assert_chain, assert_dropped, assert_no_cause, follow_remedy,
    promiscuity, rose, unhandled,
};
use super::{Harness, assert_harmless};
use crate::outcome::Outcome;

/// Reasons that every kernel has.
pub fn devices_promiscuous_for_common_reasons(harness: &Harness) -> Result<()> {
    let stage = harness.node("promiscuous")?;
    let devices = PromiscuousDevices::new(stage.node())?;
    let (counted, outcome) = stage.watch(3, |_| scenarios::promiscuity(stage.node()))?;
    promiscuous_devices(&counted, devices.captures_on_nic(), &outcome);
    let all = promiscuity(&outcome);
    assert_eq!(all.len(), 5, "{all:?}");
    remedies_end_promiscuity(stage.node(), &outcome)
}

/// These, and what takes modules of the kernel.
pub fn devices_promiscuous_for_every_reason(harness: &Harness) -> Result<()> {
    let stage = harness.node("promiscuous")?;
    let mut devices = PromiscuousDevices::new(stage.node())?;
    devices.add_modular()?;
    let (counted, outcome) = stage.watch(3, |_| scenarios::promiscuity(stage.node()))?;
    for (device, users) in [
        ("port0", 1),
        ("dp0", 1),
        ("dummy0", 1),
        ("bond1", 2),
        ("bond1.100", 1),
    ] {
        assert_eq!(counted.get(device), Some(&users), "{device}");
    }
    promiscuous_devices(&counted, devices.captures_on_nic(), &outcome);
    let all = promiscuity(&outcome);
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
    remedies_end_promiscuity(stage.node(), &outcome)
}

/// A socket that no process has open.
pub fn promiscuity_that_nothing_accounts_for(harness: &Harness) -> Result<()> {
    let stage = harness.node("hidden")?;
    let _listener = HiddenListener::new(stage.node())?;
    let (counted, outcome) = stage.watch(3, |_| scenarios::promiscuity(stage.node()))?;
    assert_eq!(counted.get("nic0"), Some(&1));
    let all = promiscuity(&outcome);
    assert_eq!(all, [("Unexplained", "nic0", "Info")]);
    let finding = outcome.finding("Promiscuity", "Unexplained", "nic0");
    let sum = "1 = 0 bridge + 0 user + 0 sockets + 1 unexplained";
    assert!(finding.to_string().contains(sum), "{finding:#}");
    assert_eq!(finding["confidence"], "Likely");
    assert_harmless(&outcome);
    Ok(())
}

/// Frames for the link itself die on the port, those for a group or for everybody on the bridge; a listener ends them.
pub fn control_frames_of_many_protocols_and_a_listener(harness: &Harness) -> Result<()> {
    let stage = harness.node("control-frames")?;
    let nic = ControlFrames::on_bridged_macvlan(stage.node())?;
    let devices = ["nic0", "br0"];
    let (made, outcome) = stage.watch(6, |_| {
        let bursts = [
            ("lldp --vlan 200", 2),
            ("lldp", 20),
            ("lacp", 11),
            ("oam", 3),
            ("eapol", 9),
            ("ptp", 6),
            ("mpls", 5),
            ("other --ethertype 8999", 8),
        ];
        let made = nic.send(&bursts, &devices)?;
        let _daemon = nic.listen("nic0", "88cc")?;
        let received = nic.send(&[("lldp", 20)], &devices)?;
        assert_eq!(received, [rose("nic0", 0, 0), rose("br0", 0, 0)]);
        Ok(made)
    })?;
    assert_eq!(made, [rose("nic0", 45, 0), rose("br0", 19, 0)]);
    // So many findings leave no room for the details of each in a node's report.
    let lldp = unhandled("LLDP", "nic0", 22, &outcome);
    let bridge = assert_bridge_is_the_cause(lldp, &outcome);
    assert_chain(bridge, "nic0 <- br0");
    let on_port = [
        ("LLDP", 22),
        ("LACP", 11),
        ("EAPOL", 9),
        ("Ethernet OAM", 3),
    ];
    assert_dropped("nic0", &on_port, &outcome);
    let on_bridge = [("PTP", 6), ("MPLS", 5), ("EtherType 0x8999", 8)];
    assert_dropped("br0", &on_bridge, &outcome);
    for (protocol, frames) in [("PTP", 6), ("MPLS", 5)] {
        let finding = unhandled(protocol, "br0", frames, &outcome);
        assert_bridge_is_the_cause(finding, &outcome);
    }
    let unknown = unhandled("EtherType 0x8999", "br0", 8, &outcome);
    assert_no_cause(unknown);
    assert_harmless(&outcome);
    Ok(())
}

/// Devices that are promiscuous for the reasons that every kernel has, and the kernel's count of each.
#[track_caller]
fn promiscuous_devices(counted: &BTreeMap<String, u64>, captures: [u32; 2], outcome: &Outcome) {
    for (device, users) in [("nic0", 4), ("lower0", 1), ("shared0", 1)] {
        assert_eq!(counted.get(device), Some(&users), "{device}");
    }
    assert_eq!(counted.get("quiet0"), None);
    let all = promiscuity(outcome);
    for found in [
        ("BridgePort", "nic0", "Info"),
        ("MacvlanPassthru", "lower0", "Info"),
        ("PacketSocket", "nic0", "Info"),
        ("UnicastFilter", "shared0", "Info"),
        ("UserRequest", "nic0", "Info"),
    ] {
        assert!(all.contains(&found), "{found:?} is not in {all:?}");
    }
    let sockets = outcome.finding("Promiscuity", "PacketSocket", "nic0");
    let text = sockets.to_string();
    for pid in captures {
        let process = format!("netdiag-lab (pid {pid})");
        assert!(text.contains(&process), "{process} is not in {sockets:#}");
    }
    let sum = "4 = 1 bridge + 1 user + 2 sockets";
    assert!(text.contains(sum), "{sockets:#}");
    assert_harmless(outcome);
}

/// The remedies of the finding are done: one user less on `nic0`. A passthru device has no command that could be
/// undone.
#[track_caller]
fn remedies_end_promiscuity(node: &Node, outcome: &Outcome) -> Result<()> {
    follow_remedy(outcome.finding("Promiscuity", "UserRequest", "nic0"), node);
    let counted = scenarios::promiscuity(node)?;
    assert_eq!(counted.get("nic0"), Some(&3));
    let passthru = outcome.finding("Promiscuity", "MacvlanPassthru", "lower0");
    let mut remedies = passthru["remedies"].as_array().into_iter().flatten();
    assert!(
        remedies.all(|remedy| remedy["command"].is_null()),
        "{passthru:#}"
    );
    Ok(())
}
