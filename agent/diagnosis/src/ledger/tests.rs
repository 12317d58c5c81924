//! The ledger against counters and events that were measured together on real kernels.

use super::{LedgerEntry, balance};
use crate::{
    detectors::recorded,
    evidence::{
        BondSlave, DropCount, Drops, EvidenceWindow, Link, LinkStats, Namespace, NetnsId, Observed,
        PacketSample, Peer,
    },
    finding::{Claim, Finding, Severity, Subject, Verdict},
};

const NODE: NetnsId = NetnsId(4_026_531_840);
const POD: NetnsId = NetnsId(4_026_532_001);

/// A window of a node with one other namespace, `lab`.
fn window(links: Vec<Link>, counts: Vec<DropCount>) -> EvidenceWindow {
    EvidenceWindow {
        namespaces: vec![
            Namespace {
                id: NODE,
                is_node: true,
                ..Namespace::default()
            },
            Namespace {
                id: POD,
                name: Some("lab".to_owned()),
                ..Namespace::default()
            },
        ],
        links: Observed::Complete { value: links },
        drops: Observed::Complete {
            value: Drops {
                counts,
                has_reasons: true,
                has_locations: true,
                ..Drops::default()
            },
        },
        ..EvidenceWindow::default()
    }
}

/// A link whose counters stood at 1000 before the window and rose by `rose`.
fn link(netns: NetnsId, ifindex: u32, name: &str, rose: LinkStats) -> Link {
    const BEFORE: u64 = 1000;
    Link {
        netns,
        ifindex,
        name: name.to_owned(),
        stats_before: Some(LinkStats {
            rx_dropped: BEFORE,
            tx_dropped: BEFORE,
            rx_nohandler: BEFORE,
            ..LinkStats::default()
        }),
        stats: LinkStats {
            rx_dropped: BEFORE + rose.rx_dropped,
            tx_dropped: BEFORE + rose.tx_dropped,
            rx_nohandler: BEFORE + rose.rx_nohandler,
            ..LinkStats::default()
        },
        ..Link::default()
    }
}

fn rx(rx_dropped: u64) -> LinkStats {
    LinkStats {
        rx_dropped,
        ..LinkStats::default()
    }
}

fn tx(tx_dropped: u64) -> LinkStats {
    LinkStats {
        tx_dropped,
        ..LinkStats::default()
    }
}

fn nohandler(rx_nohandler: u64) -> LinkStats {
    LinkStats {
        rx_nohandler,
        ..LinkStats::default()
    }
}

fn drops(
    netns: NetnsId,
    ifindex: u32,
    ethertype: u16,
    reason: &str,
    location: &str,
    count: u64,
) -> DropCount {
    DropCount {
        netns: Some(netns),
        ifindex,
        ethertype,
        reason: reason.to_owned(),
        location: location.to_owned(),
        at_least: count,
        count,
        ..DropCount::default()
    }
}

fn unhandled(ifindex: u32, ethertype: u16, count: u64) -> DropCount {
    drops(
        NODE,
        ifindex,
        ethertype,
        "UNHANDLED_PROTO",
        "__netif_receive_skb_core",
        count,
    )
}

fn claim(drop: usize, protocol: &str) -> Claim {
    let finding = Finding::new(
        "UnhandledProtocol",
        "NoReceiver",
        Severity::Info,
        Subject::default().with_protocol(protocol),
    );
    Claim {
        drop,
        verdict: Verdict::Benign,
        protocol: Some(protocol.to_owned()),
        finding: finding.id,
    }
}

fn with_counter(mut window: EvidenceWindow, name: &str, increase: u64) -> EvidenceWindow {
    let namespace = &mut window.namespaces[0];
    namespace.counters_before.insert(name.to_owned(), 5);
    namespace.counters.insert(name.to_owned(), 5 + increase);
    window
}

/// An entry in short: whose, counter, increase, (reason, count) and unexplained.
fn short(entries: &[LedgerEntry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let booked: Vec<String> = entry
                .explained
                .iter()
                .map(|part| {
                    let protocol = part.protocol.as_deref().unwrap_or("-");
                    format!(
                        "{} {protocol} {:?} {}",
                        part.reason, part.verdict, part.count
                    )
                })
                .collect();
            format!(
                "{} {} +{} = [{}] + {}",
                entry.interface.as_deref().unwrap_or("-"),
                entry.counter,
                entry.increase,
                booked.join(", "),
                entry.unexplained
            )
        })
        .collect()
}

