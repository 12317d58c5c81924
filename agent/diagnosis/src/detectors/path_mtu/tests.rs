use super::PathMtu;
use crate::{
    Window,
    detectors::{ALL, Detector as _},
    evidence::{
        Address, DropCount, EvidenceWindow, ExplainedRetransmissions, Link, OnDemand, PacketSample,
        Retransmissions, Route,
    },
    finding::{Acts, Confidence, Finding, Harm, Outcome, Severity},
    testing::{
        NODE, POD, drops_of, ipv4_drops, ipv4_sample, link, links_of, only, proofs, veth, window,
    },
};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const TUNNEL: u32 = 3;
const TUNNEL_MTU: u32 = 1_450;

fn with_mtu(link: Link, mtu: u32) -> Link {
    Link { mtu, ..link }
}

/// The node, a tunnel of it, and a pod with 10.0.0.1 and an MTU of 1500.
fn node(keys: Vec<(DropCount, Vec<PacketSample>)>) -> EvidenceWindow {
    let links = vec![
        with_mtu(link(NODE, 2, "cali1"), 1_500),
        with_mtu(link(NODE, TUNNEL, "tun0"), TUNNEL_MTU),
        with_mtu(link(POD, 2, "eth0"), 1_500),
    ];
    let (counts, samples): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    let mut window = window(links, counts);
    let samples = samples.into_iter().enumerate();
    drops_of(&mut window).samples = samples
        .flat_map(|(key, samples)| {
            let of_key = samples.into_iter();
            of_key.map(move |sample| PacketSample { key, ..sample })
        })
        .collect();
    window.namespaces[1].addresses = vec![Address {
        ifindex: 2,
        address: [10, 0, 0, 1].into(),
        prefix: 32,
    }];
    window
}

/// A packet of the pod that fills its MTU and must not be cut.
fn long(protocol: u8, rest: &[u8]) -> PacketSample {
    let mut sample = ipv4_sample(protocol, [10, 9, 0, 1], rest);
    sample.bytes[2..4].copy_from_slice(&1_500_u16.to_be_bytes());
    sample.bytes[6] = 0x40;
    PacketSample {
        length: 1_500,
        skb_iif: 2,
        route: Some(Route {
            ifindex: TUNNEL,
            ..Route::default()
        }),
        ..sample
    }
}

/// Its sequence number is 256 times this one.
fn segment(port: u8, sequence: u8) -> PacketSample {
    let mut header = vec![0x9c, port, 0, 80, 0, 0, sequence, 0, 0, 0, 0, 0, 0x50, 0x10];
    header.extend([0; 10]);
    long(TCP, &header)
}

fn datagram() -> PacketSample {
    long(UDP, &[0x9c, 0x40, 0, 53, 5, 0xc8, 0, 0, 1, 2])
}

fn echo() -> PacketSample {
    long(ICMP, &[8, 0, 0, 0, 0, 1, 0, 1])
}

/// The node's ICMP error about this packet.
fn answer(about: &PacketSample) -> PacketSample {
    let [high, low] = u16::try_from(TUNNEL_MTU).expect("short").to_be_bytes();
    let quoted = [&[3, 4, 0, 0, 0, 0, high, low], &about.bytes[..]].concat();
    ipv4_sample(ICMP, [10, 0, 0, 1], &quoted)
}

fn too_big(count: u64) -> DropCount {
    ipv4_drops(NODE, 2, "PKT_TOO_BIG", "ip_forward", count)
}

fn unnamed(count: u64) -> DropCount {
    ipv4_drops(NODE, 2, "", "ip_forward", count)
}

fn refused(count: u64) -> DropCount {
    ipv4_drops(NODE, 0, "NETFILTER_DROP", "nft_do_chain", count)
}

fn judged(window: &EvidenceWindow) -> Outcome {
    PathMtu.judge(&Window::of(window), &Outcome::default())
}

fn told(mut window: EvidenceWindow, answers: u64) -> EvidenceWindow {
    let pod = &mut window.namespaces[1];
    for (counters, value) in [(&mut pod.counters_before, 0), (&mut pod.counters, answers)] {
        counters.insert("Icmp.InDestUnreachs".to_owned(), value);
    }
    window
}

