//! The harm of frames, and the findings that let them in.

use super::*;

#[test]
fn lldp_on_a_bridged_bond_names_its_senders_and_its_cause() {
    let frames = [lldp_frame("leaf-3a"), lldp_frame("leaf-3b")];
    let window = window(
        bridged_bond("802.3ad"),
        vec![dropped(4, 0x88cc, 2, &frames)],
    );
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(
        finding.id.as_str(),
        "UnhandledProtocol/NoReceiver/bond0/LLDP"
    );
    assert_eq!(
        finding.text.headline,
        "LLDP from leaf-3a and leaf-3b is dropped on bond0, harmless: no program listens for it"
    );
    assert_eq!(finding.neighbours, ["leaf-3a", "leaf-3b"]);
    assert_eq!(
        finding.details[0].1,
        "leaf-3a  port Ethernet17  chassis 2c:dd:e9:01:3a:10  TTL 120 s"
    );
    assert_eq!(
        proofs(finding),
        [
            (
                "UNHANDLED_PROTO at __netif_receive_skb_core, dev bond0, 0x88CC",
                "20"
            ),
            (
                "bond0 rx_dropped +20, of it inherited from eth0 and eth1",
                "0"
            ),
            (
                "handlers for 0x88CC or every protocol on bond0, eth0, eth1",
                "0"
            ),
        ]
    );
    assert_eq!(causes(&outcome), ["Promiscuity/BridgePort/bond0"]);
    assert_eq!(outcome.claims.len(), 1);
    assert_eq!(outcome.claims[0].verdict, Verdict::Benign);
    assert_eq!(outcome.claims[0].protocol.as_deref(), Some("LLDP"));
}

#[test]
fn a_veth_never_filters_so_its_bridge_is_no_cause() {
    let veth = slave_of(promiscuous(device(2, "veth1", Some("veth"))), 9, "bridge");
    let frames = [lldp_frame("leaf-3a")];
    let window = window(vec![veth, bridge()], vec![dropped(2, 0x88cc, 2, &frames)]);
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings.len(), 2);
    assert!(causes(&outcome).is_empty());
}

#[test]
fn a_macvlan_port_filters_so_its_bridge_is_the_cause() {
    let mut port = slave_of(promiscuous(device(2, "nic0", Some("macvlan"))), 9, "bridge");
    port.macvlan = Some(MacvlanSettings::default());
    port.peer = Some(Peer {
        ifindex: 40,
        netns: Some(NetnsId(8)),
    });
    let frames = [lldp_frame("leaf-3a")];
    let window = window(vec![port, bridge()], vec![dropped(2, 0x88cc, 2, &frames)]);
    assert_eq!(causes(&diagnose(&window)), ["Promiscuity/BridgePort/nic0"]);
}

#[test]
fn all_multicast_is_cause_enough() {
    let mut port = slave_of(device(2, "eth0", None), 9, "bridge");
    port.allmulti = Some(1);
    let mut filtering = bridge();
    filtering.bridge = Some(BridgeSettings {
        vlan_filtering: true,
        ..BridgeSettings::default()
    });
    let frames = [lldp_frame("leaf-3a")];
    let window = window(vec![port, filtering], vec![dropped(2, 0x88cc, 2, &frames)]);
    assert_eq!(
        causes(&diagnose(&window)),
        ["Promiscuity/AllMulticast/eth0"]
    );
}

#[test]
fn broadcast_and_joined_groups_need_no_open_filter() {
    let check = |ethertype: u16, destination: [u8; 6], mode: &str| {
        let frame = frame(destination, &[&ethertype.to_be_bytes()[..], &[3]].concat());
        let window = window(bridged_bond(mode), vec![dropped(4, ethertype, 2, &[frame])]);
        causes(&diagnose(&window)).len()
    };
    assert_eq!(check(0x8899, BROADCAST, "active-backup"), 0);
    assert_eq!(check(0x1234, [0x33, 0x33, 0, 0, 0, 1], "active-backup"), 0);
    assert_eq!(
        check(0x88f7, [0x01, 0x1b, 0x19, 0, 0, 0], "active-backup"),
        1
    );
    // IPv4 has the lower half of the range, label-switched packets the upper one (RFC 5332).
    assert_eq!(check(0x1234, [1, 0, 0x5e, 0x7f, 0, 1], "active-backup"), 0);
    assert_eq!(check(0x8847, [1, 0, 0x5e, 0x80, 0, 1], "active-backup"), 1);
    let slow = [0x01, 0x80, 0xc2, 0, 0, 2];
    assert_eq!(check(0x8809, slow, "active-backup"), 1);
    assert_eq!(
        check(0x8809, slow, "802.3ad"),
        0,
        "the bond itself listens to the group"
    );
}

#[test]
fn frames_for_this_node_are_a_warning() {
    let frame = frame(OWN, &[0x88, 0xb5, 1, 2]);
    let window = window(
        vec![device(2, "eth0", None)],
        vec![dropped(2, 0x88b5, 0, &[frame])],
    );
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Warning);
    // 1 of 20 was looked at; the others may be for somebody else.
    assert_eq!(finding.confidence, Confidence::Likely);
    assert_eq!(finding.assessment.harm, Harm::Loss);
    assert!(finding.text.hurts.contains("1 of 1 sampled"));
    assert!(finding.text.hurts.contains("20 of 20 frames (100 %)"));
    assert_eq!(outcome.claims[0].verdict, Verdict::Harmful);
    assert!(causes(&outcome).is_empty());
}

