//! The first sentence: each kind of verdict, word by word.

use netdiag_diagnosis::{
    causes::{CORRUPTION, RING_FULL, SEGMENT_ROUTING_GRO},
    verdict::Unmatched,
};

use super::*;

/// A finding with this headline, about `eth0`.
fn found(cause: impl Into<Mechanism>, assessment: Assessment, headline: &str) -> Finding {
    Finding::new(cause, assessment, on("eth0"), text(headline, "", ""))
}

/// The first sentence, on one line.
fn first(findings: Vec<Finding>) -> String {
    first_of(&Diagnosis {
        findings,
        ..diagnosis()
    })
}

fn first_of(diagnosis: &Diagnosis) -> String {
    first_in(&window("node-3"), diagnosis)
}

fn first_in(window: &EvidenceWindow, diagnosis: &Diagnosis) -> String {
    let text = render(window, diagnosis, plain(110));
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// Connections of which nothing gets through.
fn outage() -> Assessment {
    Assessment {
        are_flows_dead: true,
        ..Assessment::of(Harm::Outage).by(Culprit::Here)
    }
}

#[test]
fn a_window_that_is_short_hides_nothing_of_what_happened_in_it() {
    let mut diagnosis = diagnosis();
    diagnosis.checks = vec![&CHECKSUM_DROP, &LINK_MTU];
    let rare = Unchecked::too_rare(&LINK_MTU, "it comes every 60 s: 35 s can miss it");
    diagnosis.unchecked = vec![rare];
    let text = render(&window("node-3"), &diagnosis, plain(110));
    assert!(text.starts_with("node-3: no packet loss found. No drop counter rose.\n"));
    assert!(text.contains("\n  LinkMtu: it comes every 60 s: 35 s can miss it\n"));
    assert!(text.contains("\nChecked: only ChecksumDrop, LinkMtu as asked, 35 s."));
    let unread = Unchecked::in_part(&LINK_MTU, "one namespace was not read");
    diagnosis.unchecked.push(unread);
    let text = render(&window("node-3"), &diagnosis, plain(110));
    assert!(text.starts_with("node-3: no packet loss found in what could be checked."));
    assert!(text.contains("\n  LinkMtu: checked in part; one namespace was not read\n"));
}

#[test]
fn an_outage_that_no_dead_connection_proves_is_not_called_one_of_connections() {
    let outage = Assessment::of(Harm::Outage).by(Culprit::Here);
    let headline = "The peer of eth0 takes no packet longer than 1500 bytes";
    assert_eq!(
        first(vec![found(&PEER_MTU_SMALLER, outage, headline)]),
        "node-3: packets do not get through: the peer of eth0 takes no packet longer than 1500 bytes."
    );
}

#[test]
fn an_outage_is_connections_that_fail() {
    let headline = "pod shop/server gets nothing from pod shop/client: 209 packets died of checksums that were not \
                    filled in";
    assert_eq!(
        first(vec![found(&CORRUPTION, outage(), headline)]),
        format!("node-3: connections fail: {headline}.")
    );
}

#[test]
fn loss_has_its_numbers_where_they_are_known() {
    let lost = |carried| {
        let loss = Assessment::loss(155, carried);
        first(vec![found(&RING_FULL, loss, "the queue of eth0 was full")])
    };
    assert_eq!(
        lost(Some(19_245)),
        "node-3: 155 of 19400 packets are lost: the queue of eth0 was full."
    );
    assert_eq!(
        lost(None),
        "node-3: packets are lost: the queue of eth0 was full."
    );
}

#[test]
fn a_lower_bound_is_said_to_be_one() {
    let least = |packets, carried| {
        let assessment = Assessment::loss(packets, Some(carried)).or_more(true);
        first(vec![found(
            &CORRUPTION,
            assessment,
            "at least so many died",
        )])
    };
    assert_eq!(
        least(13, 47),
        "node-3: at least 13 of 60 packets are lost: at least so many died."
    );
    assert_eq!(
        least(2, 90_000),
        "node-3: at least 2 of 90002 packets were lost on eth0, too few to act on."
    );
}

#[test]
fn delay_is_not_called_loss() {
    let late = Assessment {
        harm: Harm::Delay,
        ..Assessment::loss(16, Some(984))
    };
    assert_eq!(
        first(vec![found(
            &RING_FULL,
            late,
            "16 segments came 200 ms late"
        )]),
        "node-3: 16 of 1000 packets arrive late: 16 segments came 200 ms late."
    );
}

#[test]
fn two_things_that_fail_are_both_named() {
    let hairpin = "pod shop/web cannot reach itself through its service (20 of 20 lost)";
    let route = "IPv6 to 2001:db8:7::/48 has no route";
    let two = [
        found(&CORRUPTION, outage(), hairpin),
        found(&PEER_MTU_SMALLER, outage(), route),
    ];
    assert_eq!(
        first(two.to_vec()),
        format!("node-3: two things fail: {hairpin}, and {route}.")
    );
    let mut third = found(&RING_FULL, Assessment::of(Harm::Loss), "eth0 has no room");
    let three = [&two[..], std::slice::from_ref(&third)].concat();
    assert!(
        first(three).ends_with("has no route. 1 more needs attention, below."),
        "the third is counted"
    );
    third.caused_by = vec![two[0].id.clone()];
    assert_eq!(
        first(vec![third, two[0].clone()]),
        "node-3: packets are lost: eth0 has no room.",
        "a cause is no second thing"
    );
}

#[test]
fn findings_of_one_cause_are_one_thing() {
    let alike = ["eth0", "eth1", "eth2"].map(|name| {
        let text = text(&format!("{name} breaks bytes"), "", "");
        Finding::new(&CORRUPTION, outage(), on(name), text)
    });
    assert_eq!(
        first(alike.to_vec()),
        "node-3: connections fail: eth0 breaks bytes (2 more like it)."
    );
}

#[test]
fn the_worst_harm_comes_first_whatever_the_severity() {
    let loss = Assessment::loss(500, Some(500)).by(Culprit::Here);
    let elsewhere = Assessment::of(Harm::Outage).by(Culprit::Elsewhere);
    assert_eq!(
        first(vec![
            found(&RING_FULL, loss, "the ring was full"),
            found(&CORRUPTION, elsewhere, "a cable breaks bytes"),
        ]),
        "node-3: packets do not get through: a cable breaks bytes; and 500 of 1000 packets are lost: the ring was full."
    );
}

#[test]
fn loss_that_is_too_small_to_act_on_is_still_said() {
    let few = found(&RING_FULL, Assessment::loss(2, Some(90_209)), "x");
    assert_eq!(
        first(vec![few.clone()]),
        "node-3: 2 of 90211 packets were lost on eth0, too few to act on."
    );
    let mut other = found(&CORRUPTION, Assessment::loss(1, None), "y");
    other.subject = on("eth1");
    let mut late = few.clone();
    late.assessment.harm = Harm::Delay;
    assert_eq!(
        first(vec![few, other, late]),
        "node-3: 3 packets were lost in 2 places and 2 of 90211 packets were late on eth0, too few to act on."
    );
}

#[test]
fn a_destination_that_is_nobodys_is_no_fault_of_the_node() {
    let nobody = Assessment {
        is_towards_nobody: true,
        ..outage()
    };
    let headline = "10.244.9.17 does not answer: pod shop/poller tried it 3 times";
    assert_eq!(
        first(vec![found(&CORRUPTION, nobody, headline)]),
        format!("node-3: no fault of this node found. {headline}.")
    );
}

#[test]
fn drops_that_cannot_be_told_apart_are_no_proven_loss() {
    let unknown = Assessment::of(Harm::Unknown).with_packets(412);
    let diagnosis = Diagnosis {
        findings: vec![found(Mechanism::Kernel("x".to_owned()), unknown, "x")],
        ..diagnosis()
    };
    let mut window = window("node-7");
    let told = "node-7: no proven loss. 412 drops on eth0: wanted or unwanted cannot be told apart";
    window.drops = Observed::Complete {
        value: Drops {
            has_reasons: true,
            ..Drops::default()
        },
    };
    assert_eq!(first_in(&window, &diagnosis), format!("{told}."));
    window.node.kernel = "5.10.0-30-amd64".to_owned();
    window.drops = Observed::Complete {
        value: Drops::default(),
    };
    assert_eq!(
        first_in(&window, &diagnosis),
        format!("{told} on Linux 5.10.")
    );
}

#[test]
fn what_has_no_packets_is_no_proven_loss_either() {
    let headline = "driver virtio_net of eth1 cannot finish checksums";
    let unknown = found(&CORRUPTION, Assessment::of(Harm::Unknown), headline);
    assert_eq!(
        first(vec![unknown]),
        format!("node-3: no proven loss, but {headline}.")
    );
}

#[test]
fn what_the_ledger_does_not_explain_is_said_and_never_called_loss() {
    let mut diagnosis = diagnosis();
    let benign = || booking(30, "LLDP", "UNHANDLED_PROTO", Verdict::Benign);
    diagnosis.ledger = vec![entry("eth0", 37, vec![benign()], 7)];
    assert_eq!(
        first_of(&diagnosis),
        "node-3: no proven loss. eth0 rx_dropped rose by 37; 7 of these are not explained."
    );
    diagnosis.ledger = vec![entry("eth0", 37, Vec::new(), 37)];
    assert_eq!(
        first_of(&diagnosis),
        "node-3: no proven loss. eth0 rx_dropped rose by 37, and nothing explains it."
    );
    diagnosis.ledger.push(entry("eth1", 30, vec![benign()], 0));
    assert_eq!(
        first_of(&diagnosis),
        "node-3: no proven loss. 37 packets of 1 counter are not explained."
    );
}

#[test]
fn cost_is_told_as_nothing_lost() {
    let headline = "lan0 works harder than it must: receive offload cannot merge SRv6 packets (0 of 19455; other \
                    traffic 100 %)";
    let cost = found(&SEGMENT_ROUTING_GRO, Assessment::of(Harm::Cost), headline);
    assert_eq!(
        first(vec![cost]),
        format!("node-3: no packets lost, but {headline}.")
    );
}

#[test]
fn decisions_are_a_second_sentence_and_never_the_first() {
    let decided = |by, packets| Assessment::decided(by, Harm::Outage, packets);
    let rule = |packets| found(&CORRUPTION, decided(Decision::Rule, packets), "x");
    let port = |packets| found(&RING_FULL, decided(Decision::ClosedPort, packets), "y");
    let several = vec![rule(30), rule(10), port(15)];
    assert_eq!(
        first(several),
        "node-3: no packet loss found. Refused as meant: 40 packets by packet filter rules, 15 packets to closed \
         ports."
    );
    assert_eq!(
        first(vec![port(1)]),
        "node-3: no packet loss found. Refused as meant: 1 packet to a closed port."
    );
    let each = Decision::ALL.map(|by| found(&CORRUPTION, decided(by, 1), "x"));
    assert_eq!(
        first(each.to_vec()),
        "node-3: no packet loss found. Refused as meant: 1 packet by a packet filter rule, 1 packet by a tc, XDP or \
         BPF program, 1 packet by a policy of IPsec, a security module or a device, 1 packet by a setting, 1 packet \
         to a closed port, 1 packet by rules, policies or closed ports."
    );
}

#[test]
fn no_counter_is_said_to_stand_that_rose() {
    let rose_in = |diagnosis: &Diagnosis, counters: &[(&str, u64)]| {
        let mut window = window("n");
        let counters = counters.iter();
        let counters = counters.map(|(name, rose)| ((*name).to_owned(), *rose));
        window.namespaces = vec![Namespace {
            counters: counters.collect(),
            ..Namespace::default()
        }];
        let text = render(&window, diagnosis, plain(110));
        let first = text.split("\n\n").next().unwrap_or_default();
        let first = first.replace('\n', " ");
        first
            .trim_start_matches("n: no packet loss found. ")
            .to_owned()
    };
    let rose = |counters: &[(&str, u64)]| rose_in(&diagnosis(), counters);
    let filtered = ("TcpExt.IPReversePathFilter", 80);
    assert_eq!(rose(&[]), "No drop counter rose.");
    assert_eq!(
        rose(&[filtered]),
        "No drop counter of a device rose; the protocol counter TcpExt.IPReversePathFilter rose by 80."
    );
    assert_eq!(
        rose(&[filtered, ("Udp.NoPorts", 1)]),
        "No drop counter of a device rose; 2 protocol counters rose."
    );
    let explained = Diagnosis {
        ledger: vec![entry(
            "eth0",
            3,
            vec![booking(3, "LLDP", "X", Verdict::Benign)],
            0,
        )],
        ..diagnosis()
    };
    assert_eq!(
        rose_in(&explained, &[filtered]),
        "One counter rose, and harmless LLDP frames explain all of it; the protocol counter \
         TcpExt.IPReversePathFilter rose by 80."
    );
    // A capture's own counter is none of a device or a protocol.
    let mut captured = window("n");
    let capture = PacketSocket {
        dropped: 507,
        ..PacketSocket::default()
    };
    captured.packet_sockets = Observed::Complete {
        value: vec![capture],
    };
    assert_eq!(
        first_in(&captured, &diagnosis()),
        "n: no packet loss found. No drop counter of a device rose; packet sockets missed 507 packets."
    );
    // One that counts no packets, one of packets that arrived, and one that stood.
    let none = [
        ("Conntrack.invalid", 7),
        ("Tcp.InSegs", 99),
        ("Udp.NoPorts", 0),
    ];
    assert_eq!(rose(&none), "No drop counter rose.");
}

#[test]
fn loss_of_a_cause_that_was_not_asked_for_is_no_health() {
    let mut diagnosis = diagnosis();
    let harmful = booking(7, "TCP", "TCP_CSUM", Verdict::Harmful);
    diagnosis.ledger = vec![entry("eth0", 7, vec![harmful], 0)];
    let text = render(&window("n"), &diagnosis, plain(110));
    assert!(
        text.starts_with(
            "n: nothing found of what was asked for, but 7 packets were lost to other causes.\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("+7 = 7 TCP_CSUM (harmful) + 0 unexplained"),
        "{text}"
    );
    assert!(!text.contains("  Do "), "{text}");
}

#[test]
fn a_pattern_that_no_interface_matches_gives_no_verdict() {
    let globs = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
    let first = |include: &[&str], exclude: &[&str]| {
        first_of(&Diagnosis {
            unmatched: Some(Unmatched {
                include: globs(include),
                exclude: globs(exclude),
            }),
            ..diagnosis()
        })
    };
    let told = "node-3: no verdict: no interface of this node matches";
    assert_eq!(first(&["wlan*"], &[]), format!("{told} 'wlan*'."));
    assert_eq!(
        first(&["wlan*", "ib0"], &["ib*"]),
        format!("{told} 'wlan*' or 'ib0' and is not excluded by 'ib*'.")
    );
    assert_eq!(
        first(&[], &["*"]),
        "node-3: no verdict: '*' excludes every interface of this node."
    );
}

#[test]
fn a_window_that_a_person_ended_gives_no_verdict_but_keeps_what_was_found() {
    let mut diagnosis = Diagnosis {
        ended_before_ms: Some(60_000),
        ..diagnosis()
    };
    assert_eq!(
        first_of(&diagnosis),
        "node-3: no verdict: it was ended after 35 s of 60 s. No drop counter rose."
    );
    diagnosis.findings = vec![found(&CORRUPTION, outage(), "eth0 breaks bytes")];
    assert_eq!(
        first_of(&diagnosis),
        "node-3: connections fail: eth0 breaks bytes. There may be more than was seen: it was ended after 35 s of \
         60 s."
    );
}

#[test]
fn what_full_maps_and_rings_lost_is_said_in_text_and_report() {
    let lost = Diagnosis {
        lost: Lost {
            counts: 3,
            samples: 5,
        },
        ..diagnosis()
    };
    let text = render(&window("n"), &lost, plain(110));
    assert!(text.contains("Lost: 3 counts, 5 samples."), "{text}");
    let said = |diagnosis: &Diagnosis| {
        let report = crate::diagnose::report(&window("n"), diagnosis);
        let lost = report.status.expect("a status").results[0].lost;
        lost.map(|lost| (lost.map_entries, lost.samples))
    };
    assert_eq!(said(&lost), Some((3, 5)));
    assert_eq!(said(&diagnosis()), None);
}