#[track_caller]
fn assert_is(finding: &Finding, cause: &str, harm: Harm, severity: Severity) {
    let found = (
        finding.cause.name(),
        finding.assessment.harm,
        finding.severity(),
    );
    assert_eq!(found, (cause, harm, severity), "{finding:#?}");
}

#[test]
fn a_segment_that_is_sent_again_and_again_is_a_dead_connection() {
    let tries = vec![segment(1, 1), segment(1, 9), segment(1, 1), segment(1, 1)];
    let outcome = judged(&node(vec![(too_big(5), tries)]));
    let finding = only(&outcome);
    assert_is(finding, "BlackHole", Harm::Outage, Severity::Critical);
    assert!(finding.assessment.are_flows_dead);
    assert_eq!(finding.subject.interface.as_deref(), Some("tun0"));
    let headline = &finding.text.headline;
    for words in ["pod shop/cart-0 (MTU 1500)", "tun0 (MTU 1450)", "5 packets"] {
        assert!(headline.contains(words), "{headline}");
    }
    assert!(outcome.claims.has(0));
}

#[test]
fn two_tries_prove_it_where_the_answers_died_here() {
    let tries = vec![segment(1, 1), segment(1, 9)];
    let answers = tries.iter().map(answer).collect();
    let window = node(vec![(too_big(2), tries.clone()), (refused(2), answers)]);
    let whole = Window::of(&window);
    let mut so_far = Outcome::default();
    for detector in ALL.iter().take_while(|one| one.check().name != "PathMtu") {
        let next = detector.judge(&whole, &so_far);
        so_far.extend(next);
    }
    let rule = so_far.claims.iter().find(|claim| claim.drop == 1);
    let rule = rule.and_then(|claim| claim.finding.clone());
    let outcome = PathMtu.judge(&whole, &so_far);
    let finding = only(&outcome);
    assert_is(finding, "BlackHole", Harm::Outage, Severity::Critical);
    assert_eq!(finding.caused_by, rule.into_iter().collect::<Vec<_>>());
    assert_eq!(finding.caused_by.len(), 1);
    let name = "sampled ICMP errors about these packets (MTU 1450) that died: NETFILTER_DROP at nft_do_chain, 0x0800";
    assert!(proofs(finding).contains(&(name, "2")), "{finding:#?}");
    let without = judged(&node(vec![(too_big(2), tries)]));
    assert_is(only(&without), "TooBig", Harm::Unknown, Severity::Info);
}

#[test]
fn a_super_frame_and_its_segments_are_the_same_data() {
    let sized = |sequence: u8, length: u16| {
        let mut sample = segment(1, sequence);
        sample.bytes[2..4].copy_from_slice(&length.to_be_bytes());
        PacketSample {
            length: u32::from(length),
            ..sample
        }
    };
    // The whole window, its last segment, its first one.
    let tries = vec![sized(1, 14_520), sized(50, 1_500), sized(1, 1_500)];
    let outcome = judged(&node(vec![(too_big(3), tries)]));
    assert_is(only(&outcome), "BlackHole", Harm::Loss, Severity::Warning);
    let tries = vec![
        sized(1, 14_520),
        sized(1, 1_500),
        sized(50, 1_500),
        sized(1, 1_500),
    ];
    let outcome = judged(&node(vec![(too_big(4), tries)]));
    assert_is(
        only(&outcome),
        "BlackHole",
        Harm::Outage,
        Severity::Critical,
    );
}

#[test]
fn some_answers_that_died_do_not_prove_that_all_did() {
    let burst: Vec<_> = [1, 9].map(|sequence| segment(1, sequence)).to_vec();
    let answers = vec![answer(&burst[0])];
    let window = node(vec![(too_big(2), burst.clone()), (refused(1), answers)]);
    let outcome = judged(&window);
    let finding = only(&outcome);
    assert_is(finding, "TooBig", Harm::Unknown, Severity::Info);
    assert!(finding.text.what.contains("Some of the ICMP errors"));
    let other = ipv4_sample(UDP, [10, 0, 0, 7], &[0, 53, 0, 53, 0, 8, 0, 0]);
    let answers = vec![answer(&burst[0]), other];
    let window = node(vec![(too_big(2), burst), (refused(2), answers)]);
    let outcome = judged(&window);
    let finding = only(&outcome);
    assert_is(finding, "TooBig", Harm::Unknown, Severity::Info);
    assert!(finding.text.what.contains("Some of the ICMP errors"));
}

