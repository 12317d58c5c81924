use super::Queueing;
use crate::{
    EvidenceWindow, Window,
    causes::{
        CONGESTION_SIGNAL, Cause, DEVICE_DOWN, NO_CARRIER, NO_READER, NOT_YET_ACTIVE, QUEUE_FULL,
        SHAPED,
    },
    detectors::Detector,
    evidence::{
        Address, DropCount, ExplainedRetransmissions, Link, LinkKind, LinkStats, Missing, Observed,
        OnDemand, PacketSample, Peer, QueueingDiscipline, Retransmissions, TunHolder,
    },
    finding::{Confidence, Finding, Harm, Outcome, Severity},
    testing::{
        NODE, POD, complete, drops_of, ipv4_drops, ipv4_sample, link, links_of, only, owner,
        unavailable, veth, window,
    },
    uapi::flags::{IFF_LOWER_UP, IFF_UP},
};

const GUEST: [u8; 4] = [10, 0, 0, 2];
const GROUP: [u8; 4] = [239, 1, 2, 3];
const LINK_LOCAL: [u8; 4] = [224, 0, 0, 5];
const UDP: u8 = 17;

fn with_flags(flags: u32, link: Link) -> Link {
    Link {
        requested_flags: flags,
        ..link
    }
}

fn without_carrier(link: Link) -> Link {
    with_flags(IFF_UP, link)
}

fn tap(ifindex: u32) -> Link {
    Link {
        kind: Some(LinkKind::Tun),
        qdisc: Some("pfifo_fast".to_owned()),
        ..link(NODE, ifindex, "tap0")
    }
}

/// The node with this device, which dropped packets for this address, of which four were seen.
fn dropped(device: Link, key: DropCount, destination: [u8; 4]) -> EvidenceWindow {
    let mut window = window(vec![device], vec![key]);
    window.tun_holders = complete(Vec::new());
    drops_of(&mut window).samples = vec![ipv4_sample(UDP, destination, &[0; 8]); 4];
    window
}

fn noop(count: u64) -> DropCount {
    ipv4_drops(NODE, 2, "QDISC_DROP", "__dev_queue_xmit", count)
}

fn judged(window: &EvidenceWindow) -> Outcome {
    Queueing.judge(&Window::of(window), &Outcome::default())
}

#[track_caller]
fn found(window: &EvidenceWindow, cause: &'static Cause) -> Finding {
    let finding = only(&judged(window)).clone();
    assert!(finding.cause.is(cause), "{finding:#?}");
    finding
}

fn hold(window: &mut EvidenceWindow, device: &str) {
    window.tun_holders = complete(vec![TunHolder {
        owner: owner(7, "qemu"),
        netns: NODE,
        device: device.to_owned(),
    }]);
}

#[test]
fn a_tap_that_nobody_has_open_fails_its_guest() {
    let mut window = dropped(without_carrier(tap(2)), noop(5), GUEST);
    let finding = found(&window, &NO_READER);
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.assessment.harm, Harm::Outage);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert_eq!(
        finding.text.headline,
        "No program has tap0 open: 5 packets went nowhere"
    );
    // Its program says that nobody is behind it.
    hold(&mut window, "tap0");
    found(&window, &NO_CARRIER);
}

#[test]
fn holders_that_could_not_be_looked_into_leave_it_likely() {
    let mut window = dropped(without_carrier(tap(2)), noop(5), GUEST);
    for holders in [
        unavailable("EPERM"),
        Observed::without(Vec::new(), [Missing::failed("some are closed")]),
    ] {
        window.tun_holders = holders;
        let finding = found(&window, &NO_READER);
        assert_eq!(finding.confidence, Confidence::Likely);
        let headline = "No program was seen that has tap0 open: 5 packets went nowhere";
        assert_eq!(finding.text.headline, headline);
        assert!(finding.text.what.contains("It seems that nobody has"));
    }
}