#[test]
fn bad_tcp_checksums_raise_their_namespace_and_no_device() {
    let dropped = [
        drops(NODE, 2, 0x0800, "TCP_CSUM", "tcp_v4_rcv", 30),
        drops(NODE, 2, 0x0800, "OTHERHOST", "ip_rcv_core", 10),
    ];
    let window = window(vec![link(NODE, 2, "b0", rx(0))], dropped.to_vec());
    let window = with_counter(window, "Tcp.InCsumErrors", 30);
    assert_eq!(
        short(&balance(&window, &[])),
        ["- Tcp.InCsumErrors +30 = [TCP_CSUM - Unknown 30] + 0"]
    );
}

#[test]
fn a_tcp_drop_for_another_reason_books_no_checksum_error() {
    let dropped = drops(NODE, 2, 0x0800, "NO_SOCKET", "tcp_v4_rcv", 30);
    let reasonless = drops(NODE, 2, 0x0800, "", "tcp_v4_rcv", 30);
    let window = window(vec![link(NODE, 2, "b0", rx(0))], vec![dropped, reasonless]);
    let window = with_counter(window, "Tcp.InCsumErrors", 3);
    assert_eq!(
        short(&balance(&window, &[])),
        ["- Tcp.InCsumErrors +3 = [] + 3"]
    );
}

#[test]
fn late_udp_verification_books_by_the_packets_ip_version() {
    let dropped = [
        drops(NODE, 0, 0x0800, "NOT_SPECIFIED", "udp_recvmsg", 50),
        drops(NODE, 0, 0x86dd, "UDP_CSUM", "udpv6_recvmsg", 40),
        drops(NODE, 0, 0x0800, "UDP_CSUM", "udpv6_recvmsg", 7),
        drops(NODE, 0, 0x86dd, "UDP_CSUM", "__first_packet_length", 3),
    ];
    let window = window(Vec::new(), dropped.to_vec());
    let window = with_counter(window, "Udp.InCsumErrors", 60);
    let window = with_counter(window, "Udp6.InCsumErrors", 40);
    assert_eq!(
        short(&balance(&window, &[])),
        [
            "- Udp.InCsumErrors +60 = [udp_recvmsg - Unknown 50, UDP_CSUM - Unknown 10] + 0",
            "- Udp6.InCsumErrors +40 = [UDP_CSUM - Unknown 40] + 0",
        ]
    );
}

#[test]
fn a_polled_ipv6_socket_counts_in_the_counter_of_ipv4() {
    // Recorded: 20 broken packets to a socket that is polled, 7 to one that is read, both IPv6.
    let window = recorded::window(include_str!("testdata/6.18_udp6_poll_and_recv.json"));
    assert_eq!(
        short(&balance(&window, &[])),
        [
            "- Udp.InCsumErrors +20 = [UDP_CSUM - Unknown 20] + 0",
            "- Udp6.InCsumErrors +7 = [UDP_CSUM - Unknown 7] + 0",
        ]
    );
}

#[test]
fn a_frame_too_long_for_a_veth_raises_both_ends() {
    let end = |netns, ifindex, name, rose, peer_netns, peer| Link {
        kind: Some("veth".to_owned()),
        peer: Some(Peer {
            ifindex: peer,
            netns: Some(peer_netns),
        }),
        ..link(netns, ifindex, name, rose)
    };
    let a0 = end(NODE, 7, "a0", tx(119), POD, 2);
    let b0 = end(POD, 2, "b0", rx(119), NODE, 7);
    let dropped = drops(NODE, 7, 0x0800, "NOT_SPECIFIED", "__dev_forward_skb2", 119);
    let window = window(vec![a0, b0], vec![dropped]);
    assert_eq!(
        short(&balance(&window, &[])),
        [
            "a0 tx_dropped +119 = [__dev_forward_skb2 - Unknown 119] + 0",
            "b0 rx_dropped +119 = [__dev_forward_skb2 - Unknown 119] + 0",
        ]
    );
}

#[test]
fn a_full_backlog_raises_the_receiver_and_the_veth_that_sent() {
    let end = |ifindex, name, rose, peer| Link {
        kind: Some("veth".to_owned()),
        peer: Some(Peer {
            ifindex: peer,
            netns: Some(NODE),
        }),
        ..link(NODE, ifindex, name, rose)
    };
    let links = vec![end(7, "a0", tx(12), 8), end(8, "b0", rx(12), 7)];
    let dropped = drops(NODE, 8, 0x0800, "CPU_BACKLOG", "enqueue_to_backlog", 12);
    assert_eq!(
        short(&balance(&window(links, vec![dropped]), &[])),
        [
            "a0 tx_dropped +12 = [CPU_BACKLOG - Unknown 12] + 0",
            "b0 rx_dropped +12 = [CPU_BACKLOG - Unknown 12] + 0",
        ]
    );
}

