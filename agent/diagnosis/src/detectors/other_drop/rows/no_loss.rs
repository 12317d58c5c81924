//! Reasons of packets that somebody refused by decision, and of those that nobody misses.

use super::look;
use crate::detectors::other_drop::table::{
    Class::{Decision, NotLoss},
    DEVICE,
    Match::Reasons,
    Row,
};

pub(super) static ROWS: &[Row] = &[
    // Somebody's decision.
    Row {
        matches: Reasons(&["NETFILTER_DROP"]),
        class: Decision,
        meaning: "a packet filter rule refused them",
        advice: Some(look(
            "If they should pass, find the rule (its counter rises).",
            &["nft", "list", "ruleset"],
        )),
    },
    Row {
        matches: Reasons(&["NO_SOCKET", "IP_NOPROTO"]),
        class: Decision,
        meaning: "no program listens for them; the sender is told",
        advice: None,
    },
    Row {
        matches: Reasons(&["UNHANDLED_PROTO", "INVALID_PROTO"]),
        class: Decision,
        meaning: "nobody on this node receives their protocol",
        advice: None,
    },
    Row {
        matches: Reasons(&["TC_INGRESS"]),
        class: Decision,
        meaning: "a tc filter or BPF program on the device refused them",
        advice: Some(look(
            "If they should pass, find the filter.",
            &["tc", "-s", "filter", "show", "dev", DEVICE, "ingress"],
        )),
    },
    Row {
        matches: Reasons(&["TC_EGRESS"]),
        class: Decision,
        meaning: "a tc filter or BPF program on the device refused to send them",
        advice: Some(look(
            "If they should pass, find the filter.",
            &["tc", "-s", "filter", "show", "dev", DEVICE, "egress"],
        )),
    },
    Row {
        matches: Reasons(&["XDP"]),
        class: Decision,
        meaning: "an XDP program on the device refused them",
        advice: Some(look(
            "If they should pass, find the program.",
            &["ip", "-details", "link", "show", "dev", DEVICE],
        )),
    },
    Row {
        matches: Reasons(&["SOCKET_FILTER", "BPF_CGROUP_EGRESS"]),
        class: Decision,
        meaning: "a filter on the socket or its control group refused them",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            "XFRM_POLICY",
            "SECURITY_HOOK",
            "TAP_FILTER",
            "TAP_TXFILTER",
            "ARP_PVLAN_DISABLE",
        ]),
        class: Decision,
        meaning: "a policy refused them (IPsec, a security module, or the device's own filter)",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            "TCP_AUTH_HDR",
            "TCP_MD5NOTFOUND",
            "TCP_MD5UNEXPECTED",
            "TCP_MD5FAILURE",
            "TCP_AONOTFOUND",
            "TCP_AOUNEXPECTED",
            "TCP_AOKEYNOTFOUND",
            "TCP_AOFAILURE",
        ]),
        class: Decision,
        meaning: "their TCP signature was missing or wrong",
        advice: None,
    },
    Row {
        // ip_error on a host that does not forward; ip6_forward and ip6_pkt_drop.
        matches: Reasons(&["IP_INADDRERRORS"]),
        class: Decision,
        meaning: "they are for another host and forwarding is off there, or their addresses are not valid",
        advice: Some(look(
            "If the device should forward, see whether forwarding is on.",
            &["sysctl", "net/ipv4/conf/{device}/forwarding"],
        )),
    },
    Row {
        matches: Reasons(&[
            "IP_LOCAL_SOURCE",
            "IP_INVALID_SOURCE",
            "IP_LOCALNET",
            "IP_INVALID_DEST",
            "UNICAST_IN_L2_MULTICAST",
        ]),
        class: Decision,
        meaning: "their addresses must not occur there",
        advice: None,
    },
    Row {
        matches: Reasons(&["QDISC_CONGESTED", "DUALPI2_STEP_DROP"]),
        class: Decision,
        meaning: "the queueing discipline told a sender to slow down, as it is meant to",
        advice: None,
    },
    Row {
        matches: Reasons(&["DUP_FRAG"]),
        class: Decision,
        meaning: "a fragment arrived twice",
        advice: None,
    },
    // Nobody misses them.
    Row {
        matches: Reasons(&[
            "QUEUE_PURGE",
            "SOCKET_CLOSE",
            "UNIX_DISCONNECT",
            "UNIX_SKIP_OOB",
        ]),
        class: NotLoss,
        meaning: "they were left in the queue of a socket that was closed",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            "TCP_OLD_DATA",
            "TCP_OLD_SEQUENCE",
            "TCP_OLD_ACK",
            "TCP_TOO_OLD_ACK",
            "TCP_ACK_UNSENT_DATA",
            "TCP_OFOMERGE",
            "TCP_INVALID_SEQUENCE",
            "TCP_INVALID_END_SEQUENCE",
            "TCP_INVALID_ACK_SEQUENCE",
            "TCP_RFC7323_PAWS",
            "TCP_RFC7323_PAWS_ACK",
            "TCP_RFC7323_TW_PAWS",
            "TCP_RFC7323_TSECR",
        ]),
        class: NotLoss,
        meaning: "TCP had their data already, or merged it",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            "TCP_RESET",
            "TCP_CLOSE",
            "TCP_FLAGS",
            "TCP_INVALID_SYN",
            "TCP_ABORT_ON_DATA",
            "TCP_FASTOPEN",
        ]),
        class: NotLoss,
        meaning: "they end a TCP connection, or came after its end",
        advice: None,
    },
    Row {
        matches: Reasons(&["OTHERHOST", "IPV6_NDISC_NS_OTHERHOST", "LOCAL_MAC"]),
        class: NotLoss,
        meaning: "they are for another host, or came back to their sender (flooded by a switch, or seen because the device is promiscuous)",
        advice: None,
    },
    Row {
        matches: Reasons(&["IPV6DISABLED"]),
        class: NotLoss,
        meaning: "IPv6 is switched off there",
        advice: None,
    },
    Row {
        matches: Reasons(&[
            "BRIDGE_INGRESS_STP_STATE",
            "MAC_IEEE_MAC_CONTROL",
            "PACKET_SOCK_ERROR",
        ]),
        class: NotLoss,
        meaning: "they are control frames, came in on a blocked bridge port, or are a capture's copies",
        advice: None,
    },
];
