//! Tables of link states as they were measured on kernels 5.10, 6.1 and 6.12 (bonds, Open vSwitch, teams, NICs with a
//! filter), and their healthy twins.

use super::*;
use crate::{
    evidence::{
        BondSettings, BridgePort, BridgeSettings, MacvlanSettings, Membership, MembershipKind,
        Namespace, NetnsId, Observed, Owner, PacketSocket, Peer, Pod,
    },
    finding::{Confidence, Severity},
};

const NODE: NetnsId = NetnsId(1);
const POD: NetnsId = NetnsId(2);

/// IFF_UP and others, as netlink shows a device that a person did not make promiscuous.
const UP: u32 = 0x1003;

fn device(ifindex: u32, name: &str, kind: Option<&str>) -> Link {
    Link {
        netns: NODE,
        ifindex,
        name: name.to_owned(),
        kind: kind.map(str::to_owned),
        requested_flags: UP,
        allmulti: Some(0),
        promiscuity_before: Some(0),
        unicast_promiscuous: Some(false),
        ..Link::default()
    }
}

impl Link {
    fn promiscuous(mut self, promiscuity: u32, allmulti: u32) -> Self {
        self.promiscuity = promiscuity;
        self.promiscuity_before = Some(promiscuity);
        self.allmulti = Some(allmulti);
        self
    }

    fn slave_of(mut self, master: u32, kind: &str) -> Self {
        self.master = Some(master);
        self.slave_kind = Some(kind.to_owned());
        if kind == "bridge" {
            self.bridge_port = Some(BridgePort {
                learning: true,
                unicast_flood: true,
                state: 3,
            });
        }
        self
    }

    fn on(mut self, lower: u32) -> Self {
        self.peer = Some(Peer {
            ifindex: lower,
            netns: Some(NODE),
        });
        self
    }
}

fn nic(ifindex: u32, name: &str) -> Link {
    device(ifindex, name, None)
}

fn bridge(ifindex: u32, vlan_filtering: bool) -> Link {
    let mut link = device(ifindex, "br0", Some("bridge"));
    link.bridge = Some(BridgeSettings {
        vlan_filtering,
        ..BridgeSettings::default()
    });
    link
}

fn bond(mode: &str) -> Link {
    let mut link = device(4, "bond0", Some("bond"));
    link.bond = Some(BondSettings {
        mode: mode.to_owned(),
        active_slave: (mode == "active-backup").then_some(2),
    });
    link
}

fn window(links: Vec<Link>) -> EvidenceWindow {
    EvidenceWindow {
        duration_ms: 35_000,
        namespaces: vec![
            Namespace {
                id: NODE,
                is_node: true,
                ..Namespace::default()
            },
            Namespace {
                id: POD,
                pid: Some(77),
                pod: Some(Pod {
                    namespace: "default".to_owned(),
                    name: "web".to_owned(),
                    uid: "u".to_owned(),
                }),
                ..Namespace::default()
            },
        ],
        links: Observed::Complete { value: links },
        packet_sockets: Observed::Complete { value: Vec::new() },
        ..EvidenceWindow::default()
    }
}

fn capture(ifindex: u32, comm: &str, kind: MembershipKind) -> PacketSocket {
    PacketSocket {
        netns: NODE,
        owner: Owner {
            pid: 4711,
            comm: comm.to_owned(),
            ..Owner::default()
        },
        ethertype: 3,
        ifindex,
        memberships: vec![Membership {
            ifindex,
            kind,
            count: 1,
        }],
    }
}

fn with_sockets(links: Vec<Link>, sockets: Vec<PacketSocket>) -> EvidenceWindow {
    EvidenceWindow {
        packet_sockets: Observed::Complete { value: sockets },
        ..window(links)
    }
}

fn findings(window: &EvidenceWindow) -> Vec<Finding> {
    Promiscuity.diagnose(window, &Outcome::default()).findings
}

/// (cause, interface, severity) of every finding, in order.
fn check(window: &EvidenceWindow, expected: &[(&str, &str, Severity)]) -> Vec<Finding> {
    let found = findings(window);
    let short: Vec<(&str, &str, Severity)> = found
        .iter()
        .map(|finding| {
            let interface = finding.subject.interface.as_deref().unwrap_or("");
            (finding.cause.as_ref(), interface, finding.severity)
        })
        .collect();
    assert_eq!(short, expected);
    for finding in &found {
        assert!(
            finding.summary.chars().count() <= 100,
            "{}",
            finding.summary
        );
        assert!(!finding.evidence.is_empty() && !finding.impact.is_empty());
    }
    found
}