#[test]
fn segments_that_were_sent_again_late_were_not_heard_of() {
    let mut window = node(vec![(
        too_big(3),
        vec![segment(1, 1), segment(2, 1), segment(3, 1)],
    )]);
    let row = |late| ExplainedRetransmissions {
        netns: Some(NODE),
        ifindex: 2,
        ethertype: 0x800,
        reason: "PKT_TOO_BIG".into(),
        location: "ip_forward".into(),
        segments: 9,
        late,
    };
    let mut with = |late| {
        let value = Retransmissions {
            explained: vec![row(late)],
            ..Retransmissions::default()
        };
        window.retransmissions = OnDemand::Ran {
            question: String::new(),
            from_ms: 0,
            until_ms: 1,
            value,
        };
        judged(&window)
    };
    assert_is(only(&with(2)), "TooBig", Harm::Unknown, Severity::Info);
    assert_is(only(&with(3)), "BlackHole", Harm::Loss, Severity::Warning);
}

#[test]
fn few_tries_are_loss_where_the_sender_did_not_learn() {
    let tries = vec![segment(1, 1)];
    let answers = tries.iter().map(answer).collect();
    let window = node(vec![(too_big(1), tries), (refused(1), answers)]);
    assert_is(
        only(&judged(&window)),
        "BlackHole",
        Harm::Loss,
        Severity::Info,
    );
    let twice = node(vec![(too_big(2), vec![segment(1, 1), segment(1, 1)])]);
    let outcome = judged(&twice);
    let finding = only(&outcome);
    assert_is(finding, "BlackHole", Harm::Loss, Severity::Info);
    assert_eq!(finding.confidence, Confidence::Likely);
}

#[test]
fn answers_about_others_prove_nothing() {
    let tries = vec![segment(1, 1), segment(1, 9)];
    let other = answer(&segment(2, 1));
    let window = node(vec![(too_big(2), tries), (refused(1), vec![other])]);
    assert_is(
        only(&judged(&window)),
        "TooBig",
        Harm::Unknown,
        Severity::Info,
    );
}

#[test]
fn segments_that_died_once_hurt_nobody_where_the_sender_was_told() {
    let once = || node(vec![(too_big(2), vec![segment(1, 1), segment(1, 9)])]);
    let outcome = judged(&told(once(), 2));
    let finding = only(&outcome);
    assert_is(finding, "TooBig", Harm::None, Severity::Info);
    assert!(finding.remedies.is_empty());
    let outcome = judged(&told(once(), 1));
    assert_is(only(&outcome), "TooBig", Harm::Unknown, Severity::Info);
}

#[test]
fn datagrams_of_one_length_never_get_through() {
    let datagrams = |count| vec![datagram(); count];
    let for_seconds = DropCount {
        last_ms: 2_000,
        ..too_big(20)
    };
    let spread = |count: u64| {
        let each = (0..count).map(|number| PacketSample {
            at_ms: 250 * number,
            ..datagram()
        });
        each.collect::<Vec<_>>()
    };
    let outcome = judged(&node(vec![(for_seconds.clone(), spread(6))]));
    assert_is(only(&outcome), "BlackHole", Harm::Loss, Severity::Warning);
    // Others died all the time; these died at once.
    let outcome = judged(&node(vec![(for_seconds, datagrams(6))]));
    assert_is(only(&outcome), "TooBig", Harm::Unknown, Severity::Info);
    // A sender that is far away has not heard yet.
    let outcome = judged(&node(vec![(too_big(20), datagrams(6))]));
    assert_is(only(&outcome), "TooBig", Harm::Unknown, Severity::Info);
    let answers = vec![answer(&datagram())];
    let window = node(vec![(too_big(20), datagrams(6)), (refused(20), answers)]);
    let outcome = judged(&window);
    let finding = only(&outcome);
    assert_is(finding, "BlackHole", Harm::Outage, Severity::Critical);
    assert!(!finding.assessment.are_flows_dead);
    // A search for the MTU tries a length three times.
    let outcome = judged(&node(vec![(too_big(3), datagrams(3))]));
    assert_is(only(&outcome), "TooBig", Harm::Unknown, Severity::Info);
}

