//! A queue of 4 packets before a reader that sleeps 60 ms: 223 drops, and rx_dropped +223.

use super::TapQueueDrop;
use crate::{
    Settings, Window,
    causes::TAP_QUEUE_DROP,
    detectors::{Detector, recorded},
    evidence::{
        Address, DropCount, EvidenceWindow, ExplainedRetransmissions, Link, LinkStats, NetnsId,
        OnDemand, PacketSample, Retransmissions, TunHolder,
    },
    finding::{Confidence, Finding, Harm, Outcome, Severity, Verdict},
    kernel::{Function, Reason},
    testing::{
        self, NODE, POD, complete, drops_of, first_drop_claimed, ipv4_drops, ledger, links_of,
        only, owner, pod_namespace, unavailable, window,
    },
};

const LOST: u64 = 223;
/// Packets that found room.
const CARRIED: u64 = 9_777;

/// 10.6.0.1:40000 -> 10.6.0.2:5001 TCP.
const PACKET: [u8; 40] = [
    0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 6, 0, 1, 10, 6, 0, 2, 0x9c, 0x40, 0x13, 0x89, 0,
    0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0, 64, 0, 0, 0, 0,
];

fn device(kind: &str, name: &str) -> Link {
    Link {
        kind: Some(kind.into()),
        tx_queue_length: 500,
        requested_flags: 0x1_1043,
        stats_before: Some(LinkStats::default()),
        ..testing::link(NODE, 5, name)
    }
}

fn holder(device: &str, netns: NetnsId) -> TunHolder {
    TunHolder {
        device: device.to_owned(),
        netns,
        owner: owner(4711, "qemu-system-x86"),
    }
}

fn full(link: Link, reason: &str, location: &str) -> EvidenceWindow {
    let dropped = DropCount {
        first_ms: 40,
        last_ms: 4_000,
        ..ipv4_drops(link.netns, link.ifindex, reason, location, LOST)
    };
    let mut window = window(vec![link], vec![dropped]);
    window.namespaces[1] = pod_namespace(POD, 99, "vms", "client-0");
    window.tun_holders = complete(Vec::new());
    drops_of(&mut window).has_reasons = !reason.is_empty();
    drops_of(&mut window).samples = vec![PacketSample {
        length: 40,
        network_offset: Some(0),
        bytes: PACKET.to_vec(),
        ..PacketSample::default()
    }];
    // The others of the first four say nothing.
    let others = vec![PacketSample::default(); 3];
    drops_of(&mut window).samples.extend(others);
    window
}

fn macvtap() -> EvidenceWindow {
    let mut link = device("macvtap", "macvtap0");
    link.stats.rx_dropped = LOST;
    link.stats.rx_packets = CARRIED + LOST;
    let mut window = full(link, "FULL_RING", "tap_handle_frame");
    window.tun_holders = complete(vec![holder("macvtap0", NODE)]);
    window
}

fn tap() -> EvidenceWindow {
    let mut link = device("tun", "tap0");
    link.stats.tx_dropped = LOST;
    link.stats.tx_packets = CARRIED;
    full(link, "FULL_RING", "tun_net_xmit")
}

fn link(window: &mut EvidenceWindow) -> &mut Link {
    &mut links_of(window)[0]
}

fn key(window: &mut EvidenceWindow) -> &mut DropCount {
    &mut drops_of(window).counts[0]
}

/// Drops of the first key explain so many of 64 retransmissions.
fn explain(window: &mut EvidenceWindow, segments: u64, late: u64) {
    let key = key(window).clone();
    let explained = ExplainedRetransmissions {
        netns: key.netns,
        ifindex: key.ifindex,
        ethertype: key.ethertype,
        reason: key.reason,
        location: key.location,
        segments,
        late,
    };
    window.retransmissions = OnDemand::Ran {
        question: String::new(),
        from_ms: 1_000,
        until_ms: 35_000,
        value: Retransmissions {
            segments: 64,
            explained: vec![explained],
            ..Retransmissions::default()
        },
    };
}

fn diagnose(window: &EvidenceWindow) -> Outcome {
    TapQueueDrop.diagnose(&Window::of(window), &Outcome::default())
}

#[test]
fn before_4_16_a_macvtap_may_have_dropped_with_room_in_its_queue() {
    let mut window = macvtap();
    window.node.kernel = "4.15.0-213-generic".to_owned();
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "TapQueueDrop/QueueCheckRace/macvtap0");
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(finding.confidence, Confidence::Possible);
    assert!(
        finding.text.headline.contains("perhaps"),
        "{}",
        finding.text.headline
    );
    assert!(finding.text.what.contains("4.15.0-213-generic"));
    let advice = finding.remedies.iter().any(|it| it.text.contains("4.16"));
    assert!(advice, "{:?}", finding.remedies);

    let mut window = tap();
    window.node.kernel = "4.15.0-213-generic".to_owned();
    let outcome = diagnose(&window);
    assert_eq!(
        only(&outcome).cause.name(),
        "TransmitQueueFull",
        "tun.c never had the check"
    );
}