fn bonded(mode: &str, bond_users: (u32, u32), slaves: [(u32, u32); 2]) -> Vec<Link> {
    let [first, second] = slaves;
    vec![
        nic(2, "eth0")
            .slave_of(4, "bond")
            .promiscuous(first.0, first.1),
        nic(3, "eth1")
            .slave_of(4, "bond")
            .promiscuous(second.0, second.1),
        bond(mode).promiscuous(bond_users.0, bond_users.1),
    ]
}

fn under_bridge(mut links: Vec<Link>, vlan_filtering: bool) -> Vec<Link> {
    let top = links.pop().expect("a device");
    links.push(top.slave_of(9, "bridge"));
    links.push(bridge(9, vlan_filtering));
    links
}

#[test]
fn a_bond_that_nobody_wants_promiscuous_is_silent() {
    check(&window(bonded("802.3ad", (0, 0), [(0, 0); 2])), &[]);
}

#[test]
fn a_bridged_bond_is_reported_once_at_its_top() {
    let links = under_bridge(bonded("802.3ad", (1, 1), [(1, 1); 2]), false);
    let found = check(&window(links), &[("BridgePort", "bond0", Severity::Info)]);
    assert_eq!(
        found[0].summary,
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
    assert!(found[0].summary.ends_with("eth0 <- bond0 <- br0"));
}

#[test]
fn promiscuity_of_a_waiting_slave_is_not_inherited() {
    let links = under_bridge(bonded("active-backup", (1, 1), [(1, 1), (1, 1)]), false);
    check(
        &window(links),
        &[
            ("Unexplained", "eth1", Severity::Warning),
            ("BridgePort", "bond0", Severity::Info),
        ],
    );
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
    assert!(found[0].summary.ends_with("eth0, eth1 <- bond0 <- br0"));
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
            .summary
            .ends_with("eth0, eth1 <- bond0 <- bond0.100 <- br0"),
        "{}",
        found[0].summary
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
        found[0].summary,
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

#[test]
fn an_open_vswitch_port_is_named() {
    let links = vec![
        nic(2, "eth0").slave_of(8, "openvswitch").promiscuous(1, 0),
        device(8, "ovs-system", Some("openvswitch")),
    ];
    let found = check(
        &window(links),
        &[("OpenVSwitchPort", "eth0", Severity::Info)],
    );
    assert!(found[0].summary.ends_with("eth0 <- ovs-system"));
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
        [(
            "Process",
            "tcpdump (pid 4711) in container shell of pod ops/debug".to_owned()
        )]
    );
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
        Some("nsenter --target 77 --net ip link set dev eth0 promisc off")
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
    assert!(found[0].summary.ends_with("eth0 <- macvtap0"));
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
    assert!(found[0].explanation.contains("of macvlan0 were added"));
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
fn what_nobody_accounts_for_is_a_warning() {
    let found = check(
        &window(vec![nic(2, "eth0").promiscuous(2, 0)]),
        &[("Unexplained", "eth0", Severity::Warning)],
    );
    assert_eq!(
        found[0].evidence[0].value,
        "2 = 0 bridge + 0 user + 0 sockets + 2 unexplained; allmulti 0"
    );
}

/// Without the whole evidence, or while things change, what is left over alarms nobody.
#[test]
fn a_doubt_makes_the_unexplained_info() {
    let promiscuous = || nic(2, "eth0").promiscuous(1, 0);
    let expected = [("Unexplained", "eth0", Severity::Info)];

    let mut blind = window(vec![promiscuous()]);
    blind.packet_sockets = Observed::Unavailable {
        reason: "bpf(BPF_PROG_LOAD) gave EPERM".to_owned(),
    };
    let found = check(&blind, &expected);
    assert_eq!(found[0].confidence, Confidence::Possible);
    let unchecked = Promiscuity.diagnose(&blind, &Outcome::default()).unchecked;
    assert!(unchecked[0].partly && unchecked[0].reason.contains("EPERM"));

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

#[test]
fn missing_links_are_said_and_nothing_else() {
    let outcome = Promiscuity.diagnose(&EvidenceWindow::default(), &Outcome::default());
    assert!(outcome.findings.is_empty());
    assert_eq!(outcome.unchecked.len(), 1);
    assert!(!outcome.unchecked[0].partly);
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