/// A slave of bond0 (ifindex 10).
fn slave(ifindex: u32, name: &str, active: bool, rose: LinkStats) -> Link {
    Link {
        master: Some(10),
        slave_kind: Some("bond".to_owned()),
        bond_slave: Some(BondSlave {
            active,
            mii_up: true,
        }),
        ..link(NODE, ifindex, name, rose)
    }
}

fn bond0(rose: LinkStats) -> Link {
    Link {
        kind: Some("bond".to_owned()),
        ..link(NODE, 10, "bond0", rose)
    }
}

#[test]
fn a_broadcast_on_an_active_backup_bond_is_split_by_device() {
    // 322 events: 161 on bond0 and 161 on the standby, which counts them as rx_nohandler; bond0 adds those to its own.
    let links = vec![
        bond0(LinkStats {
            rx_dropped: 161,
            rx_nohandler: 161,
            ..LinkStats::default()
        }),
        slave(2, "eth1", true, LinkStats::default()),
        slave(3, "eth2", false, nohandler(161)),
    ];
    let counts = vec![unhandled(10, 0x8899, 161), unhandled(3, 0x8899, 161)];
    let claims = [claim(0, "RRCP"), claim(1, "RRCP")];
    assert_eq!(
        short(&balance(&window(links, counts), &claims)),
        [
            "bond0 rx_dropped +161 = [UNHANDLED_PROTO RRCP Benign 161] + 0",
            "bond0 rx_nohandler +161 = [inherited from eth2 RRCP Benign 161] + 0",
            "eth2 rx_nohandler +161 = [UNHANDLED_PROTO RRCP Benign 161] + 0",
        ]
    );
}

#[test]
fn a_bonds_share_of_its_slaves_is_inherited() {
    // 802.3ad: LLDP on the inactive slave stays there (link-local), and is folded into bond0's counter.
    let links = vec![
        bond0(rx(40)),
        slave(2, "eth1", true, rx(0)),
        slave(3, "eth2", false, rx(20)),
    ];
    let counts = vec![unhandled(10, 0x88cc, 20), unhandled(3, 0x88cc, 20)];
    let claims = [claim(0, "LLDP"), claim(1, "LLDP")];
    assert_eq!(
        short(&balance(&window(links, counts), &claims)),
        [
            "bond0 rx_dropped +40 = [UNHANDLED_PROTO LLDP Benign 20, inherited from eth2 LLDP Benign 20] + 0",
            "eth2 rx_dropped +20 = [UNHANDLED_PROTO LLDP Benign 20] + 0",
        ]
    );
}

#[test]
fn what_a_slave_cannot_explain_is_unknown_in_its_bond() {
    let links = vec![bond0(rx(9)), slave(2, "eth1", true, rx(7))];
    assert_eq!(
        short(&balance(&window(links, Vec::new()), &[])),
        [
            "bond0 rx_dropped +9 = [inherited from eth1 - Unknown 7] + 2",
            "eth1 rx_dropped +7 = [] + 7",
        ]
    );
}

#[test]
fn the_destination_decides_between_the_counters_of_an_inactive_slave() {
    // 802.1X on an unusual EtherType is told by its group address, not by the number.
    let links = vec![slave(3, "eth2", false, rx(4))];
    let mut window = window(links, vec![unhandled(3, 0x8999, 4)]);
    let Observed::Complete { value } = &mut window.drops else {
        unreachable!("made above")
    };
    let mut bytes = vec![0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x89, 0x99];
    bytes.resize(60, 0);
    value.samples.push(PacketSample {
        has_link_header: true,
        bytes,
        ..PacketSample::default()
    });
    assert_eq!(
        short(&balance(&window, &[])),
        ["eth2 rx_dropped +4 = [UNHANDLED_PROTO - Unknown 4] + 0"]
    );
}

#[test]
fn a_team_counts_for_itself() {
    let port = Link {
        master: Some(10),
        slave_kind: Some("team".to_owned()),
        ..link(NODE, 3, "eth2", nohandler(5))
    };
    let team = Link {
        kind: Some("team".to_owned()),
        ..link(NODE, 10, "team0", nohandler(5))
    };
    let counts = vec![unhandled(3, 0x8899, 5)];
    assert_eq!(
        short(&balance(&window(vec![port, team], counts), &[])),
        [
            "eth2 rx_nohandler +5 = [UNHANDLED_PROTO - Unknown 5] + 0",
            "team0 rx_nohandler +5 = [UNHANDLED_PROTO - Unknown 5] + 0",
        ]
    );
}

