//! The harm of each class, as the samples and the traffic beside them prove it.

use super::{commands, count, diagnose, drops, window};
use crate::{
    evidence::{Address, DropCount, EvidenceWindow, LinkKind, PacketSample},
    finding::{Assessment, Culprit, Decision, Harm, Severity, Verdict},
    testing::{
        NODE, POD, drops_of, ipv4_sample as ipv4, link, links_of, only, pod_namespace, veth,
    },
};

const SYN: u8 = 2;
const ACK: u8 = 16;

fn datagram(destination: [u8; 4], port: u16) -> PacketSample {
    let [high, low] = port.to_be_bytes();
    ipv4(17, destination, &[0x9c, 0x40, high, low, 0, 8, 0, 0])
}

/// A segment of 10.0.0.1:40000 to 10.0.0.2:80.
fn segment(flags: u8, data: &[u8]) -> PacketSample {
    let mut bytes = vec![0x9c, 0x40, 0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, flags];
    bytes.extend([0; 6]);
    bytes.extend(data);
    ipv4(6, [10, 0, 0, 2], &bytes)
}

/// Nine drops of this reason within 20 s on the node's eth0, 10.0.0.254/24, with these samples.
fn dropped(reason: &str, location: &str, samples: Vec<PacketSample>) -> EvidenceWindow {
    let mut window = window(vec![DropCount {
        last_ms: 20_000,
        ..drops(Some(NODE), reason, location, 9)
    }]);
    drops_of(&mut window).samples = samples;
    window.namespaces[0].addresses = vec![Address {
        ifindex: 2,
        address: [10, 0, 0, 254].into(),
        prefix: 24,
    }];
    window
}

fn assessed(window: &EvidenceWindow) -> Assessment {
    only(&diagnose(window)).assessment.clone()
}

fn told(window: &EvidenceWindow) -> (Harm, Culprit, Severity) {
    let found = assessed(window);
    (found.harm, found.culprit, found.severity())
}

const FLOW: &str = "10.0.0.1:40000 -> 10.0.0.2:80 TCP";

#[test]
fn a_refused_flow_is_unknown_until_a_segment_of_it_died_three_times() {
    for (reason, location, culprit) in [
        ("IP_RPFILTER", "ip_rcv_finish_core", Culprit::Unknown),
        ("IP_INNOROUTES", "ip_error", Culprit::Unknown),
        ("IP_INHDR", "ip_forward", Culprit::Unknown),
        ("NOT_SPECIFIED", "ip_error", Culprit::Here),
        ("PKT_TOO_BIG", "ip_forward", Culprit::Here),
        ("NOT_SPECIFIED", "ip_fragment", Culprit::Here),
        ("TCP_MD5FAILURE", "tcp_v4_rcv", Culprit::Elsewhere),
        ("NO_TX_TARGET", "br_handle_frame_finish", Culprit::Unknown),
        ("NOT_SPECIFIED", "foo_rcv", Culprit::Unknown),
    ] {
        let once = dropped(reason, location, vec![segment(ACK, b"x")]);
        let unknown = (Harm::Unknown, culprit, Severity::Info);
        assert_eq!(told(&once), unknown, "{reason}");
        assert_eq!(assessed(&once).flows, [FLOW]);
        let dead = dropped(reason, location, vec![segment(ACK, b"x"); 3]);
        let severity = match culprit {
            Culprit::Here => Severity::Critical,
            _ => Severity::Warning,
        };
        assert_eq!(told(&dead), (Harm::Outage, culprit, severity), "{reason}");
        assert_eq!(diagnose(&dead).claims[0].verdict, Verdict::Harmful);
    }
}

#[test]
fn a_missing_route_of_a_pods_device_is_this_nodes_to_fix() {
    let mut window = dropped("IP_INNOROUTES", "ip_error", vec![segment(SYN, b""); 3]);
    links_of(&mut window)[0] = veth(link(NODE, 2, "veth1"), (POD, 2));
    let critical = (Harm::Outage, Culprit::Here, Severity::Critical);
    assert_eq!(told(&window), critical);
    links_of(&mut window)[0] = link(NODE, 2, "eth0");
    let warning = (Harm::Outage, Culprit::Unknown, Severity::Warning);
    assert_eq!(told(&window), warning);
}

