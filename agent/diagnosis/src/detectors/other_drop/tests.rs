//! Drops that are left over are named, classed by the table and folded.

mod harm;

use super::OtherDrop;
use crate::{
    Settings, Window,
    detectors::{Detector, recorded},
    evidence::{DropCount, EvidenceWindow, KernelLogLine, Lost, Namespace, NetnsId, PacketSample},
    finding::{Confidence, Finding, Outcome, Severity, Verdict},
    testing::{
        self, NODE, POD, complete, drops_of, first_drop_claimed, ipv4_drops, link, links_of, only,
        unavailable,
    },
};

fn window(counts: Vec<DropCount>) -> EvidenceWindow {
    let links = vec![link(NODE, 2, "eth0"), link(POD, 2, "eth0")];
    EvidenceWindow {
        kernel_log: complete(Vec::new()),
        ..testing::window(links, counts)
    }
}

fn drops(netns: Option<NetnsId>, reason: &str, location: &str, count: u64) -> DropCount {
    DropCount {
        netns,
        first_ms: 100,
        last_ms: 200,
        ..ipv4_drops(NODE, 2, reason, location, count)
    }
}

/// The commands of a finding's remedies, as far as they have one.
fn commands(finding: &Finding) -> Vec<&str> {
    let remedies = finding.remedies.iter();
    remedies
        .filter_map(|remedy| remedy.command.as_deref())
        .collect()
}

/// The namespace's counter rises by so much.
fn count(namespace: &mut Namespace, counter: &str, increase: u64) {
    namespace.counters_before.insert(counter.to_owned(), 5);
    namespace.counters.insert(counter.to_owned(), 5 + increase);
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    OtherDrop.diagnose(&Window::of(window), &Outcome::default())
}

#[test]
fn an_idle_nodes_noise_is_silent() {
    let noise = [
        ("NOT_SPECIFIED", "ip6_mc_input", 40),
        ("NOT_SPECIFIED", "icmpv6_rcv", 12),
        ("OTHERHOST", "ip_rcv_core", 58),
        ("QUEUE_PURGE", "sk_stream_kill_queues", 90),
        ("TCP_OLD_DATA", "tcp_data_queue", 7),
        ("NOT_SPECIFIED", "tcp_v4_rcv", 33),
        ("CONSUMED", "consume_skb", 100_000),
    ];
    let mut counts = noise
        .map(|(reason, location, count)| drops(Some(NODE), reason, location, count))
        .to_vec();
    counts.push(drops(None, "NOT_SPECIFIED", "virtio_transport_recv_pkt", 3));
    let outcome = diagnose(&window(counts));
    assert_eq!(outcome.findings, []);
    assert_eq!(outcome.unchecked, []);
    // A counter that they raised has no open part.
    assert_eq!(outcome.claims.len(), noise.len());
    for claim in outcome.claims {
        assert_eq!((claim.verdict, claim.finding), (Verdict::Benign, None));
    }
}

#[test]
fn much_of_what_nobody_misses_is_one_harmless_finding() {
    let counts = vec![
        drops(Some(NODE), "QUEUE_PURGE", "skb_queue_purge_reason", 3_000),
        drops(Some(POD), "OTHERHOST", "ip_rcv_core", 500),
        drops(None, "NOT_SPECIFIED", "sk_stream_kill_queues", 1),
    ];
    let outcome = diagnose(&window(counts));
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "OtherDrop/NotLoss");
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(
        finding.text.headline,
        "3501 packets were freed as dropped, and nobody misses them"
    );
    let names = "By the kernel's names: QUEUE_PURGE 3000, OTHERHOST 500, sk_stream_kill_queues 1";
    assert!(finding.text.what.ends_with(names), "{}", finding.text.what);
    assert!(
        outcome
            .claims
            .iter()
            .all(|claim| claim.verdict == Verdict::Benign)
    );
}