#[test]
fn pings_of_one_length_are_a_test_of_the_way() {
    let outcome = judged(&node(vec![(too_big(5), vec![echo(); 5])]));
    assert_is(only(&outcome), "TooBig", Harm::Unknown, Severity::Info);
}

#[test]
fn a_kernel_without_reasons_is_believed_by_lengths() {
    let mut fitting = segment(1, 1);
    fitting.length = 1_400;
    let mut expired = segment(1, 1);
    expired.bytes[8] = 1;
    let mut may_be_cut = segment(1, 1);
    may_be_cut.bytes[6] = 0;
    let mut unrouted = segment(1, 1);
    unrouted.route = None;
    for other in [fitting.clone(), expired, may_be_cut, unrouted] {
        let outcome = judged(&node(vec![(unnamed(4), vec![other; 4])]));
        assert!(outcome.findings.is_empty(), "{outcome:#?}");
        assert!(!outcome.claims.has(0));
    }
    let outcome = judged(&node(vec![(unnamed(4), vec![segment(1, 1); 4])]));
    assert_is(
        only(&outcome),
        "BlackHole",
        Harm::Outage,
        Severity::Critical,
    );
    assert_eq!(only(&outcome).confidence, Confidence::Certain);
    let mut mixed = vec![segment(1, 1); 4];
    mixed.push(fitting);
    let outcome = judged(&node(vec![(unnamed(9), mixed)]));
    let finding = only(&outcome);
    assert_eq!((finding.count, finding.confidence), (8, Confidence::Likely));
}

#[test]
fn packets_that_nobody_saw_stay_as_urgent() {
    let outcome = judged(&node(vec![(too_big(5), Vec::new())]));
    assert_is(only(&outcome), "TooBig", Harm::Unknown, Severity::Critical);
}

#[test]
fn the_mtu_of_a_route_is_named_as_such() {
    let mut try_again = segment(1, 1);
    try_again.route = Some(Route {
        ifindex: TUNNEL,
        mtu: 1_300,
        is_mtu_locked: false,
    });
    let outcome = judged(&node(vec![(too_big(4), vec![try_again; 4])]));
    let headline = &only(&outcome).text.headline;
    assert!(
        headline.contains("tun0 by its route (MTU 1300)"),
        "{headline}"
    );
}

#[test]
fn the_mtu_of_the_pod_and_the_segments_of_tcp_are_changed() {
    let outcome = judged(&node(vec![(too_big(4), vec![segment(1, 1); 4])]));
    let remedies = &only(&outcome).remedies;
    let enter = r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" "#;
    let lower = &remedies[1];
    assert_eq!(
        lower.command,
        Some(format!("{enter}ip link set dev eth0 mtu 1450"))
    );
    let change = lower.change.as_ref().expect("a change");
    assert_eq!(
        change.undo,
        Some(format!("{enter}ip link set dev eth0 mtu 1500"))
    );
    let clamp = &remedies[0];
    let change = clamp.change.as_ref().expect("a change");
    assert_eq!(change.undo.as_deref(), Some("nft delete table ip mss_tun0"));
    assert_eq!(change.acts, Acts::NextSocket);
    let command = clamp.command.as_deref().unwrap_or_default();
    assert!(command.contains("iifname \"tun0\""), "{command}");
    assert!(command.contains("maxseg size set 1410"), "{command}");
}