#[test]
fn a_device_that_was_left_over_hurts_nobody() {
    let window = dropped(without_carrier(tap(2)), noop(5), GROUP);
    assert_eq!(found(&window, &NO_READER).assessment.harm, Harm::None);
    let window = dropped(with_flags(0, tap(2)), noop(5), GROUP);
    assert_eq!(found(&window, &DEVICE_DOWN).assessment.harm, Harm::None);
    let window = dropped(without_carrier(tap(2)), noop(5), LINK_LOCAL);
    assert!(judged(&window).findings.is_empty());
}

#[test]
fn two_packets_prove_no_outage_and_packets_that_were_not_seen_keep_its_urgency() {
    let window = dropped(without_carrier(tap(2)), noop(2), GUEST);
    assert_eq!(found(&window, &NO_READER).severity(), Severity::Info);
    let mut window = dropped(without_carrier(tap(2)), noop(5), GUEST);
    drops_of(&mut window).samples.clear();
    assert_eq!(found(&window, &NO_READER).severity(), Severity::Warning);
}

#[test]
fn neighbours_are_asked_in_vain_where_a_device_sends_nothing() {
    let key = ipv4_drops(NODE, 2, "NEIGH_FAILED", "neigh_invalidate", 5);
    let mut window = dropped(without_carrier(tap(2)), key, GUEST);
    found(&window, &NO_READER);
    links_of(&mut window)[0].stats.tx_packets = 1;
    assert!(judged(&window).findings.is_empty());
    links_of(&mut window)[0].stats.tx_packets = 0;
    links_of(&mut window)[0].requested_flags = IFF_UP | IFF_LOWER_UP;
    assert!(judged(&window).findings.is_empty());
}

#[test]
fn a_guest_whose_tap_is_down_gets_the_command_that_switches_it_on() {
    let key = ipv4_drops(NODE, 2, "DEV_READY", "tun_get_user", 5);
    let finding = found(&dropped(with_flags(0, tap(2)), key, GUEST), &DEVICE_DOWN);
    assert_eq!(finding.assessment.harm, Harm::Outage);
    let remedy = &finding.remedies[0];
    assert_eq!(remedy.command.as_deref(), Some("ip link set dev tap0 up"));
    let undo = remedy
        .change
        .as_ref()
        .and_then(|change| change.undo.as_deref());
    assert_eq!(undo, Some("ip link set dev tap0 down"));
    let unnamed = ipv4_drops(NODE, 2, "", "tun_get_user", 5);
    let finding = found(
        &dropped(with_flags(0, tap(2)), unnamed, GUEST),
        &DEVICE_DOWN,
    );
    assert_eq!(finding.confidence, Confidence::Likely);
}

#[test]
fn a_veth_names_its_other_end_that_is_down() {
    let near = without_carrier(veth(link(NODE, 2, "veth1"), (POD, 3)));
    let mut window = dropped(near, noop(5), GUEST);
    let far = with_flags(0, veth(link(POD, 3, "eth0"), (NODE, 2)));
    links_of(&mut window).push(far);
    let finding = found(&window, &NO_CARRIER);
    assert_eq!(
        finding.text.headline,
        "veth1 has no carrier, eth0 of pod shop/cart-0 is down: 5 packets could not be sent"
    );
    let command = finding.remedies[0].command.as_deref().unwrap_or_default();
    assert!(command.ends_with("ip link set dev eth0 up"), "{command}");
    links_of(&mut window).pop();
    let finding = found(&window, &NO_CARRIER);
    assert!(finding.remedies[0].change.is_none());
}

#[test]
fn a_queue_may_have_been_full_before_the_carrier_was_gone() {
    let mut nic = without_carrier(link(NODE, 2, "eth0"));
    nic.qdisc = Some("fq_codel".to_owned());
    nic.stats.tx_packets = 100;
    let finding = found(&dropped(nic.clone(), noop(5), GUEST), &NO_CARRIER);
    assert_eq!(finding.confidence, Confidence::Likely);
    nic.stats.tx_dropped = 5;
    let finding = found(&dropped(nic.clone(), noop(5), GUEST), &NO_CARRIER);
    assert_eq!(finding.confidence, Confidence::Certain);
    nic.requested_flags |= IFF_LOWER_UP;
    assert!(judged(&dropped(nic, noop(5), GUEST)).findings.is_empty());
}

