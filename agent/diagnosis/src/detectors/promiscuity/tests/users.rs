//! Everyone else who wants a device promiscuous, and what is left over.

use super::*;

#[test]
fn an_open_vswitch_port_is_named() {
    let links = vec![
        nic(2, "eth0").slave_of(8, "openvswitch").promiscuous(1, 0),
        device(8, "ovs-system", Some("openvswitch")).promiscuous(1, 0),
    ];
    let found = check(
        &window(links),
        &[
            ("OpenVSwitchPort", "eth0", Severity::Info),
            ("OpenVSwitchPort", "ovs-system", Severity::Info),
        ],
    );
    assert!(found[0].text.headline.ends_with("eth0 <- ovs-system"));
}

/// The kernel makes what Open vSwitch makes for itself promiscuous too (`internal_dev_create`).
#[test]
fn internal_ports_of_open_vswitch_are_one_finding() {
    let internal = |ifindex, name| device(ifindex, name, Some("openvswitch")).promiscuous(1, 0);
    let veth = device(20, "veth1", Some("veth"));
    let found = check(
        &window(vec![
            internal(7, "br-int"),
            internal(8, "ovs-system"),
            veth.slave_of(8, "openvswitch").promiscuous(1, 0),
        ]),
        &[("OpenVSwitchPort", "ovs-system", Severity::Info)],
    );
    let ports = "3 ports of ovs-system are promiscuous";
    assert!(
        found[0].text.headline.starts_with(ports),
        "{}",
        found[0].text.headline
    );
    let found = check(
        &window(vec![internal(7, "dp0")]),
        &[("OpenVSwitchPort", "dp0", Severity::Info)],
    );
    let proof = &found[0].evidence[0].value;
    assert!(
        proof.starts_with("1 = 0 bridge + 0 user + 0 sockets + 1 Open vSwitch"),
        "{proof}"
    );
}

#[test]
fn a_capture_names_its_process_and_container() {
    let mut socket = capture(4, "tcpdump", MembershipKind::Promiscuous);
    socket.owner.pod = Some(Pod {
        namespace: "ops".to_owned(),
        name: "debug".to_owned(),
        uid: "u".to_owned(),
    });
    socket.owner.container = Some("shell".to_owned());
    let links = bonded("active-backup", (1, 0), [(1, 0), (0, 0)]);
    let found = check(
        &with_sockets(links, vec![socket]),
        &[("PacketSocket", "bond0", Severity::Info)],
    );
    assert_eq!(
        found[0].subject.process.as_deref(),
        Some("tcpdump (pid 4711)")
    );
    assert_eq!(found[0].subject.container.as_deref(), Some("shell"));
    assert_eq!(
        found[0].details,
        [
            (
                "Process",
                "tcpdump (pid 4711) of pod ops/debug, container shell".to_owned()
            ),
            ("Chain", "eth0 <- bond0".to_owned()),
        ]
    );
}

#[test]
fn several_captures_are_counted_in_words_that_agree() {
    let promiscuous = |pid| {
        let mut socket = capture(2, "tcpdump", MembershipKind::Promiscuous);
        socket.owner.pid = pid;
        socket
    };
    for (count, words) in [
        (1, "tcpdump (pid 1) captures on it"),
        (2, "tcpdump (pid 1) and 1 more process capture on it"),
        (3, "tcpdump (pid 1) and 2 more processes capture on it"),
    ] {
        let sockets = (1..=count).map(promiscuous).collect();
        let links = vec![nic(2, "eth0").promiscuous(count, 0)];
        let found = findings(&with_sockets(links, sockets));
        assert!(
            found[0].text.headline.ends_with(words),
            "{}",
            found[0].text.headline
        );
    }
}

#[test]
fn a_capture_without_promiscuous_mode_is_silent() {
    let mut socket = capture(2, "tcpdump", MembershipKind::Multicast);
    socket.memberships.clear();
    check(&with_sockets(vec![nic(2, "eth0")], vec![socket]), &[]);
}