#[test]
fn a_full_macvtap_queue_names_its_reader_and_a_longer_queue() {
    let outcome = diagnose(&macvtap());
    let finding = only(&outcome);
    assert_eq!(
        finding.id.as_str(),
        "TapQueueDrop/ReceiveQueueFull/macvtap0"
    );
    assert_eq!(
        finding.text.headline,
        "macvtap0 dropped 223 packets for qemu-system-x86 (pid 4711): its queue of 500 was full"
    );
    assert_eq!(
        (finding.severity(), finding.confidence),
        (Severity::Critical, Confidence::Certain)
    );
    let hurts = &finding.text.hurts;
    assert!(
        hurts.contains("223 of 10000 packets (2.2 %) lost"),
        "{hurts}"
    );
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("ip link set dev macvtap0 txqueuelen 2000")
    );
    let change = finding.remedies[0].change.as_ref().expect("a change");
    let undo = "ip link set dev macvtap0 txqueuelen 500";
    assert_eq!(change.undo.as_deref(), Some(undo));
    assert_eq!(finding.evidence[1].name, "macvtap0 rx_dropped");
    assert_eq!(finding.evidence[1].value, "+223");
    assert_eq!(outcome.claims[0].verdict, Verdict::Harmful);
    assert_eq!(outcome.unchecked, []);
}

#[test]
fn a_full_tap_queue_is_about_what_the_stack_sends() {
    let outcome = diagnose(&tap());
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "TapQueueDrop/TransmitQueueFull/tap0");
    assert_eq!(finding.evidence[1].name, "tap0 tx_dropped");
    assert_eq!(
        finding.text.headline,
        "tap0 dropped 223 packets: its queue of 500 was full"
    );
    let (label, text) = &finding.details[0];
    assert_eq!(*label, "Reader");
    assert!(text.starts_with("unknown"), "{text}");
}

