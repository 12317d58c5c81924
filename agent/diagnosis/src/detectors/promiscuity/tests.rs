//! Tables of link states as they were measured on kernels 5.10, 6.1 and 6.12 (bonds, Open vSwitch, teams, NICs with a
//! filter), and their healthy twins.

mod ports;
mod users;

use super::*;
use crate::{
    evidence::{
        BondSettings, BridgePort, BridgeSettings, EvidenceWindow, MacvlanSettings, Membership,
        MembershipKind, PacketSocket, Peer, Pod,
    },
    finding::{Confidence, Harm, Severity},
    testing::{
        self, NODE, POD, complete, owner, packet_socket, pod_namespace, unavailable,
        unpromiscuous as device,
    },
};

impl Link {
    fn promiscuous(mut self, promiscuity: u32, allmulti: u32) -> Self {
        self.promiscuity = promiscuity;
        self.promiscuity_before = Some(promiscuity);
        self.allmulti = Some(allmulti);
        self
    }

    fn slave_of(mut self, master: u32, kind: &str) -> Self {
        self.master = Some(master);
        self.slave_kind = Some(kind.into());
        if kind == "bridge" {
            self.bridge_port = Some(BridgePort {
                learning: true,
                unicast_flood: true,
                state: 3,
                ..BridgePort::default()
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
    let mut window = testing::window(links, Vec::new());
    window.namespaces[1] = pod_namespace(POD, 77, "default", "web");
    window.drops = unavailable("not read");
    window.packet_sockets = complete(Vec::new());
    window
}

fn capture(ifindex: u32, comm: &str, kind: MembershipKind) -> PacketSocket {
    PacketSocket {
        memberships: vec![Membership {
            ifindex,
            kind,
            count: 1,
        }],
        ..packet_socket(owner(4711, comm), ifindex)
    }
}

fn with_sockets(links: Vec<Link>, sockets: Vec<PacketSocket>) -> EvidenceWindow {
    EvidenceWindow {
        packet_sockets: complete(sockets),
        ..window(links)
    }
}

fn findings(window: &EvidenceWindow) -> Vec<Finding> {
    Promiscuity
        .diagnose(&Window::of(window), &Outcome::default())
        .findings
}

/// (cause, interface, severity) of every finding, in order.
fn check(window: &EvidenceWindow, expected: &[(&str, &str, Severity)]) -> Vec<Finding> {
    let found = findings(window);
    let short: Vec<(&str, &str, Severity)> = found
        .iter()
        .map(|finding| {
            let interface = finding.subject.interface.as_deref().unwrap_or("");
            (finding.cause.name(), interface, finding.severity())
        })
        .collect();
    assert_eq!(short, expected);
    for finding in &found {
        assert!(
            finding.text.headline.chars().count() <= 105,
            "{}",
            finding.text.headline
        );
        assert!(!finding.evidence.is_empty() && !finding.text.hurts.is_empty());
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
