//! The ledger against counters and events that were measured together on real kernels.

mod bonds;
mod invariant;

use super::LedgerEntry;
use crate::{
    Window,
    causes::{CORRUPTION, NO_RECEIVER},
    detectors::recorded,
    evidence::{DropCount, EvidenceWindow, Link, LinkStats, Namespace, NetnsId},
    finding::{Assessment, Claim, Finding, Subject, Verdict},
    kernel::Reason,
    testing::{self, complete, ipv4_drops, named_drops, node_namespace, text, veth},
};

const NODE: NetnsId = NetnsId(4_026_531_840);
const POD: NetnsId = NetnsId(4_026_532_001);

fn balance(evidence: &EvidenceWindow, claims: &[Claim]) -> Vec<LedgerEntry> {
    super::balance(&Window::of(evidence), claims)
}

/// A window of a node with one other namespace, `lab`.
fn window(links: Vec<Link>, counts: Vec<DropCount>) -> EvidenceWindow {
    EvidenceWindow {
        namespaces: vec![
            node_namespace(NODE),
            Namespace {
                id: POD,
                name: Some("lab".to_owned()),
                ..Namespace::default()
            },
        ],
        links: complete(links),
        drops: complete(named_drops(counts)),
        ..EvidenceWindow::default()
    }
}

/// A link whose counters stood at 1000 before the window and rose by `rose`.
fn link(netns: NetnsId, ifindex: u32, name: &str, rose: LinkStats) -> Link {
    const BEFORE: u64 = 1000;
    Link {
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
        ..testing::link(netns, ifindex, name)
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
        ethertype,
        ..ipv4_drops(netns, ifindex, reason, location, count)
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
        &NO_RECEIVER,
        Assessment::none(),
        Subject::default().with_protocol(protocol),
        text(),
    );
    Claim {
        drop,
        verdict: Verdict::Benign,
        protocol: Some(protocol.to_owned()),
        finding: Some(finding.id),
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
fn a_queueing_discipline_counts_on_the_device_only_while_it_is_not_active() {
    let booked = |flags: u32, qdisc: Option<&str>| {
        let mut port = link(NODE, 2, "vb", tx(6));
        port.requested_flags = flags;
        port.qdisc = qdisc.map(str::to_owned);
        let dropped = DropCount {
            netns: Some(NODE),
            ifindex: 2,
            reason: Reason::QDISC_DROP,
            location: "__dev_queue_xmit".into(),
            at_least: 6,
            count: 6,
            ..DropCount::default()
        };
        balance(&window(vec![port], vec![dropped]), &[])[0].unexplained
    };
    assert_eq!(booked(0x1003, None), 0);
    assert_eq!(booked(0x1_1043, None), 6);
    assert_eq!(booked(0x1_1043, Some("fq_codel")), 6);
    // It was not active then: a device without a queue has no other that drops.
    assert_eq!(booked(0x1_1043, Some("noqueue")), 0);
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
fn without_reasons_tcp_books_what_a_check_found_to_be_a_wrong_checksum() {
    let counts = vec![drops(NODE, 1, 0x0800, "", "tcp_v4_rcv", 12)];
    let window = with_counter(window(vec![], counts), "Tcp.InCsumErrors", 12);
    assert_eq!(balance(&window, &[])[0].unexplained, 12);
    let found = Finding::new(&CORRUPTION, Assessment::none(), Subject::default(), text());
    let claim = Claim {
        drop: 0,
        verdict: Verdict::Harmful,
        protocol: None,
        finding: Some(found.id),
    };
    let entry = &balance(&window, &[claim])[0];
    assert_eq!((entry.explained[0].count, entry.unexplained), (12, 0));
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
    let a0 = veth(link(NODE, 7, "a0", tx(119)), (POD, 2));
    let b0 = veth(link(POD, 2, "b0", rx(119)), (NODE, 7));
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
    let links = vec![
        veth(link(NODE, 7, "a0", tx(12)), (NODE, 8)),
        veth(link(NODE, 8, "b0", rx(12)), (NODE, 7)),
    ];
    let dropped = drops(NODE, 8, 0x0800, "CPU_BACKLOG", "enqueue_to_backlog", 12);
    assert_eq!(
        short(&balance(&window(links, vec![dropped]), &[])),
        [
            "a0 tx_dropped +12 = [CPU_BACKLOG - Unknown 12] + 0",
            "b0 rx_dropped +12 = [CPU_BACKLOG - Unknown 12] + 0",
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
fn counters_that_rise_without_a_packet_stay_out() {
    // A NIC counts there what it had no room for; the kernel never saw it. ReceiveOverrun tells of it.
    let mut nic = link(NODE, 2, "eth0", rx(2));
    nic.stats.rx_missed_errors = 400;
    nic.stats.rx_fifo_errors = 30;
    nic.stats.rx_over_errors = 7;
    let counts = vec![unhandled(2, 0x88cc, 2)];
    assert_eq!(
        short(&balance(&window(vec![nic], counts), &[claim(0, "LLDP")])),
        ["eth0 rx_dropped +2 = [UNHANDLED_PROTO LLDP Benign 2] + 0"]
    );
}

#[test]
fn what_a_driver_counts_as_dropped_by_itself_is_unexplained() {
    // A driver may add to rx_dropped what never became a packet of the kernel's (ndo_get_stats64).
    let links = vec![link(NODE, 2, "eth0", rx(12))];
    assert_eq!(
        short(&balance(&window(links, Vec::new()), &[])),
        ["eth0 rx_dropped +12 = [] + 12"]
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
