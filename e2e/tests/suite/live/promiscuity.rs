//! Promiscuity and what it lets in, on the running kernel.

use netdiag_e2e::scenarios::{self, ControlFrames, PromiscuousDevices};

use super::diagnosed::Diagnosed;
use crate::expected::{self, rose};

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn devices_are_promiscuous_for_every_reason() {
    let diagnosed = Diagnosed::node("promiscuous");
    let devices = PromiscuousDevices::new(&diagnosed.node).unwrap();
    let (counted, outcome) =
        diagnosed.diagnose(3, || scenarios::promiscuity(&diagnosed.node).unwrap());
    expected::promiscuous_devices(&counted, devices.captures_on_nic(), &outcome);
    let all = expected::promiscuity(&outcome);
    assert_eq!(all.len(), 5, "{all:?}");
    expected::remedies_end_promiscuity(&diagnosed.node, &outcome);
}

/// Frames for the link itself die on the port, those for a group or for everybody on the bridge.
#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn control_frames_are_told_by_protocol_and_a_listener_ends_them() {
    let diagnosed = Diagnosed::node("control-frames");
    let nic = ControlFrames::on_bridged_macvlan(&diagnosed.node).unwrap();
    let devices = ["nic0", "br0"];
    let (made, outcome) = diagnosed.diagnose(5, || {
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
        let made = nic.send(&bursts, &devices).unwrap();
        let _daemon = nic.listen("nic0", "88cc").unwrap();
        let received = nic.send(&[("lldp", 20)], &devices).unwrap();
        assert_eq!(received, [rose("nic0", 0, 0), rose("br0", 0, 0)]);
        made
    });
    assert_eq!(made, [rose("nic0", 45, 0), rose("br0", 19, 0)]);
    // So many findings leave no room for the details of each in a node's report.
    let lldp = expected::unhandled("LLDP", "nic0", 22, &outcome);
    let bridge = expected::assert_bridge_is_the_cause(lldp, &outcome);
    expected::assert_chain(bridge, "nic0 <- br0");
    let on_port = [
        ("LLDP", 22),
        ("LACP", 11),
        ("EAPOL", 9),
        ("Ethernet OAM", 3),
    ];
    expected::assert_dropped("nic0", &on_port, &outcome);
    let on_bridge = [("PTP", 6), ("MPLS", 5), ("EtherType 0x8999", 8)];
    expected::assert_dropped("br0", &on_bridge, &outcome);
    for (protocol, frames) in [("PTP", 6), ("MPLS", 5)] {
        let finding = expected::unhandled(protocol, "br0", frames, &outcome);
        expected::assert_bridge_is_the_cause(finding, &outcome);
    }
    let unknown = expected::unhandled("EtherType 0x8999", "br0", 8, &outcome);
    expected::assert_no_cause(unknown);
    expected::assert_harmless(&outcome);
}