#[test]
fn a_discipline_that_counted_the_drops_decides_before_the_state_at_the_end() {
    for flags in [0, IFF_UP] {
        let full = with(vec![discipline("pfifo", 0x1_0000, ROOT, 50)]);
        let finding = found(
            &dropped(with_flags(flags, full), noop(50), GUEST),
            &QUEUE_FULL,
        );
        assert_eq!(finding.confidence, Confidence::Certain);
    }
    // It sent something, and nothing tells whether its queue was full before it was switched off.
    let down = with_flags(0, ready("fq_codel"));
    let finding = found(&dropped(down, noop(50), GUEST), &DEVICE_DOWN);
    assert_eq!(finding.confidence, Confidence::Likely);
}

#[test]
fn what_came_before_a_device_was_active_is_info() {
    let mut near = with_flags(
        IFF_UP | IFF_LOWER_UP,
        veth(link(NODE, 2, "veth1"), (POD, 3)),
    );
    near.qdisc = Some("noqueue".to_owned());
    near.stats.tx_packets = 50;
    let early = found(&dropped(near.clone(), noop(50), GUEST), &NOT_YET_ACTIVE);
    assert_eq!(early.severity(), Severity::Info);
    // It was active before, so that its carrier was away for a while.
    near.stats_before = Some(LinkStats {
        tx_packets: 10,
        ..LinkStats::default()
    });
    assert!(
        judged(&dropped(near.clone(), noop(50), GUEST))
            .findings
            .is_empty()
    );
    near.stats.tx_dropped = 50;
    let away = found(&dropped(near, noop(50), GUEST), &NO_CARRIER);
    assert_eq!(away.assessment.harm, Harm::Loss);
    assert_eq!(away.severity(), Severity::Critical);
}

/// A frame of 10.0.0.1 for the macvtap's own address.
fn frame(destination: [u8; 4]) -> PacketSample {
    let packet = ipv4_sample(UDP, destination, &[0; 8]);
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    bytes.extend(&packet.bytes);
    PacketSample {
        bytes,
        has_link_header: true,
        network_offset: Some(14),
        ..packet
    }
}

#[test]
fn frames_for_a_guest_that_climb_the_nodes_stack_have_no_reader() {
    let macvtap = Link {
        kind: Some(LinkKind::MacVtap),
        address: Some("02:00:00:00:00:02".to_owned()),
        peer: Some(Peer {
            ifindex: 9,
            netns: Some(NODE),
        }),
        ..with_flags(IFF_UP | IFF_LOWER_UP, link(NODE, 2, "macvtap0"))
    };
    let refused = |reason, location| ipv4_drops(NODE, 2, reason, location, 9);
    for (reason, location) in [
        ("IP_INADDRERRORS", "ip_error"),
        ("IP_INNOROUTES", "ip_error"),
        ("", "ip_error"),
        ("IP_RPFILTER", "ip_rcv_finish_core"),
    ] {
        let mut window = dropped(macvtap.clone(), refused(reason, location), GUEST);
        drops_of(&mut window).samples = vec![frame(GUEST); 4];
        let finding = found(&window, &NO_READER);
        assert_eq!(finding.assessment.harm, Harm::Outage, "{reason}");
        assert_eq!(finding.confidence, Confidence::Certain);
        // The node uses the device itself.
        window.namespaces[0].addresses = vec![Address {
            ifindex: 2,
            address: GUEST.into(),
            prefix: 24,
        }];
        assert!(judged(&window).findings.is_empty(), "{reason}");
        window.namespaces[0].addresses.clear();
        // It is read again.
        hold(&mut window, "macvtap0");
        assert_eq!(found(&window, &NO_READER).assessment.harm, Harm::Loss);
        drops_of(&mut window).samples.clear();
        assert!(judged(&window).findings.is_empty(), "{reason}");
        window.tun_holders = complete(Vec::new());
        let unseen = found(&window, &NO_READER);
        assert_eq!(unseen.confidence, Confidence::Likely);
        assert_eq!(unseen.severity(), Severity::Warning);
    }
    let mut window = dropped(
        macvtap.clone(),
        refused("FULL_RING", "tap_handle_frame"),
        GUEST,
    );
    drops_of(&mut window).samples = vec![frame(GUEST); 4];
    assert!(judged(&window).findings.is_empty());
}

