//! Whole windows: two pods, a program with packet sockets between them, and what the kernel dropped.

mod broken;
mod forwarders;
mod proofs;
mod without_reasons;

use super::{fixtures::*, *};
use crate::{
    Window,
    evidence::*,
    finding::{Confidence, Culprit, Harm, Severity, Verdict},
    testing::{
        NODE, complete, drops_of, ipv4_drops, link, links_of, named_drops, node_namespace, owner,
        packet_socket, pod_namespace, veth,
    },
};

const SENDER: NetnsId = NetnsId(2);
const RECEIVER: NetnsId = NetnsId(3);

fn offloading(netns: NetnsId, ifindex: u32, name: &str, peer: (NetnsId, u32)) -> Link {
    Link {
        tx_checksum_offload: Some(true),
        ..veth(link(netns, ifindex, name), peer)
    }
}

fn pod(id: NetnsId, name: &str, address: &str, in_csum_errors: u64) -> Namespace {
    let counters = |count| [("Tcp.InCsumErrors".to_owned(), count)].into();
    Namespace {
        addresses: vec![Address {
            ifindex: 2,
            address: address.parse().unwrap(),
            prefix: 24,
        }],
        counters_before: counters(0),
        counters: counters(in_csum_errors),
        ..pod_namespace(id, 100 + id.0, "shop", name)
    }
}

fn socket(pid: u32, ifindex: u32) -> PacketSocket {
    packet_socket(owner(pid, "service"), ifindex)
}

fn window(reason: &str, location: &str, packets: &[Vec<u8>], ip_summed: u8) -> EvidenceWindow {
    let count = packets.len() as u64;
    let sample = |bytes: &Vec<u8>| PacketSample {
        network_offset: Some(0),
        ip_summed,
        bytes: bytes.clone(),
        ..PacketSample::default()
    };
    EvidenceWindow {
        namespaces: vec![
            node_namespace(NODE),
            pod(SENDER, "client", "10.5.0.1", 0),
            pod(RECEIVER, "server", "10.5.0.2", count),
        ],
        links: complete(vec![
            offloading(NODE, 10, "m0", (SENDER, 2)),
            offloading(NODE, 11, "m1", (RECEIVER, 2)),
            offloading(SENDER, 2, "a0", (NODE, 10)),
            offloading(RECEIVER, 2, "b0", (NODE, 11)),
        ]),
        drops: complete(Drops {
            samples: packets.iter().map(sample).collect(),
            ..named_drops(vec![ipv4_drops(RECEIVER, 2, reason, location, count)])
        }),
        // The forwarder, and a capture on one of its devices, which forwards nothing.
        packet_sockets: complete(vec![socket(300, 10), socket(400, 10), socket(400, 11)]),
        tun_holders: complete(Vec::new()),
        ..EvidenceWindow::default()
    }
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    ChecksumDrop.diagnose(&Window::of(window), &Outcome::default())
}

fn half_made(count: u32) -> Vec<Vec<u8>> {
    (1..=count)
        .map(|timestamp| tcp_syn(PSEUDO_HEADER_SUM, timestamp))
        .collect()
}

#[test]
fn a_lost_partial_checksum_names_sender_receiver_and_the_program_between() {
    let window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    let outcome = diagnose(&window);
    let finding = &outcome.findings[0];
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(
        (finding.cause.name(), finding.severity()),
        ("PartialChecksumLost", Severity::Critical)
    );
    assert_eq!(finding.count, 4);
    assert_eq!(finding.subject.interface.as_deref(), Some("b0"));
    assert_eq!(
        finding.subject.process.as_deref(),
        Some("service (pid 400)")
    );
    assert_eq!(
        finding.text.headline,
        "4 TCP packets from a0 of pod shop/client to pod shop/server died of checksums that were not filled in"
    );
    let assessment = &finding.assessment;
    assert_eq!(
        (assessment.harm, assessment.culprit),
        (Harm::Outage, Culprit::Here)
    );
    assert_eq!(assessment.flows, ["10.5.0.1:40000 -> 10.5.0.2:8080 TCP"]);
    assert!(
        finding
            .text
            .hurts
            .starts_with("Connections from a0 of pod shop/client")
    );
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some(r#"nsenter --net="$(find -L /proc/102/ns/net -inum 2)" ethtool -K a0 tx off"#)
    );
    let change = finding.remedies[0].change.as_ref().expect("a change");
    let undo = r#"nsenter --net="$(find -L /proc/102/ns/net -inum 2)" ethtool -K a0 tx on"#;
    assert_eq!(change.undo.as_deref(), Some(undo));
    assert_eq!(outcome.claims.len(), 1);
    assert_eq!(outcome.claims[0].verdict, Verdict::Harmful);
}