#[test]
fn stray_frames_for_this_node_are_judged_by_their_share() {
    let check = |count, rx_packets, severity| {
        let mut nic = device(2, "eth0", None);
        nic.stats.rx_packets = rx_packets;
        let stray = Dropped {
            count,
            ..dropped(2, 0x88b5, 0, &[frame(OWN, &[0x88, 0xb5, 1, 2])])
        };
        let outcome = diagnose(&window(vec![nic], vec![stray]));
        let finding = only(&outcome);
        assert_eq!(finding.severity(), severity, "{count} of {rx_packets}");
        assert_eq!(finding.assessment.packets, Some(count));
    };
    check(1, 1, Severity::Info);
    check(2, 2, Severity::Info);
    check(3, 10, Severity::Warning);
    check(3, 100_000, Severity::Info);
    check(40, 1_000, Severity::Critical);
}

#[test]
fn the_code_that_dropped_a_frame_is_no_receiver_of_it() {
    let mut drop = dropped(
        2,
        0x0004,
        2,
        &[frame([1, 0, 0x0c, 0xcc, 0xcc, 0xcc], &[0, 8, 0xaa])],
    );
    (drop.reason, drop.location) = ("NOT_SPECIFIED", "snap_rcv");
    let mut window = window(vec![device(2, "eth0", None)], vec![drop]);
    window.namespaces[0].protocol_handlers = Some(vec![ProtocolHandler {
        ethertype: Some(0x0004),
        device: None,
        function: "llc_rcv".to_owned(),
    }]);
    let outcome = diagnose(&window);
    assert!(
        !only(&outcome)
            .text
            .what
            .contains("A receiver is registered")
    );
}

#[test]
fn frames_to_a_bonds_slave_are_for_this_node() {
    let mut links = bridged_bond("802.3ad");
    links[1].address = Some("02:00:00:00:00:22".to_owned());
    let frame = frame([2, 0, 0, 0, 0, 0x22], &[0x88, 0xb5, 1, 2]);
    let outcome = diagnose(&window(links, vec![dropped(4, 0x88b5, 3, &[frame])]));
    assert_eq!(only(&outcome).severity(), Severity::Warning);
}

#[test]
fn frames_for_another_host_are_harmless_and_let_in_by_promiscuity() {
    let frame = frame([2, 0, 0, 0, 0, 0x99], &[0x88, 0x47, 1, 2]);
    let outcome = diagnose(&window(
        bridged_bond("802.3ad"),
        vec![dropped(4, 0x8847, 3, &[frame])],
    ));
    assert_eq!(only(&outcome).severity(), Severity::Info);
    assert_eq!(causes(&outcome), ["Promiscuity/BridgePort/bond0"]);
}

#[test]
fn a_wake_up_call_to_this_node_is_harmless() {
    let frame = frame(OWN, &[0x08, 0x42, 0xff, 0xff]);
    let window = window(
        vec![device(2, "eth0", None)],
        vec![dropped(2, 0x0842, 0, &[frame])],
    );
    let outcome = diagnose(&window);
    assert_eq!(only(&outcome).severity(), Severity::Info);
    assert_eq!(outcome.claims[0].verdict, Verdict::Benign);
}

#[test]
fn without_a_sample_only_group_protocols_are_called_harmless() {
    let check = |ethertype, harm, verdict| {
        let window = window(
            vec![device(2, "eth0", None)],
            vec![dropped(2, ethertype, 0, &[])],
        );
        let outcome = diagnose(&window);
        let finding = only(&outcome);
        assert_eq!(finding.severity(), Severity::Info);
        assert_eq!(finding.assessment.harm, harm);
        assert_eq!(outcome.claims[0].verdict, verdict);
        let is_harmless = harm == Harm::None;
        assert_eq!(finding.text.headline.contains("harmless"), is_harmless);
        assert_eq!(finding.text.hurts.starts_with("Nobody"), is_harmless);
    };
    check(0x88cc, Harm::None, Verdict::Benign);
    check(0xfafa, Harm::Unknown, Verdict::Unknown);
}

#[test]
fn the_cause_is_the_nics_own_finding_and_not_the_one_about_its_bridges_pods() {
    let mut links = vec![slave_of(promiscuous(device(2, "eth0", None)), 9, "bridge")];
    for pod in 0..3 {
        let veth = promiscuous(device(20 + pod, &format!("veth{pod}"), Some("veth")));
        links.push(slave_of(veth, 9, "bridge"));
    }
    links.push(bridge());
    let frames = [lldp_frame("leaf-3a")];
    let window = window(links, vec![dropped(2, 0x88cc, 2, &frames)]);
    assert_eq!(causes(&diagnose(&window)), ["Promiscuity/BridgePort/eth0"]);
}

#[test]
fn what_a_macvlan_port_lets_in_is_told_of_itself_and_not_of_the_veth_below() {
    let mut lower = promiscuous(device(40, "w1", Some("veth")));
    lower.netns = NetnsId(8);
    let mut port = slave_of(promiscuous(device(2, "nic0", Some("macvlan"))), 9, "bridge");
    port.peer = Some(Peer {
        ifindex: 40,
        netns: Some(NetnsId(8)),
    });
    let frames = [lldp_frame("leaf-3a")];
    let window = window(
        vec![lower, port, bridge()],
        vec![dropped(2, 0x88cc, 2, &frames)],
    );
    let outcome = diagnose(&window);
    let cause = outcome
        .finding(&only(&outcome).caused_by[0])
        .expect("the cause is reported");
    assert_eq!(
        cause.text.headline,
        "nic0 is promiscuous because br0 enslaved it: nic0 <- br0"
    );
    assert_eq!(
        cause.consequence,
        "br0 makes nic0 take frames that it would filter out."
    );
}