/// A device that is ready, whose root discipline is of this kind; its disciplines are not read.
fn ready(kind: &str) -> Link {
    let mut nic = with_flags(IFF_UP | IFF_LOWER_UP, link(NODE, 2, "eth0"));
    nic.qdisc = Some(kind.to_owned());
    nic.tx_queue_length = 1_000;
    nic.stats.tx_packets = 100;
    nic
}

fn discipline(kind: &str, handle: u32, parent: u32, drops: u32) -> QueueingDiscipline {
    QueueingDiscipline {
        kind: kind.to_owned(),
        handle,
        parent,
        drops,
        drops_before: Some(0),
        limit: (kind == "pfifo").then_some(5),
    }
}

const ROOT: u32 = u32::MAX;

fn with(disciplines: Vec<QueueingDiscipline>) -> Link {
    let kind = disciplines[0].kind.clone();
    Link {
        disciplines: Some(disciplines),
        ..ready(&kind)
    }
}

#[test]
fn the_kind_of_a_discipline_tells_a_full_queue_from_a_signal_and_a_shaper() {
    for (kind, cause, harm, severity) in [
        ("pfifo_fast", &QUEUE_FULL, Harm::Loss, Severity::Critical),
        ("fq", &QUEUE_FULL, Harm::Loss, Severity::Critical),
        (
            "fq_codel",
            &CONGESTION_SIGNAL,
            Harm::Loss,
            Severity::Critical,
        ),
        ("cake", &CONGESTION_SIGNAL, Harm::Loss, Severity::Critical),
        ("netem", &SHAPED, Harm::Loss, Severity::Info),
        ("tbf", &SHAPED, Harm::Loss, Severity::Info),
    ] {
        let finding = found(&dropped(ready(kind), noop(50), GUEST), cause);
        assert_eq!(finding.assessment.harm, harm, "{kind}");
        assert_eq!(finding.severity(), severity, "{kind}");
        assert_eq!(finding.confidence, Confidence::Likely, "{kind}");
        let read = with(vec![discipline(kind, 0x1_0000, ROOT, 50)]);
        let finding = found(&dropped(read, noop(50), GUEST), cause);
        assert_eq!(finding.confidence, Confidence::Certain, "{kind}");
    }
    let hurts = |kind, cause| {
        let finding = found(&dropped(ready(kind), noop(50), GUEST), cause);
        finding.text.hurts
    };
    let full = hurts("pfifo_fast", &QUEUE_FULL);
    assert!(full.starts_with("50 of 150 packets (33 %) that eth0 was to send were lost."));
    let signal = hurts("fq_codel", &CONGESTION_SIGNAL);
    assert!(signal.starts_with("50 of 150 packets (33 %) that eth0 was to send were dropped"));
    let shaped = hurts("tbf", &SHAPED);
    assert!(shaped.starts_with("As it is meant to: 50 of 150 packets (33 %) dropped"));
    // Its queues may be of any kind.
    assert!(
        judged(&dropped(ready("mq"), noop(50), GUEST))
            .findings
            .is_empty()
    );
}

/// A TCP segment with data, of a sequence number of its own.
fn segment(sequence: u8) -> PacketSample {
    let mut header = vec![
        0x9c, 1, 0, 80, 0, 0, sequence, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0,
    ];
    header.extend([0; 10]);
    ipv4_sample(6, GUEST, &header)
}