#[test]
fn a_user_request_is_told_from_the_kernels() {
    let mut link = nic(2, "eth0").promiscuous(1, 0);
    link.requested_flags |= 0x100;
    let found = check(
        &window(vec![link]),
        &[("UserRequest", "eth0", Severity::Info)],
    );
    assert_eq!(
        found[0].remedies[0].command.as_deref(),
        Some("ip link set dev eth0 promisc off")
    );
    let change = found[0].remedies[0].change.as_ref().expect("a change");
    let undo = "ip link set dev eth0 promisc on";
    assert_eq!(change.undo.as_deref(), Some(undo));
}

#[test]
fn in_a_pod_the_command_enters_its_namespace() {
    let mut link = nic(2, "eth0").promiscuous(1, 0);
    link.requested_flags |= 0x100;
    link.netns = POD;
    let found = check(
        &window(vec![link]),
        &[("UserRequest", "eth0", Severity::Info)],
    );
    assert_eq!(found[0].subject.place().as_deref(), Some("pod default/web"));
    assert_eq!(
        found[0].remedies[0].command.as_deref(),
        Some(
            r#"nsenter --net="$(find -L /proc/77/ns/net -inum 2)" ip link set dev eth0 promisc off"#
        )
    );
}

fn passthru(no_promiscuity: bool) -> Link {
    let mut link = device(7, "macvtap0", Some("macvtap")).on(2);
    link.macvlan = Some(MacvlanSettings {
        mode: "passthru".to_owned(),
        no_promiscuity,
    });
    link
}

#[test]
fn passthru_raises_its_lower_device_unless_told_not_to() {
    let links = vec![nic(2, "eth0").promiscuous(1, 0), passthru(false)];
    let found = check(
        &window(links),
        &[("MacvlanPassthru", "eth0", Severity::Info)],
    );
    assert!(found[0].text.headline.ends_with("eth0 <- macvtap0"));
    check(&window(vec![nic(2, "eth0"), passthru(true)]), &[]);
}

#[test]
fn a_device_that_cannot_filter_addresses_is_explained() {
    let mut lower = device(2, "veth1", Some("veth")).promiscuous(1, 0);
    lower.unicast_promiscuous = Some(true);
    let upper = device(7, "macvlan0", Some("macvlan")).on(2);
    let found = check(
        &window(vec![lower, upper]),
        &[("UnicastFilter", "veth1", Severity::Info)],
    );
    assert!(found[0].text.what.contains("of macvlan0 were added"));
}

#[test]
fn several_causes_are_several_findings() {
    let mut link = nic(2, "eth0").slave_of(9, "bridge").promiscuous(3, 1);
    link.requested_flags |= 0x100;
    let socket = capture(2, "tcpdump", MembershipKind::Promiscuous);
    let found = check(
        &with_sockets(vec![link, bridge(9, false)], vec![socket]),
        &[
            ("PacketSocket", "eth0", Severity::Info),
            ("UserRequest", "eth0", Severity::Info),
            ("BridgePort", "eth0", Severity::Info),
        ],
    );
    let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "Promiscuity/PacketSocket/eth0/tcpdump (pid 4711)",
            "Promiscuity/UserRequest/eth0",
            "Promiscuity/BridgePort/eth0"
        ]
    );
}

#[test]
fn what_nobody_accounts_for_is_likely_so_and_no_loss() {
    let found = check(
        &window(vec![nic(2, "eth0").promiscuous(2, 0)]),
        &[("Unexplained", "eth0", Severity::Info)],
    );
    assert_eq!(found[0].confidence, Confidence::Likely);
    assert_eq!(found[0].assessment.harm, Harm::None);
    assert_eq!(
        found[0].evidence[0].value,
        "2 = 0 bridge + 0 user + 0 sockets + 2 unexplained; allmulti 0"
    );
}

#[test]
fn a_change_in_the_kernel_log_is_a_doubt() {
    for (text, confidence) in [
        ("eth0: left promiscuous mode", Confidence::Possible),
        ("device eth0 entered promiscuous mode", Confidence::Possible),
        ("eth01: entered promiscuous mode", Confidence::Likely),
    ] {
        let mut window = window(vec![nic(2, "eth0").promiscuous(1, 0)]);
        window.kernel_log = complete(vec![crate::evidence::KernelLogLine {
            at_ms: 5,
            level: 6,
            text: text.to_owned(),
        }]);
        let found = check(&window, &[("Unexplained", "eth0", Severity::Info)]);
        assert_eq!(found[0].confidence, confidence, "{text}");
    }
}