#[test]
fn a_lower_mtu_tells_of_the_other_end_that_drops_what_is_longer() {
    let mut window = node(vec![(too_big(4), vec![segment(1, 1); 4])]);
    let links = links_of(&mut window);
    links[0] = veth(links[0].clone(), (POD, 2));
    links[2] = veth(links[2].clone(), (NODE, 2));
    let effect = |window: &EvidenceWindow| {
        let outcome = judged(window);
        let change = only(&outcome).remedies[1].clone();
        change.effect.unwrap_or_default()
    };
    let both = effect(&window);
    assert!(both.contains("longer than 1450 bytes"), "{both}");
    assert!(both.contains("dropped at cali1"), "{both}");
    links_of(&mut window)[0].mtu = TUNNEL_MTU;
    assert!(!effect(&window).contains("dropped at"));
}

#[test]
fn an_mtu_that_is_not_the_devices_is_not_said_to_be_its() {
    let by = |route: Route, answers: Vec<PacketSample>| {
        let tries = vec![
            PacketSample {
                route: Some(route),
                ..segment(1, 1)
            };
            4
        ];
        let count = answers.len() as u64;
        let outcome = judged(&node(vec![(too_big(4), tries), (refused(count), answers)]));
        only(&outcome).clone()
    };
    let of_route = Route {
        ifindex: TUNNEL,
        mtu: 1_300,
        is_mtu_locked: false,
    };
    // The answer is another router's.
    let finding = by(of_route, vec![answer(&segment(1, 1))]);
    let what = &finding.text.what;
    assert!(what.starts_with("The way by tun0 takes packets up to 1300 bytes,"));
    let clamp = &finding.remedies[0].text;
    assert!(clamp.contains("to 1300 bytes with headers (MSS 1260)"));
    // cali1 takes 1500 bytes, and an answer tells of less.
    let wide = Route {
        ifindex: 2,
        ..Route::default()
    };
    let finding = by(wide, vec![answer(&segment(1, 1))]);
    let headline = &finding.text.headline;
    assert!(
        headline.contains("the way by cali1 (MTU 1450)"),
        "{headline}"
    );
    let finding = by(wide, Vec::new());
    let what = &finding.text.what;
    assert!(what.starts_with("The way onward takes shorter packets,"));
}

#[test]
fn packets_of_several_ways_get_no_command_for_one() {
    let mut tries = vec![segment(1, 1); 4];
    tries.push(PacketSample {
        route: Some(Route {
            ifindex: TUNNEL,
            mtu: 1_300,
            is_mtu_locked: false,
        }),
        ..segment(2, 1)
    });
    let answers = vec![answer(&segment(1, 1))];
    let outcome = judged(&node(vec![(too_big(9), tries), (refused(1), answers)]));
    let finding = only(&outcome);
    assert_is(finding, "BlackHole", Harm::Outage, Severity::Critical);
    assert_eq!(finding.confidence, Confidence::Likely);
    assert_eq!(finding.subject.interface, None);
    assert!(finding.remedies.iter().all(|one| one.change.is_none()));
    assert!(finding.remedies[0].command.is_some());
}

#[test]
fn a_sample_without_a_route_makes_no_second_way() {
    let mut tries = vec![segment(1, 1); 4];
    tries.push(PacketSample {
        route: None,
        ..segment(1, 1)
    });
    let outcome = judged(&node(vec![(too_big(5), tries)]));
    let finding = only(&outcome);
    assert_eq!(finding.subject.interface.as_deref(), Some("tun0"));
    assert_eq!(finding.confidence, Confidence::Certain);
}

#[test]
fn no_device_with_ipv6_gets_less_than_ipv6_needs() {
    let mut try_again = segment(1, 1);
    try_again.route = Some(Route {
        ifindex: TUNNEL,
        mtu: 1_200,
        is_mtu_locked: false,
    });
    let mut window = node(vec![(too_big(4), vec![try_again; 4])]);
    let changes = |window: &EvidenceWindow| {
        let outcome = judged(window);
        let remedies = only(&outcome).remedies.iter();
        remedies.filter(|remedy| remedy.change.is_some()).count()
    };
    assert_eq!(changes(&window), 2);
    window.namespaces[1].addresses.push(Address {
        ifindex: 2,
        address: "fd00::1".parse().expect("an address"),
        prefix: 64,
    });
    assert_eq!(changes(&window), 1);
}