#[test]
fn a_signal_hurts_nobody_only_where_tcp_alone_was_seen_and_on_time() {
    let with = |samples: Vec<PacketSample>, count| {
        let mut window = dropped(ready("fq_codel"), noop(count), GUEST);
        drops_of(&mut window).samples = samples;
        window
    };
    let of = |window: &EvidenceWindow| {
        let finding = found(window, &CONGESTION_SIGNAL);
        (finding.assessment.harm, finding.severity())
    };
    let alive: Vec<_> = (1..5).map(segment).collect();
    assert_eq!(of(&with(alive.clone(), 50)), (Harm::None, Severity::Info));
    // Of a segment that was seen twice, the third try may be among those that nobody saw.
    let again = vec![segment(1), segment(2), segment(3), segment(1)];
    let may_be_dead = (Harm::Unknown, Severity::Warning);
    assert_eq!(of(&with(again, 50)), may_be_dead);
    let dead = vec![segment(1), segment(1), segment(1), segment(2)];
    assert_eq!(of(&with(dead, 50)), (Harm::Outage, Severity::Warning));
    assert_eq!(of(&with(Vec::new(), 50)), may_be_dead);
    // Datagrams beside segments are lost; how many is not known.
    let datagram = ipv4_sample(UDP, GUEST, &[0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
    let mixed = [&alive[..3], &[datagram]].concat();
    assert_eq!(of(&with(mixed, 50)), (Harm::Loss, Severity::Warning));
    // WireGuard: nothing tells what it carries.
    let sealed = ipv4_sample(UDP, GUEST, &[0xca, 0x6c, 0xca, 0x6c, 0, 8, 0, 0]);
    let sealed = with(vec![sealed; 4], 50);
    assert_eq!(of(&sealed), (Harm::Unknown, Severity::Info));
    let mut late = with(alive, 50);
    let mut with_late = |late_segments| {
        let row = ExplainedRetransmissions {
            netns: Some(NODE),
            ifindex: 2,
            ethertype: 0x800,
            reason: "QDISC_DROP".into(),
            location: "__dev_queue_xmit".into(),
            segments: 50,
            late: late_segments,
        };
        let value = Retransmissions {
            explained: vec![row],
            ..Retransmissions::default()
        };
        late.retransmissions = OnDemand::Ran {
            question: String::new(),
            from_ms: 0,
            until_ms: 1,
            value,
        };
        of(&late)
    };
    assert_eq!(with_late(0), (Harm::None, Severity::Info));
    assert_eq!(with_late(2), (Harm::Delay, Severity::Info));
    assert_eq!(with_late(3), (Harm::Delay, Severity::Warning));
}

#[test]
fn the_lowest_discipline_that_counted_tells() {
    let of = |children: Vec<QueueingDiscipline>, root| {
        let mut all = vec![discipline(root, 0x1_0000, ROOT, 50)];
        all.extend(children);
        dropped(with(all), noop(50), GUEST)
    };
    let signals = |at| discipline("fq_codel", 0, at, 25);
    found(
        &of(vec![signals(0x1_0001), signals(0x1_0002)], "mq"),
        &CONGESTION_SIGNAL,
    );
    found(
        &of(vec![discipline("pfifo", 0, 0x1_0001, 50)], "mq"),
        &QUEUE_FULL,
    );
    found(
        &of(vec![discipline("pfifo", 0, 0x1_0001, 50)], "htb"),
        &SHAPED,
    );
    let mixed = vec![signals(0x1_0001), discipline("pfifo", 0, 0x1_0002, 25)];
    assert!(judged(&of(mixed, "mq")).findings.is_empty());
}

#[test]
fn the_limit_of_fq_that_was_reached_is_told() {
    let headline = |reason, kind| {
        let key = ipv4_drops(NODE, 2, reason, "__dev_queue_xmit", 50);
        let read = with(vec![discipline(kind, 0x1_0000, ROOT, 50)]);
        found(&dropped(read, key, GUEST), &QUEUE_FULL).text.headline
    };
    for (reason, kind, words) in [
        ("QDISC_DROP", "pfifo", "The queue of eth0 was full: "),
        (
            "QDISC_DROP",
            "fq",
            "The queue of eth0, or one flow's share of it, was full: ",
        ),
        ("FQ_BAND_LIMIT", "fq", "The queue of eth0 was full: "),
        (
            "FQ_FLOW_LIMIT",
            "fq",
            "A flow had as many packets waiting at eth0 as fq lets it: ",
        ),
        (
            "FQ_HORIZON_LIMIT",
            "fq",
            "Packets at eth0 were to leave later than fq lets them wait: ",
        ),
    ] {
        let headline = headline(reason, kind);
        assert!(headline.starts_with(words), "{headline}");
    }
}

#[test]
fn the_queues_of_the_default_mq_tell() {
    let of = |kinds: [&str; 2], dropped_by| {
        let mut all = vec![discipline("mq", 0, ROOT, 50)];
        all.push(discipline(kinds[0], 0, 1, 20));
        all.push(discipline(kinds[1], 0, 2, 30));
        // Its parent is the root of what comes in.
        all.push(discipline("clsact", 0xffff_0000, 0xffff_fff1, dropped_by));
        dropped(with(all), noop(50), GUEST)
    };
    for filtered in [0, 3] {
        let full = found(&of(["pfifo_fast"; 2], filtered), &QUEUE_FULL);
        assert_eq!(full.confidence, Confidence::Certain);
        let signal = found(&of(["fq_codel"; 2], filtered), &CONGESTION_SIGNAL);
        assert_eq!(signal.confidence, Confidence::Certain);
    }
    assert!(
        judged(&of(["fq_codel", "pfifo_fast"], 0))
            .findings
            .is_empty()
    );
    // Another root without a handle, by itself.
    let single = with(vec![discipline("fq_codel", 0, ROOT, 50)]);
    found(&dropped(single, noop(50), GUEST), &CONGESTION_SIGNAL);
}

#[test]
fn a_discipline_that_counted_less_or_nothing_is_not_the_one_for_sure() {
    let read = with(vec![discipline("pfifo", 0x1_0000, ROOT, 40)]);
    let finding = found(&dropped(read, noop(50), GUEST), &QUEUE_FULL);
    assert_eq!(finding.confidence, Confidence::Likely);
    let read = with(vec![discipline("pfifo", 0x1_0000, ROOT, 0)]);
    assert!(judged(&dropped(read, noop(50), GUEST)).findings.is_empty());
}

#[test]
fn without_reasons_only_a_count_that_is_enough_tells() {
    let unnamed = || ipv4_drops(NODE, 2, "", "kfree_skb_list", 50);
    assert!(
        judged(&dropped(ready("netem"), unnamed(), GUEST))
            .findings
            .is_empty()
    );
    let counted = |drops| with(vec![discipline("netem", 0x1_0000, ROOT, drops)]);
    assert!(
        judged(&dropped(counted(40), unnamed(), GUEST))
            .findings
            .is_empty()
    );
    let finding = found(&dropped(counted(50), unnamed(), GUEST), &SHAPED);
    assert_eq!(finding.confidence, Confidence::Likely);
}

#[test]
fn a_queue_is_lengthened_from_what_is_set() {
    let changes = |window: &EvidenceWindow| {
        let finding = found(window, &QUEUE_FULL);
        let remedy = finding.remedies[0].clone();
        let undo = remedy.change.and_then(|change| change.undo);
        (remedy.command.unwrap_or_default(), undo.unwrap_or_default())
    };
    let change = |command: &str, undo: &str| (command.to_owned(), undo.to_owned());
    let set = change(
        "ip link set dev eth0 txqueuelen 2000",
        "ip link set dev eth0 txqueuelen 1000",
    );
    assert_eq!(changes(&dropped(ready("pfifo_fast"), noop(50), GUEST)), set);
    let pfifo = |parent| with(vec![discipline("pfifo", 0x10_0000, parent, 50)]);
    let set = change(
        "tc qdisc change dev eth0 root pfifo limit 10",
        "tc qdisc change dev eth0 root pfifo limit 5",
    );
    assert_eq!(changes(&dropped(pfifo(ROOT), noop(50), GUEST)), set);
    let set = change(
        "tc qdisc change dev eth0 parent 1:a handle 10: pfifo limit 10",
        "tc qdisc change dev eth0 parent 1:a handle 10: pfifo limit 5",
    );
    assert_eq!(changes(&dropped(pfifo(0x1_000a), noop(50), GUEST)), set);
    // Nothing is known of its limit.
    let (look, undo) = changes(&dropped(ready("fq"), noop(50), GUEST));
    assert_eq!(
        (look.as_str(), undo.as_str()),
        ("tc -statistics qdisc show dev eth0", "")
    );
}