/// Without the whole evidence, or while things change, what is left over alarms nobody.
#[test]
fn a_doubt_makes_the_unexplained_info() {
    let promiscuous = || nic(2, "eth0").promiscuous(1, 0);
    let expected = [("Unexplained", "eth0", Severity::Info)];

    let mut blind = window(vec![promiscuous()]);
    blind.packet_sockets = unavailable("bpf(BPF_PROG_LOAD) gave EPERM");
    let found = check(&blind, &expected);
    assert_eq!(found[0].confidence, Confidence::Possible);
    let unchecked = Promiscuity
        .diagnose(&Window::of(&blind), &Outcome::default())
        .unchecked;
    assert!(unchecked[0].is_made() && unchecked[0].reason.contains("EPERM"));

    let mut unknown_filter = promiscuous();
    unknown_filter.unicast_promiscuous = None;
    check(&window(vec![unknown_filter]), &expected);

    let mut just_now = promiscuous();
    just_now.promiscuity_before = Some(0);
    check(&window(vec![just_now]), &expected);

    let mut elsewhere = device(7, "macvlan0", Some("macvlan"));
    elsewhere.netns = POD;
    elsewhere.peer = Some(Peer {
        ifindex: 2,
        netns: None,
    });
    check(&window(vec![promiscuous(), elsewhere]), &expected);

    let switch_port = device(7, "lan1", Some("dsa")).on(2);
    check(&window(vec![promiscuous(), switch_port]), &expected);
}

/// The device below it, in a namespace without a name here, has the same number there.
#[test]
fn a_device_is_no_doubt_about_itself() {
    let mut link = device(2, "eth0", Some("macvlan")).promiscuous(1, 0);
    link.peer = Some(Peer {
        ifindex: 2,
        netns: None,
    });
    let found = check(
        &window(vec![link]),
        &[("Unexplained", "eth0", Severity::Info)],
    );
    assert_eq!(found[0].confidence, Confidence::Likely);
}

#[test]
fn missing_links_are_said_and_nothing_else() {
    let empty = EvidenceWindow::default();
    let outcome = Promiscuity.diagnose(&Window::of(&empty), &Outcome::default());
    assert!(outcome.findings.is_empty());
    assert_eq!(outcome.unchecked.len(), 1);
    assert!(!outcome.unchecked[0].is_made());
}

#[test]
fn a_hostile_name_gets_no_command() {
    let mut link = nic(2, "eth0;reboot").promiscuous(1, 0);
    link.requested_flags |= 0x100;
    let found = check(
        &window(vec![link]),
        &[("UserRequest", "eth0;reboot", Severity::Info)],
    );
    assert_eq!(found[0].remedies[0].command, None);
}

#[test]
fn links_that_point_at_each_other_are_survived() {
    let first = device(2, "a", Some("macvlan")).on(3).promiscuous(1, 1);
    let second = device(3, "b", Some("macvlan")).on(2).promiscuous(1, 1);
    let own_master = device(4, "c", Some("bond"))
        .slave_of(4, "bond")
        .promiscuous(1, 1);
    findings(&window(vec![first, second, own_master]));
}

#[test]
fn a_veth_below_a_macvlan_is_explained_where_its_filter_could_not_be_read() {
    let mut lower = device(2, "veth1", Some("veth")).promiscuous(1, 0);
    lower.unicast_promiscuous = None;
    let upper = device(7, "macvlan0", Some("macvlan")).on(2);
    let found = check(
        &window(vec![lower.clone(), upper]),
        &[("UnicastFilter", "veth1", Severity::Info)],
    );
    assert_eq!(found[0].confidence, Confidence::Likely);
    check(
        &window(vec![lower]),
        &[("Unexplained", "veth1", Severity::Info)],
    );
}