#[test]
fn further_senders_are_counted() {
    let mut packets = half_made(3);
    for (last, sum) in [(9_u8, PSEUDO_HEADER_SUM + 8), (8, PSEUDO_HEADER_SUM + 7)] {
        let mut other = tcp_syn(sum, 7);
        other[15] = last; // 10.5.0.9, 10.5.0.8
        packets.push(other);
        let summary = diagnose(&window("TCP_CSUM", "tcp_v4_rcv", &packets, 2)).findings[0]
            .text
            .headline
            .clone();
        let more = match packets.len() {
            4 => "client and 1 more sender to",
            _ => "client and 2 more senders to",
        };
        assert!(summary.contains(more), "{summary}");
    }
}

#[test]
fn a_capture_on_one_end_of_the_path_is_not_blamed() {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    window.packet_sockets = complete(vec![socket(300, 10)]);
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings[0].subject.process, None);
}

#[test]
fn drops_of_another_node_on_the_same_kernel_are_not_reported() {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    drops_of(&mut window).counts[0].netns = None;
    drops_of(&mut window).counts[0].ifindex = 0;
    window.namespaces.truncate(2); // The receiver is none of ours.
    assert!(diagnose(&window).findings.is_empty());
}

#[test]
fn a_filter_that_drops_invalid_packets_is_seen_through() {
    let outcome = diagnose(&window("NETFILTER_DROP", "nft_do_chain", &half_made(3), 0));
    assert_eq!(outcome.findings[0].cause.name(), "PartialChecksumLost");
    assert_eq!(outcome.findings[0].count, 3);
}

#[test]
fn healthy_offload_under_a_filter_is_silent() {
    // CHECKSUM_PARTIAL: the stack knows that the checksum is unfinished, so the packet is in order.
    let outcome = diagnose(&window("NETFILTER_DROP", "nft_do_chain", &half_made(3), 3));
    assert!(outcome.findings.is_empty() && outcome.claims.is_empty());
}

#[test]
fn a_policy_drop_with_true_checksums_is_silent() {
    let others: Vec<Vec<u8>> = (1..=4)
        .map(|step| tcp_syn(0x5a5a ^ step, u32::from(step)))
        .collect();
    let outcome = diagnose(&window("NETFILTER_DROP", "nft_do_chain", &others, 0));
    assert!(outcome.findings.is_empty() && outcome.claims.is_empty());
}

#[test]
fn a_full_socket_is_no_lost_checksum() {
    // 99 datagrams of healthy offload, ip_summed 0, beside invalid packets of other flows (6.18).
    for (reason, location) in [
        ("SOCKET_RCVBUFF", "udp_queue_rcv_one_skb"),
        ("", "udp_queue_rcv_one_skb"),
        ("NOT_SPECIFIED", "udp_destruct_common"),
        ("QUEUE_PURGE", "udp_destruct_common"),
    ] {
        let mut window = window(reason, location, &half_made(4), 0);
        for namespace in &mut window.namespaces {
            let invalid = "Conntrack.invalid".to_owned();
            namespace.counters_before.insert(invalid.clone(), 0);
            namespace.counters.insert(invalid, 30);
        }
        assert!(diagnose(&window).findings.is_empty(), "{location}");
    }
}

#[test]
fn late_verification_counts_only_when_the_counter_rose() {
    let mut window = window("NOT_SPECIFIED", "udp_recvmsg", &half_made(3), 0);
    for namespace in &mut window.namespaces {
        namespace.counters_before = [
            ("Udp.InCsumErrors".to_owned(), 5),
            ("Udp6.InCsumErrors".to_owned(), 0),
        ]
        .into();
        namespace.counters.clone_from(&namespace.counters_before);
    }
    assert!(diagnose(&window).findings.is_empty());
    window.namespaces[2]
        .counters
        .insert("Udp.InCsumErrors".to_owned(), 8);
    assert_eq!(
        diagnose(&window).findings[0].cause.name(),
        "PartialChecksumLost"
    );
}

#[test]
fn a_datagram_without_a_device_is_placed_by_its_destination() {
    let mut window = window("UDP_CSUM", "udp_recvmsg", &half_made(3), 0);
    drops_of(&mut window).counts[0].netns = None;
    drops_of(&mut window).counts[0].ifindex = 0;
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings[0].subject.interface.as_deref(), Some("b0"));
}

#[test]
fn drops_in_a_namespace_without_counters_are_said_to_miss_in_the_ledger() {
    let mut window = window("TCP_CSUM", "tcp_v4_rcv", &half_made(4), 2);
    assert!(diagnose(&window).unchecked.is_empty());
    for namespace in &mut window.namespaces {
        namespace.counters.clear();
        namespace.counters_before.clear();
    }
    let unchecked = diagnose(&window).unchecked;
    assert_eq!(unchecked.len(), 1);
    assert!(unchecked[0].is_made() && unchecked[0].reason.contains("shop/server"));
}

#[test]
fn a_missing_probe_is_said() {
    let window = EvidenceWindow::default();
    let outcome = diagnose(&window);
    assert!(outcome.findings.is_empty());
    assert!(outcome.unchecked.iter().any(|entry| !entry.is_made()));
}
