//! Reasons of packets that somebody refused by decision, and of those that nobody misses.

use super::look;
use crate::{
    detectors::other_drop::table::{
        Class::{Decision, NotLoss},
        DEVICE,
        Match::Reasons,
        Row,
    },
    kernel::Reason,
};

pub(super) static ROWS: &[Row] = &[
    // Somebody's decision.
    Row {
        matches: Reasons(&[Reason::NETFILTER_DROP]),
        class: Decision,
        meaning: "a packet filter rule refused them",
        advice: Some(look(
            "If they should pass, find the rule (its counter rises).",
            &["nft", "list", "ruleset"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::NO_SOCKET, Reason::IP_NOPROTO]),
        class: Decision,
        meaning: "no program listens for them; the sender is told",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::UNHANDLED_PROTO, Reason::INVALID_PROTO]),
        class: Decision,
        meaning: "nobody on this node receives their protocol",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::TC_INGRESS]),
        class: Decision,
        meaning: "a tc filter or BPF program on the device refused them",
        advice: Some(look(
            "If they should pass, find the filter.",
            &["tc", "-s", "filter", "show", "dev", DEVICE, "ingress"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::TC_EGRESS]),
        class: Decision,
        meaning: "a tc filter or BPF program on the device refused to send them",
        advice: Some(look(
            "If they should pass, find the filter.",
            &["tc", "-s", "filter", "show", "dev", DEVICE, "egress"],
        )),
    },
    Row {
        matches: Reasons(&[Reason::XDP]),
        class: Decision,
        meaning: "an XDP program on the device refused them",
        advice: Some(look(
            "If they should pass, find the program.",
            &["ip", "-details", "link", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Reasons(&[Reason::SOCKET_FILTER, Reason::BPF_CGROUP_EGRESS]),
        class: Decision,
        meaning: "a filter on the socket or its control group refused them",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            Reason::XFRM_POLICY,
            Reason::SECURITY_HOOK,
            Reason::TAP_FILTER,
            Reason::TAP_TXFILTER,
            Reason::ARP_PVLAN_DISABLE,
        ]),
        class: Decision,
        meaning: "a policy refused them (IPsec, a security module, or the device's own filter)",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            Reason::TCP_AUTH_HDR,
            Reason::TCP_MD5NOTFOUND,
            Reason::TCP_MD5UNEXPECTED,
            Reason::TCP_MD5FAILURE,
            Reason::TCP_AONOTFOUND,
            Reason::TCP_AOUNEXPECTED,
            Reason::TCP_AOKEYNOTFOUND,
            Reason::TCP_AOFAILURE,
        ]),
        class: Decision,
        meaning: "their TCP signature was missing or wrong",
        advice: None,
    },
    Row {
        // ip_error on a host that does not forward; ip6_forward and ip6_pkt_drop.
        matches: Reasons(&[Reason::IP_INADDRERRORS]),
        class: Decision,
        meaning: "they are for another host and forwarding is off there, or their addresses are not valid",
        advice: Some(look(
            "If the device should forward, see whether forwarding is on.",
            &["sysctl", "net/ipv4/conf/{device}/forwarding"],
        )),
    },
    Row {
        matches: Reasons(&[
            Reason::IP_LOCAL_SOURCE,
            Reason::IP_INVALID_SOURCE,
            Reason::IP_LOCALNET,
            Reason::IP_INVALID_DEST,
            Reason::UNICAST_IN_L2_MULTICAST,
        ]),
        class: Decision,
        meaning: "their addresses must not occur there",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::QDISC_CONGESTED, Reason::DUALPI2_STEP_DROP]),
        class: Decision,
        meaning: "the queueing discipline told a sender to slow down, as it is meant to",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::DUP_FRAG]),
        class: Decision,
        meaning: "a fragment arrived twice",
        advice: None,
    },
    // Nobody misses them.
    Row {
        matches: Reasons(&[
            Reason::QUEUE_PURGE,
            Reason::SOCKET_CLOSE,
            Reason::UNIX_DISCONNECT,
            Reason::UNIX_SKIP_OOB,
        ]),
        class: NotLoss,
        meaning: "they were left in the queue of a socket that was closed",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            Reason::TCP_OLD_DATA,
            Reason::TCP_OLD_SEQUENCE,
            Reason::TCP_OLD_ACK,
            Reason::TCP_TOO_OLD_ACK,
            Reason::TCP_ACK_UNSENT_DATA,
            Reason::TCP_OFOMERGE,
            Reason::TCP_INVALID_SEQUENCE,
            Reason::TCP_INVALID_END_SEQUENCE,
            Reason::TCP_INVALID_ACK_SEQUENCE,
            Reason::TCP_RFC7323_PAWS,
            Reason::TCP_RFC7323_PAWS_ACK,
            Reason::TCP_RFC7323_TW_PAWS,
            Reason::TCP_RFC7323_TSECR,
        ]),
        class: NotLoss,
        meaning: "TCP had their data already, or merged it",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            Reason::TCP_RESET,
            Reason::TCP_CLOSE,
            Reason::TCP_FLAGS,
            Reason::TCP_INVALID_SYN,
            Reason::TCP_ABORT_ON_DATA,
            Reason::TCP_FASTOPEN,
        ]),
        class: NotLoss,
        meaning: "they end a TCP connection, or came after its end",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            Reason::OTHERHOST,
            Reason::IPV6_NDISC_NS_OTHERHOST,
            Reason::LOCAL_MAC,
        ]),
        class: NotLoss,
        meaning: "they are for another host, or came back to their sender (flooded by a switch, or seen because the \
                  device is promiscuous)",
        advice: None,
    },
    Row {
        matches: Reasons(&[Reason::IPV6DISABLED]),
        class: NotLoss,
        meaning: "IPv6 is switched off there",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            Reason::BRIDGE_INGRESS_STP_STATE,
            Reason::MAC_IEEE_MAC_CONTROL,
            Reason::PACKET_SOCK_ERROR,
        ]),
        class: NotLoss,
        meaning: "they are control frames, came in on a blocked bridge port, or are a capture's copies",
        advice: None,
    },
];
