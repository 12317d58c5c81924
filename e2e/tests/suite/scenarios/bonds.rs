//! Bonds and teams, under a bridge and by themselves: promiscuity goes down to the ports, control frames die on the bond.

use anyhow::Result;
use netdiag_e2e::scenarios::ControlFrames;

use super::control_frames::{
    assert_bridge_is_the_cause, assert_chain, assert_dropped, assert_no_cause, follow_remedy,
    lldp_on, promiscuity, rose, the_cause, unhandled,
};
use super::{Harness, assert_harmless};

/// The bond takes frames for the link itself, the bridge on it those for a group or for everybody.
pub fn control_frames_on_an_active_backup_bond_under_a_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("active-backup")?;
    let bond = ControlFrames::on_bridged_bond(stage.node(), "active-backup", "")?;
    let bursts = [
        ("lldp", 20),
        ("lacp", 11),
        ("oam", 3),
        ("eapol", 9),
        ("cdp", 7),
        ("ptp", 6),
        ("mpls", 5),
        ("other --ethertype 8999", 8),
    ];
    let devices = ["bond0", "br0", "eth1", "eth2"];
    let (made, outcome) = stage.watch(10, |_| bond.send(&bursts, &devices))?;
    // The standby is not promiscuous: its filter lets only broadcast in, which the bond then refuses.
    assert_eq!(
        made,
        [
            rose("bond0", 43, 8),
            rose("br0", 19, 0),
            rose("eth1", 0, 0),
            rose("eth2", 0, 8)
        ]
    );
    let lldp = lldp_on("bond0", "leaf-7", 20, &outcome);
    let bridge = assert_bridge_is_the_cause(lldp, &outcome);
    assert_chain(bridge, "eth1 <- bond0 <- br0");
    for (protocol, device, frames) in [
        ("LACP", "bond0", 11),
        ("Ethernet OAM", "bond0", 3),
        ("EAPOL", "bond0", 9),
        ("CDP", "br0", 7),
        ("PTP", "br0", 6),
        ("MPLS", "br0", 5),
    ] {
        let finding = unhandled(protocol, device, frames, &outcome);
        assert_bridge_is_the_cause(finding, &outcome);
    }
    let unknown = unhandled("EtherType 0x8999", "br0", 8, &outcome);
    assert_no_cause(unknown);
    let on_bond = [
        ("LLDP", 20),
        ("LACP", 11),
        ("EAPOL", 9),
        ("Ethernet OAM", 3),
    ];
    assert_dropped("bond0", &on_bond, &outcome);
    let on_bridge = [("PTP", 6), ("MPLS", 5), ("EtherType 0x8999", 8)];
    assert_dropped("br0", &on_bridge, &outcome);
    for device in ["eth2", "bond0"] {
        outcome.assert_explained("", device, "rx_nohandler", 8);
    }
    assert_harmless(&outcome);
    // The filters end LLDP's drops and OAM's, and no others.
    for protocol in [("LLDP", 20), ("Ethernet OAM", 3)] {
        let finding = unhandled(protocol.0, "bond0", protocol.1, &outcome);
        follow_remedy(finding, stage.node());
    }
    let bursts = [("lldp", 20), ("lacp", 11), ("oam", 3)];
    let made = bond.send(&bursts, &["bond0"])?;
    assert_eq!(made, [rose("bond0", 11, 0)]);
    Ok(())
}

pub fn control_frames_on_an_802_3ad_bond_under_a_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("lacp")?;
    let bond = ControlFrames::on_bridged_bond(stage.node(), "802.3ad", "")?;
    // The bond itself receives LACP, last here since it may bring a port in.
    let bursts = [("lldp", 20), ("oam", 6), ("lacp", 5)];
    let (made, outcome) = stage.watch(9, |_| bond.send(&bursts, &["bond0", "eth1", "eth2"]))?;
    // Without a partner one port stays out of the aggregate. What it drops the kernel adds to the bond's counter too.
    let waiting = made.iter().find(|port| port.dropped == 26).unwrap().device;
    let [bond, ports @ ..] = &made[..] else {
        panic!("{made:?}")
    };
    assert_eq!((bond.dropped, bond.no_handler), (52, 0), "{made:?}");
    assert_eq!(ports.iter().map(|port| port.dropped).sum::<u64>(), 26);
    for device in ["bond0", waiting] {
        let lldp = lldp_on(device, "leaf-7", 20, &outcome);
        let bridge = assert_bridge_is_the_cause(lldp, &outcome);
        assert_chain(bridge, "eth1, eth2 <- bond0 <- br0");
        // The bond joins the group of the slow protocols, so no filter keeps them out.
        let oam = unhandled("Ethernet OAM", device, 6, &outcome);
        assert_no_cause(oam);
    }
    let own = [("LLDP", 20), ("Ethernet OAM", 6)];
    assert_dropped(waiting, &own, &outcome);
    assert_dropped("bond0", &[own, own].concat(), &outcome);
    assert_harmless(&outcome);
    Ok(())
}