#[test]
fn retransmissions_of_an_end_on_this_node_are_likely_from_it_and_no_proof() {
    let mut window = macvtap();
    assert_eq!(only(&diagnose(&window)).evidence.len(), 3);
    let sender = &mut window.namespaces[1];
    sender.addresses = vec![Address {
        ifindex: 2,
        address: "10.6.0.1".parse().expect("an address"),
        prefix: 24,
    }];
    let names = ["Tcp.RetransSegs", "TcpExt.TCPTimeouts"];
    sender.counters_before = names.map(|name| (name.to_owned(), 2)).into();
    sender.counters = names.map(|name| (name.to_owned(), 62)).into();
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(
        finding.evidence[3].name,
        "Tcp.RetransSegs of pod vms/client-0, an end of the sampled flows"
    );
    assert_eq!(finding.evidence[3].value, "+60");
    assert!(
        finding.text.hurts.contains("likely"),
        "{}",
        finding.text.hurts
    );
    let look = finding.remedies[2].command.as_deref();
    assert!(look.is_some_and(|command| {
        command.starts_with(r#"nsenter --net="$(find -L /proc/99/ns/net -inum 2)" nstat"#)
    }));
}

#[test]
fn retransmissions_that_drops_here_explain_are_told() {
    let mut window = macvtap();
    explain(&mut window, 61, 20);
    let outcome = diagnose(&window);
    let hurts = &only(&outcome).text.hurts;
    assert!(
        hurts.contains("Drops here explain at least 61 of 64 retransmissions"),
        "{hurts}"
    );
    assert!(hurts.contains("20 of these 200 ms or more"), "{hurts}");
}

/// 564 of 533312 packets of quick requests (6.18): too small a part, and hundreds of answers came 200 ms late.
#[test]
fn many_late_retransmissions_are_a_warning_however_many_packets_were_carried() {
    let mut window = macvtap();
    link(&mut window).stats.rx_packets = 1_000_000;
    for (late, severity) in [
        (0, Severity::Info),
        (29, Severity::Info),
        (30, Severity::Warning),
    ] {
        explain(&mut window, 61, late);
        let outcome = diagnose(&window);
        let finding = only(&outcome);
        assert_eq!(finding.severity(), severity, "{late} late");
        let part = "223 of 1000000 packets (less than 0.1 %)";
        assert!(finding.text.hurts.contains(part), "{}", finding.text.hurts);
    }
}

#[test]
fn retransmissions_that_drops_elsewhere_explain_are_none_of_its_own() {
    let mut window = macvtap();
    explain(&mut window, 61, 20);
    let OnDemand::Ran { value, .. } = &mut window.retransmissions else {
        panic!("it ran");
    };
    value.explained[0].ifindex = 6;
    let outcome = diagnose(&window);
    let hurts = &only(&outcome).text.hurts;
    assert!(!hurts.contains("Drops here explain"), "{hurts}");
}

#[test]
fn retransmissions_that_could_not_be_watched_are_unchecked() {
    let mut window = macvtap();
    let reason = "the kernel refuses".to_owned();
    window.retransmissions = OnDemand::Unavailable { reason };
    let outcome = diagnose(&window);
    assert_eq!(only(&outcome).severity(), Severity::Critical);
    assert_eq!(
        outcome.unchecked[0].reason,
        "retransmissions: the kernel refuses"
    );
    assert!(outcome.unchecked[0].is_made());
}

#[test]
fn kernels_without_reasons_make_it_likely() {
    let mut window = macvtap();
    key(&mut window).reason = Reason::ABSENT;
    assert_eq!(only(&diagnose(&window)).confidence, Confidence::Likely);
    // Nobody has the device open: tun_net_xmit refuses frames, and no queue is full.
    let mut window = tap();
    key(&mut window).reason = Reason::ABSENT;
    assert_eq!(only(&diagnose(&window)).confidence, Confidence::Likely);
    link(&mut window).requested_flags = 0x1003;
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn hidden_function_names_leave_the_kind_of_device() {
    for (mut window, cause) in [
        (macvtap(), "ReceiveQueueFull"),
        (tap(), "TransmitQueueFull"),
    ] {
        key(&mut window).location = Function::default();
        let outcome = diagnose(&window);
        let finding = only(&outcome);
        assert_eq!(
            (finding.cause.name(), finding.confidence),
            (cause, Confidence::Likely)
        );
        key(&mut window).reason = Reason::ABSENT;
        assert_eq!(diagnose(&window).findings, []);
    }
}

#[test]
fn drops_that_are_no_full_queue_are_left_to_other_checks() {
    for (reason, location) in [
        // Nobody reads the macvtap: its frames go to the host's own stack.
        ("IP_INADDRERRORS", "ip_error"),
        ("QDISC_DROP", "__dev_queue_xmit"),
        ("DEV_READY", "tun_net_xmit"),
        ("TAP_TXFILTER", "tun_net_xmit"),
        ("SKB_GSO_SEG", "tap_handle_frame"),
        ("FULL_RING", "some_other_driver_xmit"),
    ] {
        let mut window = macvtap();
        key(&mut window).reason = reason.into();
        key(&mut window).location = location.into();
        let outcome = diagnose(&window);
        assert!(outcome.findings.is_empty(), "{reason} at {location}");
        assert!(outcome.claims.is_empty(), "{reason} at {location}");
    }
}

#[test]
fn stalls_that_the_queue_holds_are_silent() {
    let mut window = macvtap();
    key(&mut window).count = 0;
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn a_full_queue_is_judged_by_its_share() {
    for (mut window, is_macvtap) in [(macvtap(), true), (tap(), false)] {
        for (lost, carried, severity) in [
            (2, 0, Severity::Info),
            (3, 0, Severity::Warning),
            (3, 100_000, Severity::Info),
            (155, 19_245, Severity::Warning),
            (40, 1_000, Severity::Critical),
        ] {
            key(&mut window).count = lost;
            // What comes in is counted before the queue is looked at.
            let counted = if is_macvtap { carried + lost } else { carried };
            link(&mut window).stats.rx_packets = counted;
            link(&mut window).stats.tx_packets = counted;
            let outcome = diagnose(&window);
            let found = only(&outcome).severity();
            assert_eq!(found, severity, "{lost} beside {carried}");
        }
    }
}

#[test]
fn a_longer_queue_is_no_remedy_where_nobody_reads() {
    let mut window = tap();
    link(&mut window).stats.tx_packets = 0;
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert!(finding.text.what.contains("Not one packet was taken"));
    assert!(
        finding
            .remedies
            .iter()
            .all(|remedy| remedy.change.is_none())
    );
}

#[test]
fn a_macvtap_whose_reader_takes_little_is_not_called_stopped_for_sure() {
    let mut window = macvtap();
    key(&mut window).count = 40;
    key(&mut window).first_ms = 0;
    key(&mut window).last_ms = 2_000;
    let length = link(&mut window).tx_queue_length;
    let mut with = |carried: u32| {
        link(&mut window).stats.rx_packets = u64::from(carried) + 40;
        only(&diagnose(&window)).clone()
    };
    let stopped = with(0);
    assert!(stopped.text.headline.contains("reads nothing"));
    assert!(stopped.text.hurts.contains("not one was read"));
    assert_eq!(stopped.severity(), Severity::Warning);
    let slow = with(length);
    assert!(slow.text.headline.contains("seems to read nothing"));
    assert!(!slow.text.hurts.contains("not one was read"));
    assert_eq!(slow.confidence, Confidence::Likely);
    assert_eq!(slow.severity(), Severity::Critical);
}

#[test]
fn the_same_segment_dropped_again_and_again_is_named() {
    let mut window = tap();
    link(&mut window).stats.tx_packets = 100_000;
    let sample = drops_of(&mut window).samples[0].clone();
    drops_of(&mut window).samples = vec![sample; 3];
    let with_payload = |sample: &mut PacketSample| {
        sample.bytes[3] = 41;
        sample.bytes.push(b'x');
    };
    drops_of(&mut window)
        .samples
        .iter_mut()
        .for_each(with_payload);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.assessment.harm, Harm::Outage);
    assert_eq!(finding.severity(), Severity::Warning);
    assert!(finding.text.hurts.contains("nothing of it gets through"));
    assert!(
        finding
            .text
            .hurts
            .contains("10.6.0.1:40000 -> 10.6.0.2:5001 TCP")
    );
}

#[test]
fn a_reader_of_another_device_of_that_name_is_not_named() {
    let mut window = macvtap();
    window.tun_holders = complete(vec![holder("macvtap0", POD)]);
    let mut other = link(&mut window).clone();
    other.netns = POD;
    links_of(&mut window).push(other);
    assert!(!only(&diagnose(&window)).text.headline.contains("4711"));
    // It is the only one of that name, moved away from its program.
    links_of(&mut window).pop();
    assert!(only(&diagnose(&window)).text.headline.contains("4711"));
}

#[test]
fn a_long_queue_is_not_lengthened_and_a_hostile_name_gets_no_command() {
    let mut window = macvtap();
    link(&mut window).tx_queue_length = u32::MAX;
    let longer = |finding: &Finding| {
        let texts = finding.remedies.iter().map(|remedy| remedy.text.as_str());
        texts.filter(|text| *text == "Lengthen the queue.").count()
    };
    assert_eq!(longer(only(&diagnose(&window))), 0);
    link(&mut window).tx_queue_length = 0;
    link(&mut window).name = "tap0;reboot".to_owned();
    let outcome = diagnose(&window);
    assert_eq!(longer(only(&outcome)), 1);
    assert_eq!(only(&outcome).remedies[0].command, None);
}

#[test]
fn what_another_check_explains_and_unknown_devices_are_left_alone() {
    let mut window = macvtap();
    let so_far = first_drop_claimed();
    assert_eq!(
        TapQueueDrop
            .diagnose(&Window::of(&window), &so_far)
            .findings,
        []
    );
    key(&mut window).ifindex = 6;
    assert_eq!(diagnose(&window).findings, []);
    key(&mut window).netns = None;
    assert_eq!(diagnose(&window).findings, []);
}

#[test]
fn without_the_probe_or_links_it_is_unchecked() {
    let mut window = macvtap();
    window.drops = unavailable("no CAP_BPF");
    let outcome = diagnose(&window);
    assert_eq!(outcome.findings, []);
    assert_eq!(outcome.unchecked[0].reason, "drop probe: no CAP_BPF");
    assert!(!outcome.unchecked[0].is_made());
    window = macvtap();
    window.links = unavailable("refused");
    assert_eq!(diagnose(&window).unchecked[0].reason, "links: refused");
}

#[test]
fn recorded_queues_of_a_macvtap_and_a_tap_balance_with_one_reader() {
    let window = recorded::window(include_str!("testdata/6.18_macvtap_and_tap.json"));
    let diagnosis = crate::diagnose(&window, &Settings::default());
    let found: Vec<(&str, u64, Confidence)> = diagnosis
        .findings
        .iter()
        .filter(|finding| *finding.check() == TAP_QUEUE_DROP)
        .map(|finding| {
            (
                finding.text.headline.as_str(),
                finding.count,
                finding.confidence,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "tap0 dropped 128 packets for python3 (pid 32508): its queue of 2 was full",
                128,
                Confidence::Certain
            ),
            (
                "macvtap0 dropped 18 packets for python3 (pid 32508): its queue of 4 was full",
                18,
                Confidence::Certain
            ),
        ]
    );
    assert_eq!(
        ledger(&diagnosis),
        [
            (Some("tap0"), "tx_dropped", 128, 128, 0),
            (Some("macvtap0"), "rx_dropped", 18, 18, 0)
        ]
    );
    let guest = &diagnosis.findings[0].evidence[3];
    assert_eq!(
        guest.name,
        "Tcp.RetransSegs of netns guest, an end of the sampled flows"
    );
}
