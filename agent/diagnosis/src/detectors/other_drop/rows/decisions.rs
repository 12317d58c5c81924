//! Reasons of packets that somebody refused on purpose: a rule, a policy, a port that nobody listens on.

use crate::{
    detectors::other_drop::{
        advice::{Advice, DEVICE, Version},
        class::{By, Class},
        table::{On::Reasons, Row},
    },
    finding::{Culprit, Decision},
    kernel::Reason,
};

pub(super) static ROWS: &[Row] = &[
    Row::new(
        Reasons(&[Reason::NETFILTER_DROP]),
        Class::Decision(Decision::Rule),
        FILTER,
        FILTER_MECHANISM,
    )
    .advised(FILTER_ADVICE),
    Row::new(
        Reasons(&[Reason::NO_SOCKET, Reason::IP_NOPROTO]),
        Class::Decision(Decision::ClosedPort),
        NO_SOCKET,
        NO_SOCKET_MECHANISM,
    ),
    Row::new(
        Reasons(&[Reason::TC_INGRESS]),
        Class::Decision(Decision::Program),
        "A tc filter or BPF program refused to take {packets}",
        "A program on the way into the device gave the verdict.",
    )
    .advised(&[
        Advice::look(
            "If they should pass, find the filter.",
            &["tc", "-s", "filter", "show", "dev", DEVICE, "ingress"],
        ),
        BPF_PROGRAMS,
    ]),
    Row::new(
        Reasons(&[Reason::TC_EGRESS]),
        Class::Decision(Decision::Program),
        "A tc filter or BPF program refused to send {packets}",
        "A program on the way out of the device gave the verdict.",
    )
    .advised(&[
        Advice::look(
            "If they should pass, find the filter.",
            &["tc", "-s", "filter", "show", "dev", DEVICE, "egress"],
        ),
        BPF_PROGRAMS,
    ]),
    Row::new(
        Reasons(&[Reason::XDP]),
        Class::Decision(Decision::Program),
        "An XDP program refused {packets}",
        "A program that sees frames before the stack gave the verdict.",
    )
    .advised(&[Advice::look(
        "If they should pass, find the program (prog/xdp id).",
        &["ip", "-details", "link", "show", "dev", DEVICE],
    )]),
    Row::new(
        Reasons(&[Reason::SOCKET_FILTER, Reason::BPF_CGROUP_EGRESS]),
        Class::Decision(Decision::Program),
        "A filter on a socket or its control group refused {packets}",
        "A program attached it to its socket, or a manager to the control group.",
    ),
    Row::new(
        Reasons(&[
            Reason::XFRM_POLICY,
            Reason::SECURITY_HOOK,
            Reason::TAP_FILTER,
            Reason::TAP_TXFILTER,
            Reason::ARP_PVLAN_DISABLE,
        ]),
        Class::Decision(Decision::Policy),
        "A policy refused {packets}",
        "IPsec, a security module or the device's own filter gave the verdict.",
    ),
    // The setting is a decision; a neighbour that uses IPv6 all the same is told by its packets.
    Row::new(
        Reasons(&[Reason::IPV6DISABLED]),
        Class::Decision(Decision::Setting),
        "IPv6 is switched off: {packets were} not taken",
        "The device's setting disable_ipv6 refuses them.",
    ),
    // The peer signs otherwise than this end, or not at all: no rule that anybody meant so.
    Row::new(
        Reasons(&[
            Reason::TCP_AUTH_HDR,
            Reason::TCP_MD5NOTFOUND,
            Reason::TCP_MD5UNEXPECTED,
            Reason::TCP_MD5FAILURE,
            Reason::TCP_AONOTFOUND,
            Reason::TCP_AOUNEXPECTED,
            Reason::TCP_AOKEYNOTFOUND,
            Reason::TCP_AOFAILURE,
        ]),
        Class::Flow(By::Culprit(Culprit::Elsewhere)),
        "The TCP signature of {packets} was missing, wrong or not expected",
        "Both ends must have the same key (TCP MD5 or TCP-AO; BGP uses it on port 179).",
    ),
    // Nobody decided that nobody is there: a protocol without a receiver may be somebody's mistake.
    Row::new(
        Reasons(&[Reason::UNHANDLED_PROTO, Reason::INVALID_PROTO]),
        Class::Unknown,
        "Nobody on this node receives the protocol of {packets}",
        "No program and no part of the kernel has registered for it.",
    ),
];

pub(super) const FILTER: &str = "A packet filter rule refused {packets}";
pub(super) const FILTER_MECHANISM: &str = "A rule or a chain's policy gave the verdict. A rule that other programs write, such as kube-proxy or a network \
     policy, counts as well.";
pub(super) const FILTER_ADVICE: &[Advice] = &[
    Advice::look(
        "If they should pass, find the rule: its counter rises, where it has one.",
        &["nft", "list", "ruleset"],
    ),
    Advice::look(
        "The same for rules of iptables-legacy, which nft does not show.",
        &["iptables-legacy-save", "-c"],
    )
    .of(Version::V4),
    Advice::look(
        "The same for rules of ip6tables-legacy, which nft does not show.",
        &["ip6tables-legacy-save", "-c"],
    )
    .of(Version::V6),
];
pub(super) const NO_SOCKET: &str = "No socket was open for {packets}";
pub(super) const NO_SOCKET_MECHANISM: &str =
    "Nobody listens on that port there, or the connection was closed before they came.";
/// tc shows no program of the newer kind (tcx).
const BPF_PROGRAMS: Advice = Advice::look(
    "The same for BPF programs (tcx), which tc does not show.",
    &["bpftool", "net", "show", "dev", DEVICE],
);