#[test]
fn a_full_neighbour_queue_is_loss_by_share_with_a_look_into_its_namespace() {
    let mut window = window(vec![drops(
        Some(POD),
        "NEIGH_QUEUEFULL",
        "__neigh_event_send",
        30,
    )]);
    links_of(&mut window)[1].stats.tx_packets = 4_970;
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(finding.cause.name(), "NEIGH_QUEUEFULL");
    assert_eq!(
        finding.text.headline,
        "Too many packets waited for a neighbour's answer: 30 packets were dropped on eth0 of pod shop/cart-0"
    );
    assert_eq!(
        finding.text.hurts,
        "30 packets lost of 5000 (0.6 %), of pod shop/cart-0."
    );
    assert_eq!(
        commands(finding),
        [r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" ip -4 neigh show dev eth0"#]
    );
    assert_eq!(outcome.claims[0].verdict, Verdict::Harmful);
}

#[test]
fn a_full_buffer_is_judged_by_what_the_programs_did_receive() {
    let severity = |lost, received| {
        let mut window = window(vec![drops(
            Some(NODE),
            "SOCKET_RCVBUFF",
            "__udp_queue_rcv_skb",
            lost,
        )]);
        count(&mut window.namespaces[0], "Udp.InDatagrams", received);
        only(&diagnose(&window)).severity()
    };
    assert_eq!(severity(34, 100_000), Severity::Info);
    assert_eq!(severity(340, 100_000), Severity::Warning);
    assert_eq!(severity(3_400, 100_000), Severity::Critical);
    assert_eq!(severity(29, 100), Severity::Warning);
}

#[test]
fn a_function_that_tells_more_than_the_reason_is_a_cause_of_its_own() {
    let window = window(vec![
        drops(Some(NODE), "NO_SOCKET", "__udp4_lib_rcv", 30),
        drops(Some(NODE), "NO_SOCKET", "cookie_v4_check", 12),
        drops(Some(NODE), "NOT_SPECIFIED", "ip_error", 90),
    ]);
    let outcome = OtherDrop.diagnose(&Window::of(&window), &Outcome::default());
    let mut found: Vec<(&str, Severity, u64)> = outcome
        .findings
        .iter()
        .map(|finding| (finding.cause.name(), finding.severity(), finding.count))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("NO_SOCKET", Severity::Info, 30),
            ("cookie_v4_check", Severity::Warning, 12),
            ("ip_error", Severity::Info, 90),
        ]
    );
}

#[test]
fn a_filters_decision_is_never_a_warning() {
    let outcome = diagnose(&window(vec![drops(
        Some(NODE),
        "NETFILTER_DROP",
        "nft_do_chain",
        1_000_000,
    )]));
    assert_eq!(only(&outcome).severity(), Severity::Info);
    assert_eq!(outcome.claims[0].verdict, Verdict::Unknown);
}

#[test]
fn a_full_connection_table_is_a_possible_warning() {
    let mut window = window(vec![drops(
        Some(NODE),
        "NETFILTER_DROP",
        "nf_hook_slow",
        900,
    )]);
    window.kernel_log = complete(vec![KernelLogLine {
        at_ms: 1,
        level: 4,
        text: "nf_conntrack: nf_conntrack: table full, dropping packet".to_owned(),
    }]);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.confidence, Confidence::Possible);
    assert!(finding.text.headline.contains("connection tracking table"));
}

#[test]
fn an_unnamed_drop_is_named_by_its_function_and_stays_unknown() {
    let mut window = window(vec![drops(Some(NODE), "NOT_SPECIFIED", "foo_rcv", 5)]);
    drops_of(&mut window).samples.push(PacketSample {
        bytes: vec![
            0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0, 53,
            0, 8, 0, 0,
        ],
        ..PacketSample::default()
    });
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "OtherDrop/foo_rcv/eth0");
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(finding.confidence, Confidence::Possible);
    assert_eq!(
        finding.details,
        [("Flow", "10.0.0.1:40000 -> 10.0.0.2:53 UDP".to_owned())]
    );
    assert_eq!(outcome.claims[0].verdict, Verdict::Unknown);
}

#[test]
fn a_reason_newer_than_the_table_is_shown_as_the_kernel_spells_it() {
    let outcome = diagnose(&window(vec![drops(
        Some(NODE),
        "QUIC_SPIN_DROP",
        "quic_rcv",
        500_000,
    )]));
    let finding = only(&outcome);
    assert_eq!(
        finding.text.headline,
        "500000 packets were dropped on eth0: QUIC_SPIN_DROP"
    );
    assert_eq!(finding.severity(), Severity::Info);
}

#[test]
fn one_reason_at_two_functions_is_one_finding() {
    let outcome = diagnose(&window(vec![
        drops(Some(NODE), "NO_SOCKET", "tcp_v4_rcv", 3),
        drops(Some(NODE), "NO_SOCKET", "__udp4_lib_rcv", 2),
    ]));
    let finding = only(&outcome);
    assert_eq!((finding.count, finding.evidence.len()), (5, 2));
    assert_eq!(
        finding.evidence[0].name,
        "NO_SOCKET at tcp_v4_rcv, dev eth0, 0x0800"
    );
}

