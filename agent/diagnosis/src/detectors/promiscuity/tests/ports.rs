//! Ports of bridges, and what passes promiscuity on.

use super::*;

#[test]
fn a_bond_that_nobody_wants_promiscuous_is_silent() {
    check(&window(bonded("802.3ad", (0, 0), [(0, 0); 2])), &[]);
}

#[test]
fn a_bridged_bond_is_reported_once_at_its_top() {
    let links = under_bridge(bonded("802.3ad", (1, 1), [(1, 1); 2]), false);
    let found = check(&window(links), &[("BridgePort", "bond0", Severity::Info)]);
    assert_eq!(
        found[0].text.headline,
        "eth0 and eth1 are promiscuous because br0 enslaved bond0: eth0, eth1 <- bond0 <- br0"
    );
    assert_eq!(found[0].confidence, Confidence::Certain);
    assert_eq!(
        found[0].evidence[0].value,
        "1 = 1 bridge + 0 user + 0 sockets; allmulti 1; vlan_filtering 0"
    );
}

#[test]
fn an_active_backup_bond_passes_it_to_the_active_slave_only() {
    let links = under_bridge(bonded("active-backup", (1, 1), [(1, 1), (0, 0)]), false);
    let found = check(&window(links), &[("BridgePort", "bond0", Severity::Info)]);
    assert!(found[0].text.headline.ends_with("eth0 <- bond0 <- br0"));
}

#[test]
fn promiscuity_of_a_waiting_slave_is_not_inherited() {
    let links = under_bridge(bonded("active-backup", (1, 1), [(1, 1), (1, 1)]), false);
    let found = check(
        &window(links),
        &[
            ("Unexplained", "eth1", Severity::Info),
            ("BridgePort", "bond0", Severity::Info),
        ],
    );
    assert_eq!(found[0].confidence, Confidence::Likely);
}

#[test]
fn a_team_is_like_a_bond() {
    let links = vec![
        nic(2, "eth0").slave_of(4, "team").promiscuous(1, 1),
        device(4, "team0", Some("team"))
            .slave_of(9, "bridge")
            .promiscuous(1, 1),
        bridge(9, false),
    ];
    check(&window(links), &[("BridgePort", "team0", Severity::Info)]);
}

#[test]
fn vlan_filtering_with_one_port_leaves_all_multicast() {
    let links = under_bridge(bonded("802.3ad", (0, 1), [(0, 1); 2]), true);
    let found = check(&window(links), &[("AllMulticast", "bond0", Severity::Info)]);
    assert!(
        found[0]
            .text
            .headline
            .ends_with("eth0, eth1 <- bond0 <- br0")
    );
}

#[test]
fn all_multicast_on_5_10_is_read_from_the_flags() {
    let mut port = nic(2, "eth0").slave_of(9, "bridge");
    port.allmulti = None;
    port.effective_flags = Some(0x1203);
    check(
        &window(vec![port, bridge(9, true)]),
        &[("AllMulticast", "eth0", Severity::Info)],
    );
}

#[test]
fn vlan_filtering_with_a_second_flooding_port_needs_promiscuity() {
    let mut links = under_bridge(vec![nic(2, "eth0").promiscuous(1, 1)], true);
    links.push(nic(3, "eth1").slave_of(9, "bridge").promiscuous(1, 1));
    let found = check(
        &window(links),
        &[
            ("BridgePort", "eth0", Severity::Info),
            ("BridgePort", "eth1", Severity::Info),
        ],
    );
    assert_eq!(found[0].confidence, Confidence::Certain);
}

#[test]
fn a_port_without_a_unicast_filter_stays_promiscuous_without_need() {
    let links = under_bridge(
        vec![device(2, "veth1", Some("veth")).promiscuous(1, 1)],
        true,
    );
    let found = check(&window(links), &[("BridgePort", "veth1", Severity::Info)]);
    assert_eq!(found[0].confidence, Confidence::Likely);
}

#[test]
fn a_vlan_passes_it_down_to_bond_and_slaves() {
    let mut links = bonded("802.3ad", (1, 1), [(1, 1); 2]);
    let vlan = device(5, "bond0.100", Some("vlan")).on(4);
    links.push(vlan.promiscuous(1, 1).slave_of(9, "bridge"));
    links.push(bridge(9, false));
    let found = check(
        &window(links),
        &[("BridgePort", "bond0.100", Severity::Info)],
    );
    assert!(
        found[0]
            .text
            .headline
            .ends_with("eth0, eth1 <- bond0 <- bond0.100 <- br0"),
        "{}",
        found[0].text.headline
    );
}

#[test]
fn a_hundred_pods_on_a_bridge_are_one_finding() {
    let mut links: Vec<Link> = (0..100)
        .map(|pod| {
            device(100 + pod, &format!("veth{pod}"), Some("veth"))
                .slave_of(9, "bridge")
                .promiscuous(1, 1)
        })
        .collect();
    links.push(bridge(9, false));
    let found = check(&window(links), &[("BridgePort", "br0", Severity::Info)]);
    assert_eq!(
        found[0].text.headline,
        "100 ports of br0 are promiscuous because it enslaved them: \
         veth0, veth1, veth2, veth3 and 96 more"
    );
}

#[test]
fn the_nic_of_a_bridge_is_told_apart_from_its_pods() {
    let mut links = vec![nic(2, "eth0").slave_of(9, "bridge").promiscuous(1, 1)];
    links.extend((0..3).map(|pod| {
        device(100 + pod, &format!("veth{pod}"), Some("veth"))
            .slave_of(9, "bridge")
            .promiscuous(1, 1)
    }));
    links.push(bridge(9, false));
    check(
        &window(links),
        &[
            ("BridgePort", "eth0", Severity::Info),
            ("BridgePort", "br0", Severity::Info),
        ],
    );
}