#[test]
fn a_plain_host_need_not_forward_what_is_for_another() {
    let mut window = dropped("IP_INADDRERRORS", "ip_error", vec![segment(SYN, b""); 3]);
    let unknown = (Harm::Unknown, Culprit::Unknown, Severity::Info);
    assert_eq!(told(&window), unknown);
    // The sender or the receiver is a pod behind this host.
    for address in [[10, 0, 0, 1], [10, 0, 0, 2]] {
        let mut pod = pod_namespace(POD, 7, "shop", "cart-0");
        pod.addresses = vec![Address {
            ifindex: 2,
            address: address.into(),
            prefix: 24,
        }];
        window.namespaces = vec![window.namespaces[0].clone(), pod];
        let critical = (Harm::Outage, Culprit::Here, Severity::Critical);
        assert_eq!(told(&window), critical);
    }
}

#[test]
fn what_a_guests_device_leaves_to_the_host_is_an_outage() {
    let mut window = dropped("IP_INADDRERRORS", "ip_error", vec![segment(SYN, b""); 3]);
    links_of(&mut window)[0].kind = Some(LinkKind::MacVtap);
    let warning = (Harm::Outage, Culprit::Unknown, Severity::Warning);
    assert_eq!(told(&window), warning);
}

#[test]
fn a_decision_keeps_its_outage_and_is_info() {
    let scan = dropped("NETFILTER_DROP", "nft_do_chain", vec![segment(SYN, b"")]);
    let found = assessed(&scan);
    assert_eq!(
        (found.harm, found.decision),
        (Harm::Unknown, Some(Decision::Rule))
    );
    let dead = dropped("NETFILTER_DROP", "nft_do_chain", vec![segment(SYN, b""); 3]);
    let found = assessed(&dead);
    assert_eq!(
        (found.harm, found.decision),
        (Harm::Outage, Some(Decision::Rule))
    );
    assert_eq!(found.severity(), Severity::Info);
    let outcome = diagnose(&dead);
    assert_eq!(
        only(&outcome).text.hurts,
        format!("Refused as meant: 9 packets; seen: {FLOW}. Nothing of these flows gets through.")
    );
    assert_eq!(outcome.claims[0].verdict, Verdict::Unknown);
}

#[test]
fn a_full_listener_delays_until_one_client_has_tried_three_times() {
    let late = |samples| {
        let mut window = dropped("TCP_LISTEN_OVERFLOW", "tcp_v4_syn_recv_sock", samples);
        count(&mut window.namespaces[0], "Tcp.PassiveOpens", 91);
        told(&window)
    };
    assert_eq!(
        late(vec![segment(SYN, b"")]),
        (Harm::Delay, Culprit::Here, Severity::Warning)
    );
    assert_eq!(
        late(vec![segment(SYN, b""); 3]),
        (Harm::Outage, Culprit::Here, Severity::Critical)
    );
}

#[test]
fn a_tunnel_without_an_end_is_an_outage_for_one_receiver_only() {
    let one = dropped(
        "NO_TX_TARGET",
        "vxlan_xmit",
        vec![datagram([10, 0, 0, 9], 5000)],
    );
    let outage = (Harm::Outage, Culprit::Unknown, Severity::Warning);
    assert_eq!(told(&one), outage);
    let unseen = dropped("NO_TX_TARGET", "vxlan_xmit", Vec::new());
    assert_eq!(told(&unseen).0, Harm::Unknown);
    let everybody = dropped("NO_TX_TARGET", "vxlan_xmit", vec![datagram([255; 4], 68)]);
    assert!(diagnose(&everybody).findings.is_empty());
}

#[test]
fn an_unknown_network_number_is_told_by_the_frame_inside() {
    let carrying = |destination: [u8; 6]| {
        let mut bytes = vec![0x9c, 0x40, 0x12, 0xb5, 0, 30, 0, 0];
        bytes.extend([8, 0, 0, 0, 0, 0, 9, 0]);
        bytes.extend(destination);
        bytes.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1]);
        dropped(
            "VXLAN_VNI_NOT_FOUND",
            "vxlan_rcv",
            vec![ipv4(17, [10, 0, 0, 254], &bytes)],
        )
    };
    assert_eq!(told(&carrying([2, 0, 0, 0, 0, 2])).0, Harm::Outage);
    assert_eq!(told(&carrying([0xff; 6])).0, Harm::Unknown);
}

