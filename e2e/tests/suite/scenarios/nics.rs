//! A NIC that filters by MAC address, as real ones do.

use anyhow::Result;
use netdiag_e2e::scenarios::ControlFrames;

use super::control_frames::{
    assert_bridge_is_the_cause, assert_chain, assert_dropped, lldp_on, promiscuity, rose, the_cause,
};
use super::{Harness, assert_harmless};

pub fn control_frames_that_the_nic_filters_are_not_seen(harness: &Harness) -> Result<()> {
    let stage = harness.node("nic")?;
    let nic = ControlFrames::on_nic(stage.node())?;
    let bursts = [("lldp", 20), ("cdp", 20), ("eapol", 20)];
    let (made, outcome) = stage.watch(5, |_| nic.send(&bursts, &["eth1"]))?;
    assert_eq!(made, [rose("eth1", 0, 0)]);
    let findings = outcome.all();
    assert!(findings.is_empty(), "{findings:#?}");
    assert_harmless(&outcome);
    Ok(())
}

/// A bridge that hands LLDP on moves the drop from its port to itself.
pub fn lldp_on_a_bridge_that_forwards_it(harness: &Harness) -> Result<()> {
    let stage = harness.node("bridged-nic")?;
    let nic = ControlFrames::on_bridged_nic(stage.node(), "group_fwd_mask 0x4000", "")?;
    let (made, outcome) = stage.watch(5, |_| nic.send(&[("lldp", 20)], &["br0", "eth1"]))?;
    assert_eq!(made, [rose("br0", 20, 0), rose("eth1", 0, 0)]);
    let lldp = lldp_on("br0", "leaf-7", 20, &outcome);
    let bridge = assert_bridge_is_the_cause(lldp, &outcome);
    assert_chain(bridge, "eth1 <- br0");
    assert_dropped("br0", &[("LLDP", 20)], &outcome);
    assert_harmless(&outcome);
    Ok(())
}

/// One port needs no promiscuity, whether it learns and floods or not, yet the bridge still asks for every multicast
/// frame.
pub fn lldp_on_the_only_port_of_a_vlan_filtering_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("vlan-filtering")?;
    let options = "learning off flood off";
    let nic = ControlFrames::on_bridged_nic(stage.node(), "vlan_filtering 1", options)?;
    let (made, outcome) = stage.watch(5, |_| nic.send(&[("lldp", 20)], &["eth1"]))?;
    assert_eq!(made, [rose("eth1", 20, 0)]);
    let lldp = lldp_on("eth1", "leaf-7", 20, &outcome);
    let multicast = the_cause(lldp, &outcome);
    assert_eq!(multicast["cause"], "AllMulticast");
    assert_chain(multicast, "eth1 <- br0");
    let all = promiscuity(&outcome);
    assert_eq!(all, [("AllMulticast", "eth1", "Info")]);
    assert_dropped("eth1", &[("LLDP", 20)], &outcome);
    assert_harmless(&outcome);
    Ok(())
}
