//! Tests that noise is recognised by the packets and the state beside them, and a fault of the same reason is not noise.

use super::{class, class_at, counted, ipv4, nothing, router_solicitation, seen, segment, unicast};
use crate::{
    detectors::other_drop::{
        class::{By, Class},
        table::Surroundings,
    },
    evidence::{BridgePort, Link, PacketSample},
    finding::{Culprit, Decision},
};

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
        Some(Class::Decision(Decision::ClosedPort))
    );
    assert_eq!(
        class("NO_SOCKET", "tcp_v4_rcv"),
        Some(Class::Decision(Decision::ClosedPort))
    );
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
fn an_old_timestamp_matters_only_to_a_new_connection() {
    let reason = "TCP_RFC7323_PAWS";
    let found = seen(reason, "tcp_validate_incoming", &segment(2, b""));
    assert_eq!(found, Some(Class::Flow(By::Culprit(Culprit::Elsewhere))));
    let found = seen(reason, "tcp_validate_incoming", &segment(16, b"x"));
    assert_eq!(found, Some(Class::Unmissed));
}