#[test]
fn a_queueing_disciplines_loss_is_judged_by_what_the_device_sent() {
    let mut window = dropped("QDISC_DROP", "__dev_queue_xmit", Vec::new());
    links_of(&mut window)[0].requested_flags = 0x1_1043;
    links_of(&mut window)[0].stats.tx_packets = 991;
    let found = assessed(&window);
    assert_eq!((found.packets, found.carried), (Some(9), Some(991)));
    let warning = (Harm::Loss, Culprit::Unknown, Severity::Warning);
    assert_eq!(told(&window), warning);
}

#[test]
fn without_reasons_what_is_left_is_one_line() {
    let keys = ["ip_rcv_core", "ip6_rcv_core", "foo_rcv"];
    let mut window = window(Vec::new());
    drops_of(&mut window).has_reasons = false;
    for (number, location) in keys.into_iter().enumerate() {
        let namespace = if number == 0 { NODE } else { POD };
        let key = drops(Some(namespace), "", location, 4);
        drops_of(&mut window).counts.push(key);
    }
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "OtherDrop/Remainder");
    assert_eq!(finding.assessment.harm, Harm::Unknown);
    assert!(
        finding
            .text
            .headline
            .starts_with("12 packets were dropped without a reason")
    );
    // A single one keeps its place.
    drops_of(&mut window).counts.truncate(1);
    let outcome = diagnose(&window);
    assert_eq!(only(&outcome).id.as_str(), "OtherDrop/ip_rcv_core/eth0");
}

#[test]
fn decisions_never_push_what_may_hurt_out_of_the_list() {
    let mut keys = Vec::new();
    for ifindex in 10..40 {
        let mut key = drops(Some(NODE), "NETFILTER_DROP", "nft_do_chain", 1_000);
        key.ifindex = ifindex;
        keys.push(key);
    }
    keys.push(drops(Some(NODE), "NEW_REASON", "foo", 1));
    let mut window = window(keys);
    let others = (10..40).map(|ifindex| link(NODE, ifindex, &format!("veth{ifindex}")));
    links_of(&mut window).extend(others);
    let outcome = diagnose(&window);
    let found = |name: &str| {
        let mut findings = outcome.findings.iter();
        findings.any(|finding| finding.cause.name() == name)
    };
    assert!(found("NEW_REASON"));
    let rest = outcome
        .findings
        .iter()
        .find(|finding| finding.cause.name() == "Remainder");
    assert!(rest.is_some_and(|rest| rest.assessment.is_decision()));
}

#[test]
fn a_full_buffer_keeps_its_harm_without_a_device() {
    let mut window = window(vec![
        drops(None, "SOCKET_RCVBUFF", "udp_queue_rcv_one_skb", 400),
        drops(None, "NEW_REASON", "foo", 5),
    ]);
    drops_of(&mut window).samples.clear();
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!(finding.id.as_str(), "OtherDrop/NoDevice");
    assert_eq!((finding.assessment.harm, finding.count), (Harm::Loss, 405));
    assert_eq!(finding.assessment.packets, Some(400));
    assert_eq!(finding.severity(), Severity::Warning);
}

#[test]
fn a_drop_without_a_device_between_strangers_hurts_nobody_here() {
    let mut window = window(vec![drops(None, "TCP_CSUM", "tcp_v4_rcv", 6)]);
    drops_of(&mut window).samples = vec![segment(ACK, b"x"); 3];
    let told = |window: &EvidenceWindow| {
        let found = assessed(window);
        (found.harm, found.severity())
    };
    assert_eq!(told(&window), (Harm::Unknown, Severity::Info));
    window.namespaces[0].addresses = vec![Address {
        ifindex: 2,
        address: [10, 0, 0, 2].into(),
        prefix: 24,
    }];
    assert_eq!(told(&window), (Harm::Outage, Severity::Warning));
}