/// A bridge on VLAN 100 of a bond makes the ports below promiscuous, so that they take the frames of every VLAN.
pub fn tagged_lldp_on_a_bond_with_a_vlan_under_a_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("vlan")?;
    let bond = ControlFrames::on_bridged_vlan(stage.node())?;
    let bursts = [
        ("lldp --vlan 0", 3),
        ("lldp --vlan 100", 4),
        ("lldp --vlan 200", 5),
    ];
    let devices = ["bond0", "bond0.100", "br0", "eth1"];
    let (made, outcome) = stage.watch(8, |_| bond.send(&bursts, &devices))?;
    assert_eq!(
        made,
        [
            rose("bond0", 8, 0),
            rose("bond0.100", 4, 0),
            rose("br0", 0, 0),
            rose("eth1", 0, 0)
        ]
    );
    for (device, frames, tag) in [
        // The kernel has forgotten the number by then.
        ("bond0", 8, "a VLAN that has no device on bond0"),
        ("bond0.100", 4, "VLAN 100"),
    ] {
        let lldp = lldp_on(device, "leaf-7", frames, &outcome);
        assert!(lldp.to_string().contains(tag), "{lldp:#}");
        let bridge = assert_bridge_is_the_cause(lldp, &outcome);
        assert_chain(bridge, "eth1 <- bond0 <- bond0.100 <- br0");
        assert_dropped(device, &[("LLDP", frames)], &outcome);
    }
    assert_harmless(&outcome);
    Ok(())
}

pub fn lldp_on_a_bond_under_a_vlan_filtering_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("filtering-bond")?;
    let bond = ControlFrames::on_bridged_bond(stage.node(), "active-backup", "vlan_filtering 1")?;
    let (made, outcome) = stage.watch(8, |_| {
        bond.send(&[("lldp", 20)], &["bond0", "eth1", "eth2"])
    })?;
    assert_eq!(
        made,
        [rose("bond0", 20, 0), rose("eth1", 0, 0), rose("eth2", 0, 0)]
    );
    let lldp = lldp_on("bond0", "leaf-7", 20, &outcome);
    let multicast = the_cause(lldp, &outcome);
    assert_eq!(multicast["cause"], "AllMulticast");
    assert_chain(multicast, "eth1 <- bond0 <- br0");
    let all = promiscuity(&outcome);
    assert_eq!(all, [("AllMulticast", "bond0", "Info")]);
    assert_dropped("bond0", &[("LLDP", 20)], &outcome);
    assert_harmless(&outcome);
    Ok(())
}

/// No bridge, so nothing of the kernel receives 802.2; and LLDP has a daemon.
pub fn cdp_on_a_bond_alone_beside_lldp_with_a_listener(harness: &Harness) -> Result<()> {
    let stage = harness.node("cdp")?;
    let bond = ControlFrames::on_all_multicast_bond(stage.node())?;
    bond.unload_802_2()?;
    let _daemon = bond.listen("bond0", "88cc")?;
    let (made, outcome) = stage.watch(8, |_| {
        bond.send(&[("lldp", 20), ("cdp", 7)], &["bond0", "eth1", "eth2"])
    })?;
    assert_eq!(
        made,
        [rose("bond0", 7, 0), rose("eth1", 0, 0), rose("eth2", 0, 0)]
    );
    let cdp = unhandled("CDP", "bond0", 7, &outcome);
    assert!(cdp.to_string().contains("catalyst-1"), "{cdp:#}");
    let multicast = the_cause(cdp, &outcome);
    assert_eq!(multicast["cause"], "AllMulticast");
    assert_chain(multicast, "eth1 <- bond0");
    assert_dropped("bond0", &[("CDP", 7)], &outcome);
    assert_eq!(
        outcome.all().len(),
        2,
        "LLDP is received: {:#?}",
        outcome.all()
    );
    assert_harmless(&outcome);
    Ok(())
}

pub fn lldp_on_a_team_under_a_bridge(harness: &Harness) -> Result<()> {
    let stage = harness.node("team")?;
    let team = ControlFrames::on_bridged_team(stage.node())?;
    let (made, outcome) = stage.watch(8, |_| {
        team.send(&[("lldp", 20)], &["team0", "eth1", "eth2"])
    })?;
    assert_eq!(
        made,
        [
            rose("team0", 20, 20),
            rose("eth1", 0, 0),
            rose("eth2", 0, 20)
        ]
    );
    let lldp = lldp_on("team0", "leaf-7", 20, &outcome);
    let bridge = assert_bridge_is_the_cause(lldp, &outcome);
    assert_chain(bridge, "eth1, eth2 <- team0 <- br0");
    assert_dropped("team0", &[("LLDP", 20)], &outcome);
    for device in ["team0", "eth2"] {
        outcome.assert_explained("", device, "rx_nohandler", 20);
    }
    assert_harmless(&outcome);
    Ok(())
}