#[test]
fn what_was_counted_without_an_event_is_unexplained() {
    // A sender that still holds a reference: the counter rises, the packet is freed later and elsewhere.
    let counts = vec![
        unhandled(2, 0x88cc, 3),
        drops(NODE, 2, 0x0800, "NOT_SPECIFIED", "pktgen_xmit", 900),
    ];
    let links = vec![link(NODE, 2, "eth0", rx(903))];
    assert_eq!(
        short(&balance(&window(links, counts), &[claim(0, "LLDP")])),
        ["eth0 rx_dropped +903 = [UNHANDLED_PROTO LLDP Benign 3] + 900"]
    );
}

#[test]
fn a_verdict_of_tc_inlined_into_the_receive_path_raises_no_device_counter() {
    let counts = vec![drops(
        NODE,
        2,
        0x0800,
        "TC_INGRESS",
        "__netif_receive_skb_core",
        8,
    )];
    let links = vec![link(NODE, 2, "eth0", rx(1))];
    assert_eq!(
        short(&balance(&window(links, counts), &[])),
        ["eth0 rx_dropped +1 = [] + 1"]
    );
}

#[test]
fn a_counter_within_the_edges_of_the_window_is_balanced() {
    let counts = vec![DropCount {
        at_least: 18,
        ..unhandled(2, 0x88cc, 21)
    }];
    let links = vec![link(NODE, 2, "eth0", rx(20))];
    let entries = balance(&window(links, counts), &[claim(0, "LLDP")]);
    assert_eq!(
        short(&entries),
        ["eth0 rx_dropped +20 = [UNHANDLED_PROTO LLDP Benign 20] + 0"]
    );
    assert_eq!(entries[0].uncertainty, 3);
}

#[test]
fn namespaces_of_others_have_no_entry() {
    let links = vec![link(NetnsId(77), 2, "eth0", rx(20))];
    assert!(balance(&window(links, Vec::new()), &[]).is_empty());
}

/// A small xorshift generator: the same windows in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        let at = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices[at]
    }

    fn stats(&mut self) -> LinkStats {
        LinkStats {
            rx_dropped: self.below(40),
            tx_dropped: self.below(40),
            rx_nohandler: self.below(40),
            ..LinkStats::default()
        }
    }

    fn window(&mut self) -> EvidenceWindow {
        const LOCATIONS: [&str; 8] = [
            "__netif_receive_skb_core",
            "__dev_forward_skb2",
            "enqueue_to_backlog",
            "tcp_v4_rcv",
            "udpv6_recvmsg",
            "tun_net_xmit",
            "ip_rcv_core",
            "",
        ];
        const REASONS: [&str; 5] = [
            "UNHANDLED_PROTO",
            "NOT_SPECIFIED",
            "TCP_CSUM",
            "UDP_CSUM",
            "",
        ];
        let mut links = vec![bond0(self.stats())];
        for ifindex in 2..7 {
            let stats = self.stats();
            links.push(match self.below(3) {
                0 => slave(ifindex, "slave", self.below(2) == 0, stats),
                1 => Link {
                    kind: Some("veth".to_owned()),
                    peer: Some(Peer {
                        ifindex: ifindex ^ 1,
                        netns: Some(NODE),
                    }),
                    ..link(NODE, ifindex, "veth", stats)
                },
                _ => link(NODE, ifindex, "eth", stats),
            });
        }
        let counts = (0..self.below(12))
            .map(|_| {
                let ifindex = u32::try_from(self.below(12)).unwrap_or(0);
                let ethertype = if self.below(2) == 0 { 0x88cc } else { 0x0800 };
                let (reason, location) = (self.pick(&REASONS), self.pick(&LOCATIONS));
                let count = self.below(60);
                DropCount {
                    at_least: count.saturating_sub(self.below(10)),
                    ..drops(NODE, ifindex, ethertype, reason, location, count)
                }
            })
            .collect();
        let mut window = window(links, counts);
        for name in ["Tcp.InCsumErrors", "Udp6.InCsumErrors"] {
            window = with_counter(window, name, self.below(50));
        }
        window
    }
}

#[test]
fn every_increase_is_the_sum_of_its_parts() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut booked = 0;
    for round in 0..3000 {
        let window = noise.window();
        let claims: Vec<Claim> = (0..12)
            .filter(|_| noise.below(2) == 0)
            .map(|drop| claim(drop, "LLDP"))
            .collect();
        for entry in balance(&window, &claims) {
            let explained: u64 = entry.explained.iter().map(|part| part.count).sum();
            assert_eq!(
                entry.increase,
                explained + entry.unexplained,
                "round {round}: {entry:?}"
            );
            assert!(entry.increase > 0, "round {round}: {entry:?}");
            assert!(entry.explained.iter().all(|part| part.count > 0));
            booked += explained;
        }
    }
    assert!(booked > 10_000, "the windows hardly booked anything");
}