#[test]
fn a_command_is_of_the_ip_version_of_the_packets() {
    let of = |ethertype| {
        let mut window = dropped("IP_INADDRERRORS", "ip6_forward", Vec::new());
        drops_of(&mut window).counts[0].ethertype = ethertype;
        let outcome = diagnose(&window);
        commands(only(&outcome)).join("; ")
    };
    assert_eq!(of(0x86dd), "sysctl net.ipv6.conf.all.forwarding");
    assert_eq!(of(0x0800), "sysctl net/ipv4/conf/eth0/forwarding");
}

#[test]
fn a_look_names_the_sampled_flow_and_is_left_out_without_one() {
    let seen = dropped(
        "IP_INNOROUTES",
        "ip_error",
        vec![datagram([203, 0, 113, 9], 53)],
    );
    assert_eq!(
        commands(only(&diagnose(&seen))),
        ["ip route get 203.0.113.9 from 10.0.0.1 iif eth0"]
    );
    let unseen = dropped("IP_INNOROUTES", "ip_error", Vec::new());
    let outcome = diagnose(&unseen);
    assert!(commands(only(&outcome)).is_empty());
    assert_eq!(only(&outcome).remedies.len(), 1);
}

#[test]
fn a_guests_device_is_this_nodes() {
    let mut window = dropped("IP_OUTNOROUTES", "ip6_output", vec![segment(SYN, b""); 3]);
    links_of(&mut window)[0].kind = Some(LinkKind::Tun);
    assert_eq!(told(&window).1, Culprit::Here);
}

#[test]
fn noise_of_the_same_key_is_no_part_of_a_fault() {
    let mut solicitation = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    solicitation.extend([0; 16]);
    solicitation.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    solicitation.extend([133, 0, 0, 0, 0, 0, 0, 0]);
    let solicitation = PacketSample {
        bytes: solicitation,
        ..PacketSample::default()
    };
    let wanted = segment(ACK, b"x");
    let samples = vec![wanted, solicitation.clone(), solicitation];
    let window = dropped("IP_INNOROUTES", "ip6_pkt_discard", samples);
    let outcome = diagnose(&window);
    let finding = only(&outcome);
    assert_eq!((finding.count, finding.assessment.packets), (7, Some(7)));
    let noise = finding.evidence.last().expect("a proof");
    assert!(noise.name.contains("nobody misses"));
    assert_eq!(noise.value, "2");
}

#[test]
fn a_look_at_routes_is_of_the_version_of_the_packet_that_it_names() {
    let window = dropped(
        "NOT_SPECIFIED",
        "ip_error",
        vec![datagram([203, 0, 113, 9], 53)],
    );
    assert_eq!(
        commands(only(&diagnose(&window))),
        ["ip -4 route show table all match 203.0.113.9"]
    );
}

#[test]
fn peers_of_a_deleted_pod_try_for_a_few_seconds_only() {
    for (reason, location) in [
        ("IP_INNOROUTES", "ip_error"),
        ("NOT_SPECIFIED", "ip_error"),
        ("NO_TX_TARGET", "br_handle_frame_finish"),
    ] {
        let mut window = dropped(reason, location, vec![segment(ACK, b"x"); 3]);
        assert_eq!(told(&window).0, Harm::Outage, "{reason}");
        drops_of(&mut window).counts[0].last_ms = 3_300;
        assert_eq!(told(&window).0, Harm::Unknown, "{reason}");
    }
}

/// Packets without a way to 10.0.0.2, an address of pod shop/cart-0, whose device is the window's `ended` links' if it
/// has ended.
fn without_a_way_to_a_pod(has_ended: bool) -> EvidenceWindow {
    let mut window = dropped("IP_INNOROUTES", "ip_error", vec![segment(ACK, b"x"); 4]);
    drops_of(&mut window).counts[0].last_ms = 3_300;
    let mut pod = pod_namespace(POD, 7, "shop", "cart-0");
    pod.addresses = vec![Address {
        ifindex: 2,
        address: [10, 0, 0, 2].into(),
        prefix: 24,
    }];
    window.namespaces.push(pod);
    let device = link(POD, 2, "eth0");
    match has_ended {
        true => window.ended_links.push(device),
        false => links_of(&mut window).push(device),
    }
    window
}