#[test]
fn what_another_check_explains_is_left_alone() {
    let window = window(vec![drops(Some(NODE), "FULL_RING", "tun_net_xmit", 900)]);
    let so_far = first_drop_claimed();
    assert_eq!(
        OtherDrop.diagnose(&Window::of(&window), &so_far).findings,
        []
    );
}

#[test]
fn drops_without_a_device_are_one_finding_with_what_was_lost() {
    let mut window = window(vec![
        drops(None, "NOT_SPECIFIED", "ip_defrag", 5),
        drops(None, "NEIGH_FAILED", "arp_error_report", 9_000),
    ]);
    window.lost = Lost {
        counts: 11,
        samples: 0,
    };
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "OtherDrop/NoDevice");
    assert_eq!(finding.severity(), Severity::Info);
    assert_eq!(finding.count, 9_016);
    assert_eq!(finding.evidence[2].value, "11");
}

#[test]
fn drops_of_another_nodes_namespace_are_not_ours() {
    let outcome = diagnose(&window(vec![drops(
        Some(NetnsId(99)),
        "NEIGH_FAILED",
        "arp_error_report",
        9_000,
    )]));
    assert_eq!(outcome.findings, []);
}

#[test]
fn small_findings_are_folded_and_warnings_never() {
    let mut counts: Vec<DropCount> = (0..40)
        .map(|number| {
            drops(
                Some(NODE),
                &format!("NEW_REASON_{number}"),
                "foo",
                number + 1,
            )
        })
        .collect();
    counts.push(drops(Some(NODE), "PROTO_MEM", "tcp_data_queue", 4));
    let outcome = diagnose(&window(counts));
    let warnings = outcome
        .findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Warning)
        .count();
    assert_eq!((outcome.findings.len(), warnings), (14, 1));
    let rest = outcome.findings.last().expect("a remainder");
    // 40 less the 12 most frequent: 1 + 2 + .. + 28.
    assert_eq!((rest.id.as_str(), rest.count), ("OtherDrop/Remainder", 406));
    assert_eq!(outcome.claims.len(), 41);
}

#[test]
fn without_the_probe_it_is_unchecked() {
    let mut window = window(Vec::new());
    window.drops = unavailable("no CAP_BPF");
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings, []);
    assert_eq!(outcome.unchecked[0].reason, "drop probe: no CAP_BPF");
    assert!(!outcome.unchecked[0].is_made());
}

#[test]
fn recorded_queues_that_overflow_are_judged_and_their_counter_balances() {
    let window = recorded::window(include_str!("testdata/6.18_full_queues.json"));
    let diagnosis = crate::diagnose(&window, &Settings::default());
    let found: Vec<(&str, Severity, u64)> = diagnosis
        .findings
        .iter()
        .map(|finding| (finding.id.as_str(), finding.severity(), finding.count))
        .collect();
    assert_eq!(
        found,
        [
            (
                "TapQueueDrop/ReaderStopped/sender/tun9",
                Severity::Warning,
                85
            ),
            // 184 that waited until the neighbour had failed, and 1916 that found its queue full.
            ("Neighbour/Unanswered/sender/a0", Severity::Info, 2_100),
            // UDP: no sample proves that a flow is dead.
            ("Routing/ReversePathFilter/receiver/b0", Severity::Info, 28),
        ]
    );
    let [entry] = &diagnosis.ledger[..] else {
        panic!("one counter rose: {:?}", diagnosis.ledger);
    };
    assert_eq!((entry.counter, entry.increase), ("tx_dropped", 85));
    assert_eq!((entry.explained[0].count, entry.unexplained), (85, 0));
}

#[test]
fn a_fleet_reads_what_happened_and_no_kernel_constant() {
    let symptom = |reason: &str, location: &str| {
        let outcome = diagnose(&window(vec![drops(Some(NODE), reason, location, 7)]));
        only(&outcome).symptom.clone()
    };
    let memory = symptom("PROTO_MEM", "tcp_data_queue");
    assert_eq!(
        memory,
        "packets were dropped because the memory for sockets was used up"
    );
    let host = symptom("IP_INADDRERRORS", "ip_error");
    assert_eq!(host, "packets were for another host and not forwarded");
    let ring = symptom("NOT_SPECIFIED", "veth_xmit");
    assert_eq!(ring, "A veth could not hand over packets");
    // All that is known of it.
    let unknown = symptom("NEW_REASON", "foo");
    assert_eq!(
        unknown,
        "packets dropped for a reason that netdiag does not know (NEW_REASON)"
    );
}
