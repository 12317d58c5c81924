//! The table speaks once for each key, and the evidence decides which row does.

use std::collections::BTreeSet;

use super::{On, PACKETS, Surroundings, When, lookup, rows};
use crate::{
    detectors::other_drop::{
        advice::{DEVICE, Scope},
        class::{By, Class},
    },
    evidence::{BridgePort, DropCount, KernelLogLine, Link, Namespace, PacketSample},
    finding::Culprit,
    kernel::{Reason, site::Ends},
};

fn key(reason: &str, location: &str) -> DropCount {
    DropCount {
        reason: reason.into(),
        location: location.into(),
        count: 60,
        ..DropCount::default()
    }
}

fn nothing() -> Surroundings<'static> {
    Surroundings::default()
}

fn class_at(reason: &str, location: &str, around: &Surroundings<'_>) -> Option<Class> {
    lookup(&key(reason, location), around).map(|row| row.class)
}

fn class(reason: &str, location: &str) -> Option<Class> {
    class_at(reason, location, &nothing())
}

/// The class where one packet was sampled.
fn seen(reason: &str, location: &str, sample: &PacketSample) -> Option<Class> {
    let around = Surroundings {
        samples: vec![sample],
        ..nothing()
    };
    class_at(reason, location, &around)
}

fn symptom(reason: &str, location: &str, around: &Surroundings<'_>) -> &'static str {
    lookup(&key(reason, location), around).map_or("", |row| row.symptom)
}

/// A packet of 10.0.0.1 with this protocol, destination and payload.
fn ipv4(protocol: u8, destination: [u8; 4], rest: &[u8]) -> PacketSample {
    let length = u8::try_from(20 + rest.len()).expect("short");
    let mut bytes = vec![
        0x45, 0, 0, length, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1,
    ];
    bytes.extend(destination);
    bytes.extend(rest);
    PacketSample {
        bytes,
        ..PacketSample::default()
    }
}

/// A router solicitation.
fn router_solicitation() -> PacketSample {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    bytes.extend([0; 16]);
    bytes.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend([133, 0, 0, 0, 0, 0, 0, 0]);
    PacketSample {
        bytes,
        ..PacketSample::default()
    }
}

fn unicast() -> PacketSample {
    ipv4(17, [10, 0, 0, 2], &[0; 8])
}

fn segment(flags: u8, data: &[u8]) -> PacketSample {
    let mut bytes = vec![0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags];
    bytes.extend([0; 6]);
    bytes.extend(data);
    ipv4(6, [10, 0, 0, 2], &bytes)
}

/// A namespace whose counters rose by so much.
fn counted(counters: &[(&str, u64)]) -> Namespace {
    let mut namespace = Namespace::default();
    for (counter, increase) in counters {
        namespace.counters_before.insert((*counter).to_owned(), 7);
        let after = namespace.counters.entry((*counter).to_owned());
        after.or_insert(7 + increase);
    }
    namespace
}

#[test]
fn no_reason_and_no_location_has_two_rows() {
    let mut seen = BTreeSet::new();
    for row in rows::all().filter(|row| matches!(row.when, When::Always)) {
        let words: Vec<&str> = match row.on {
            On::Reasons(reasons) => reasons.iter().map(Reason::as_str).collect(),
            On::Sites(sites) => {
                let functions = sites.iter().flat_map(|site| site.functions());
                functions.copied().collect()
            }
            On::At(..) => continue,
        };
        for word in words {
            assert!(seen.insert(word), "{word} is in two rows");
        }
    }
}

#[test]
fn a_row_is_of_the_class_that_its_sites_tell() {
    for row in rows::all() {
        let On::Sites(sites) = row.on else {
            continue;
        };
        for site in sites {
            let told = [Reason::NOT_SPECIFIED, Reason::ABSENT].map(|reason| site.ends(&reason));
            let fits = |ends| match row.class {
                Class::Unmissed => ends == Ends::Unmissed,
                Class::Decision => ends == Ends::Refused,
                Class::Unknown => ends == Ends::Either,
                Class::Flow(_) | Class::NoWay(_) | Class::Unreachable(_) => ends != Ends::Unmissed,
                _ => [Ends::Wanted, Ends::Either].contains(&ends),
            };
            let is_told = told.into_iter().flatten().any(fits);
            assert!(is_told, "{site} ends {told:?}: {:?}", row.class);
        }
    }
}

#[test]
fn words_and_advice_are_whole() {
    for row in rows::all() {
        if row.class == Class::Unmissed {
            assert!(row.symptom.is_empty() && row.advice.is_empty());
            continue;
        }
        let says_packets = row.symptom.contains(PACKETS) || row.symptom.contains("{packets were}");
        assert!(
            says_packets && !row.symptom.ends_with('.'),
            "{}",
            row.symptom
        );
        assert!(row.mechanism.ends_with('.'), "{}", row.mechanism);
        for advice in row.advice {
            assert!(advice.text.ends_with('.'), "{}", advice.text);
            assert!(!advice.asks_for(DEVICE) || advice.scope == Scope::Namespace);
        }
    }
}

#[test]
fn no_command_changes_anything() {
    for row in rows::all() {
        for advice in row.advice {
            let changes = ["-w", "set", "add", "del", "replace", "change"];
            let word = advice.command.iter().find(|word| changes.contains(word));
            assert_eq!(word, None, "{:?}", advice.command);
            assert!(!advice.command.iter().any(|word| word.contains('=')));
        }
    }
}

#[test]
fn a_location_speaks_only_where_the_kernel_gives_no_reason() {
    assert_eq!(
        class("NOT_SPECIFIED", "ip6_mc_input"),
        Some(Class::Unmissed)
    );
    assert_eq!(class("", "ip6_mc_input"), Some(Class::Unmissed));
    assert_eq!(class("SOMETHING_NEW", "ip6_mc_input"), None);
}

#[test]
fn an_ordinary_end_is_known_only_where_the_kernel_has_reasons() {
    assert_eq!(class("NOT_SPECIFIED", "tcp_v4_rcv"), Some(Class::Unmissed));
    assert_eq!(class("", "tcp_v4_rcv"), None);
}

#[test]
fn without_reasons_a_bare_segment_ends_a_connection_and_data_may_be_missed() {
    const FIN_ACK: u8 = 17;
    let bare = segment(FIN_ACK, b"");
    assert_eq!(seen("", "tcp_v4_rcv", &bare), Some(Class::Unmissed));
    assert_eq!(seen("", "tcp_v4_rcv", &segment(16, b"x")), None);
    assert_eq!(seen("", "tcp_v4_rcv", &segment(2, b"")), None);
    assert_eq!(
        seen("NO_SOCKET", "tcp_v4_rcv", &bare),
        Some(Class::Unmissed)
    );
    let opens = segment(2, b"");
    assert_eq!(
        seen("NO_SOCKET", "tcp_v4_rcv", &opens),
        Some(Class::Decision)
    );
    assert_eq!(class("NO_SOCKET", "tcp_v4_rcv"), Some(Class::Decision));
}

#[test]
fn without_reasons_frames_for_other_hosts_are_told_by_their_packets() {
    let others = PacketSample {
        packet_type: 3,
        ..unicast()
    };
    assert_eq!(seen("", "ip_rcv_core", &others), Some(Class::Unmissed));
    assert_eq!(seen("", "ip_rcv_core", &unicast()), None);
    assert_eq!(class("", "ip_rcv_core"), None);
    let solicitation = router_solicitation();
    assert_eq!(
        seen("", "ip6_rcv_core", &solicitation),
        Some(Class::Unmissed)
    );
}

#[test]
fn answered_pings_and_what_is_no_packet_are_noise() {
    for (reason, location) in [
        ("NO_SOCKET", "ping_rcv"),
        ("NO_SOCKET", "icmp_rcv"),
        ("NO_SOCKET", "icmpv6_rcv"),
        ("NOT_SPECIFIED", "unix_stream_connect"),
        ("NOT_SPECIFIED", "neigh_get"),
        ("NOT_SPECIFIED", "vrf_fib_rule"),
        ("NOT_SPECIFIED", "napi_get_frags_check"),
        ("NOT_SPECIFIED", "netif_napi_add_weight_locked"),
        ("NOT_SPECIFIED", "packet_sendmsg"),
        ("NOT_SPECIFIED", "udp_send_skb"),
        ("NOT_SPECIFIED", "__ip_flush_pending_frames"),
        ("NOT_SPECIFIED", "tun_queue_purge"),
        ("NOT_SPECIFIED", "igmp_rcv"),
        ("", "packet_rcv"),
        ("DUP_FRAG", "ip_defrag"),
        ("QDISC_CONGESTED", "fq_codel_dequeue"),
    ] {
        assert_eq!(class(reason, location), Some(Class::Unmissed), "{location}");
    }
}

#[test]
fn a_group_that_nobody_reads_is_noise_and_one_receiver_is_not() {
    let unknown = Class::Flow(By::Culprit(Culprit::Unknown));
    let no_way = Class::NoWay(By::Culprit(Culprit::Unknown));
    let unreachable = Class::Unreachable(Culprit::Unknown);
    for (reason, location, otherwise) in [
        ("NOT_SPECIFIED", "__udp4_lib_rcv", None),
        ("INVALID_PROTO", "icmp_rcv", Some(Class::Unknown)),
        ("NOT_SPECIFIED", "ip_rcv_finish_core", Some(unknown)),
        ("NOT_SPECIFIED", "br_handle_frame_finish", Some(no_way)),
        ("NO_TX_TARGET", "vxlan_xmit", Some(unreachable)),
        ("VXLAN_NO_REMOTE", "vxlan_xmit", Some(unreachable)),
        ("TUNNEL_TXINFO", "geneve_xmit", Some(unreachable)),
    ] {
        let everybody = ipv4(17, [255; 4], &[0; 8]);
        assert_eq!(
            seen(reason, location, &everybody),
            Some(Class::Unmissed),
            "{location}"
        );
        assert_eq!(seen(reason, location, &unicast()), otherwise, "{location}");
        // A drop without a sample never gets the milder verdict.
        assert_eq!(class(reason, location), otherwise, "{location}");
    }
}

#[test]
fn one_packet_for_one_receiver_ends_the_noise_of_a_key() {
    let (everybody, one) = (ipv4(17, [255; 4], &[0; 8]), unicast());
    let around = Surroundings {
        samples: vec![&everybody, &one],
        ..nothing()
    };
    let found = class_at("NO_TX_TARGET", "vxlan_xmit", &around);
    assert_eq!(found, Some(Class::Unreachable(Culprit::Unknown)));
}

#[test]
fn link_local_multicast_before_ipv6_is_ready_is_noise() {
    let solicitation = router_solicitation();
    for (reason, location) in [
        ("IP_INNOROUTES", "ip6_pkt_discard"),
        ("", "ip6_pkt_drop"),
        ("QDISC_DROP", "__dev_queue_xmit"),
        ("", "kfree_skb_list"),
    ] {
        let found = seen(reason, location, &solicitation);
        assert_eq!(found, Some(Class::Unmissed), "{location}");
    }
    let fault = seen("IP_INNOROUTES", "ip6_pkt_discard", &unicast());
    assert_eq!(fault, Some(Class::NoWay(By::Device)));
}

#[test]
fn a_routing_daemons_multicast_is_noise_only_without_a_carrier() {
    let ospf = ipv4(89, [224, 0, 0, 5], &[]);
    let of = |requested_flags| {
        let link = Link {
            requested_flags,
            ..Link::default()
        };
        let around = Surroundings {
            link: Some(&link),
            samples: vec![&ospf],
            ..nothing()
        };
        class_at("QDISC_DROP", "__dev_queue_xmit", &around)
    };
    assert_eq!(of(0x1003), Some(Class::Unmissed));
    assert!(matches!(of(0x1_1043), Some(Class::Loss(..))));
}

#[test]
fn a_full_connection_table_is_told_from_a_rule_by_the_log() {
    assert_eq!(
        class("NETFILTER_DROP", "nf_hook_slow"),
        Some(Class::Decision)
    );
    let line = KernelLogLine {
        at_ms: 5,
        level: 4,
        text: "nf_conntrack: nf_conntrack: table full, dropping packet".to_owned(),
    };
    let around = Surroundings {
        log: &[line],
        ..nothing()
    };
    let full = class_at("NETFILTER_DROP", "nf_hook_slow", &around);
    assert!(matches!(full, Some(Class::Loss(Culprit::Here, _))));
}

#[test]
fn a_counter_of_the_namespace_tells_a_full_table_from_a_rule_and_from_a_race() {
    let of = |counters: &[(&str, u64)]| {
        let namespace = counted(counters);
        let around = Surroundings {
            namespace: Some(&namespace),
            ..nothing()
        };
        symptom("NETFILTER_DROP", "nf_hook_slow", &around)
    };
    assert!(of(&[("Conntrack.drop", 60)]).contains("table was full"));
    let race = [("Conntrack.drop", 60), ("Conntrack.insert_failed", 60)];
    assert!(of(&race).starts_with("Connection tracking refused"));
    // One connection was refused, but nearly all of these were not.
    assert!(of(&[("Conntrack.drop", 1)]).contains("rule"));
    assert!(of(&[]).contains("rule"));
}

#[test]
fn without_reasons_a_counter_tells_why_a_function_dropped() {
    let mut namespace = Namespace::default();
    let counter = "TcpExt.IPReversePathFilter".to_owned();
    namespace.counters.insert(counter, 60);
    let around = Surroundings {
        namespace: Some(&namespace),
        ..nothing()
    };
    let of = |reason| symptom(reason, "ip_rcv_finish_core", &around);
    assert!(of("").contains("reverse path filter"));
    assert!(!of("NOT_SPECIFIED").contains("reverse path filter"));
}

#[test]
fn a_copy_of_a_fragment_is_noise_only_while_no_reassembly_failed() {
    let of = |fails| {
        let namespace = counted(&[("Ip.ReasmFails", fails)]);
        let around = Surroundings {
            namespace: Some(&namespace),
            ..nothing()
        };
        class_at("NOT_SPECIFIED", "ip_defrag", &around)
    };
    assert_eq!(of(0), Some(Class::Unmissed));
    assert_eq!(of(1), Some(Class::Unknown));
    assert_eq!(class("NOT_SPECIFIED", "ip_defrag"), Some(Class::Unknown));
}

#[test]
fn a_bridge_without_another_port_is_told_from_a_tunnel_without_an_end() {
    let bridge = class("NO_TX_TARGET", "br_handle_frame_finish");
    assert_eq!(bridge, Some(Class::NoWay(By::Culprit(Culprit::Unknown))));
    let tunnel = class("NO_TX_TARGET", "vxlan_xmit");
    assert_eq!(tunnel, Some(Class::Unreachable(Culprit::Unknown)));
}

#[test]
fn a_redundant_uplink_that_blocks_is_told_from_a_port_that_starts() {
    let of = |state| {
        let link = Link {
            bridge_port: Some(BridgePort {
                state,
                ..BridgePort::default()
            }),
            ..Link::default()
        };
        let around = Surroundings {
            link: Some(&link),
            ..nothing()
        };
        class_at("BRIDGE_INGRESS_STP_STATE", "br_handle_frame", &around)
    };
    assert_eq!(of(4), Some(Class::Unmissed));
    assert_eq!(of(2), Some(Class::Flow(By::Culprit(Culprit::Here))));
}

#[test]
fn the_hop_limit_is_told_from_a_broken_header() {
    for location in ["ip_forward", "ip6_forward"] {
        let of = symptom("IP_INHDR", location, &nothing());
        assert!(of.contains("hop limit"), "{location}");
    }
    let of = symptom("IP_INHDR", "ip_rcv_core", &nothing());
    assert!(of.contains("broken"));
}

#[test]
fn a_device_without_carrier_is_told_from_a_full_queue() {
    let of = |requested_flags| {
        let link = Link {
            requested_flags,
            ..Link::default()
        };
        let around = Surroundings {
            link: Some(&link),
            ..nothing()
        };
        symptom("QDISC_DROP", "__dev_queue_xmit", &around)
    };
    assert!(of(0x1003).contains("no carrier"));
    assert!(of(0x1_1043).contains("queueing discipline"));
}

#[test]
fn an_old_timestamp_matters_only_to_a_new_connection() {
    let reason = "TCP_RFC7323_PAWS";
    let found = seen(reason, "tcp_validate_incoming", &segment(2, b""));
    assert_eq!(found, Some(Class::Flow(By::Culprit(Culprit::Elsewhere))));
    let found = seen(reason, "tcp_validate_incoming", &segment(16, b"x"));
    assert_eq!(found, Some(Class::Unmissed));
}