#[test]
fn packets_without_a_way_to_a_pod_that_ended_are_for_nobody() {
    let outcome = diagnose(&without_a_way_to_a_pod(true));
    let finding = only(&outcome);
    let judged = &finding.assessment;
    assert!(judged.is_towards_nobody);
    assert_eq!(
        (judged.harm, judged.severity()),
        (Harm::Outage, Severity::Info)
    );
    assert_eq!(
        finding.text.headline,
        "pod shop/cart-0 ended: no way led to it any more for 9 packets on eth0"
    );
    // A look at routes would be of no use.
    assert_eq!(commands(finding), [] as [&str; 0]);
}

#[test]
fn packets_without_a_way_to_a_pod_that_lives_or_to_others_are_no_ones_end() {
    assert_eq!(told(&without_a_way_to_a_pod(false)).0, Harm::Unknown);
    // The next window does not know the pod any more.
    let mut lasting = without_a_way_to_a_pod(true);
    drops_of(&mut lasting).counts[0].last_ms = 20_000;
    assert!(assessed(&lasting).is_towards_nobody);
    // Somebody else's as well, or too few were seen.
    let mut others = without_a_way_to_a_pod(true);
    drops_of(&mut others)
        .samples
        .push(datagram([10, 9, 9, 9], 53));
    assert_eq!(told(&others).0, Harm::Unknown);
    let mut unseen = without_a_way_to_a_pod(true);
    drops_of(&mut unseen).samples.truncate(2);
    assert_eq!(told(&unseen).0, Harm::Unknown);
}

#[test]
fn the_probes_of_a_traceroute_are_harmless_and_a_circle_is_not_known() {
    let probe = |port| {
        let mut probe = datagram([10, 9, 9, 9], port);
        probe.bytes[8] = 1;
        probe
    };
    let of = |reason: &str, ports: &[u16]| {
        let mut window = dropped(
            reason,
            "ip_forward",
            ports.iter().copied().map(probe).collect(),
        );
        drops_of(&mut window).counts[0].count = u64::try_from(ports.len()).expect("few");
        window
    };
    let hop = [33_434, 33_435, 33_436];
    assert_eq!(told(&of("IP_INHDR", &hop)).0, Harm::None);
    assert_eq!(told(&of("IP_INHDR", &[53, 53, 53])).0, Harm::Unknown);
    // Without reasons the counter of the namespace has to say that the hop limit ended them.
    let mut nameless = of("", &hop);
    assert_eq!(told(&nameless).0, Harm::Unknown);
    let counters = &mut nameless.namespaces[0];
    let name = "Ip.InHdrErrors".to_owned();
    counters.counters_before.insert(name.clone(), 1);
    counters.counters.insert(name, 4);
    assert_eq!(told(&nameless).0, Harm::None);
}

#[test]
fn what_is_sent_into_a_device_that_has_gone_was_for_nobody() {
    let mut window = dropped("QDISC_DROP", "__dev_queue_xmit", Vec::new());
    drops_of(&mut window).counts[0].ifindex = 77;
    let gone = assessed(&window);
    assert_eq!((gone.harm, gone.severity()), (Harm::Loss, Severity::Info));
    drops_of(&mut window).counts[0].ifindex = 0;
    assert_eq!(assessed(&window).severity(), Severity::Warning);
}

#[test]
fn a_rule_decides_without_a_device_too() {
    let refused = drops(None, "NETFILTER_DROP", "nft_do_chain", 40);
    let outcome = diagnose(&window(vec![refused.clone()]));
    let decision = only(&outcome).assessment.decision;
    assert_eq!(decision, Some(Decision::Rule));
    let port = drops(None, "NO_SOCKET", "__udp4_lib_rcv", 1);
    let outcome = diagnose(&window(vec![refused.clone(), port]));
    let decision = only(&outcome).assessment.decision;
    assert_eq!(decision, Some(Decision::Several));
    let other = drops(None, "NEW_REASON", "foo", 5);
    let outcome = diagnose(&window(vec![refused, other]));
    assert_eq!(only(&outcome).assessment.decision, None);
}
