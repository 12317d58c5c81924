//! Packets for which there is no way on, or that were too long for it. Their harm hangs on the flow.

use crate::{
    detectors::other_drop::{
        advice::{Advice, DESTINATION, DEVICE, SOURCE, Version},
        class::{By, Class},
        table::{On::Reasons, Row},
    },
    finding::Culprit,
    kernel::Reason,
};

const UNKNOWN: Class = Class::Flow(By::Culprit(Culprit::Unknown));

pub(super) static ROWS: &[Row] = &[
    Row::new(
        Reasons(&[Reason::IP_RPFILTER]),
        Class::Flow(By::Device),
        RPFILTER,
        RPFILTER_MECHANISM,
    )
    .advised(RPFILTER_ADVICE),
    Row::new(
        Reasons(&[Reason::IP_INNOROUTES]),
        Class::NoWay(By::Device),
        NO_ROUTE,
        NO_ROUTE_MECHANISM,
    )
    .advised(NO_ROUTE_ADVICE),
    Row::new(
        Reasons(&[Reason::IP_OUTNOROUTES]),
        Class::NoWay(By::Device),
        NO_ROUTE,
        NO_ROUTE_MECHANISM,
    )
    .advised(&[Advice::look(
        "Ask the kernel for the route of the first flow. If it is unreachable, add the prefix that is missing.",
        &["ip", "route", "get", DESTINATION],
    )]),
    // ip_error on a host that does not forward; ip6_forward and ip6_pkt_drop.
    Row::new(
        Reasons(&[Reason::IP_INADDRERRORS]),
        Class::NotForwarded,
        "{packets were} for another host and not forwarded {on}",
        "The device does not forward, or the addresses are not valid. A plain host drops what is not for it; a node \
         whose pods lie behind it has to forward.",
    )
    .advised(&[
        Advice::look(
            "If the device should forward, see whether forwarding is on (1).",
            &["sysctl", "net/ipv4/conf/{device}/forwarding"],
        )
        .of(Version::V4),
        Advice::look(
            "If the node should forward IPv6, see whether forwarding is on (1).",
            &["sysctl", "net.ipv6.conf.all.forwarding"],
        )
        .of(Version::V6),
    ]),
    // A hairpin without masquerade, or another host with this node's address.
    Row::new(
        Reasons(&[Reason::IP_LOCAL_SOURCE]),
        Class::Flow(By::Device),
        "{packets} arrived with an address of this very host as their source",
        "A service sent a pod's own packet back to it without masquerade, or another host has the same address.",
    )
    .advised(&[Advice::look(
        "See which device has the source's address.",
        &["ip", "route", "get", SOURCE],
    )]),
    Row::new(
        Reasons(&[
            Reason::IP_INVALID_SOURCE,
            Reason::IP_LOCALNET,
            Reason::IP_INVALID_DEST,
            Reason::UNICAST_IN_L2_MULTICAST,
        ]),
        UNKNOWN,
        "{packets} had addresses that must not occur there",
        "Loopback, multicast as a source, or one host's address in a frame for a group.",
    ),
    Row::new(
        Reasons(&[Reason::PKT_TOO_BIG]),
        Class::Flow(By::Culprit(Culprit::Here)),
        TOO_LONG,
        TOO_LONG_MECHANISM,
    )
    .advised(TOO_LONG_ADVICE),
    // Unicast only: what is for everybody or a group has a row before.
    Row::new(
        Reasons(&[
            Reason::NO_TX_TARGET,
            Reason::TUNNEL_TXINFO,
            Reason::VXLAN_NO_REMOTE,
        ]),
        Class::Unreachable(Culprit::Unknown),
        NO_REMOTE,
        NO_REMOTE_MECHANISM,
    )
    .advised(NO_REMOTE_ADVICE),
    Row::new(
        Reasons(&[Reason::VXLAN_VNI_NOT_FOUND]),
        Class::Unreachable(Culprit::Unknown),
        "No tunnel of this node has the network number (VNI) of {packets}",
        "Another node sent them for a network that this node does not take part in.",
    )
    .advised(&[Advice::look(
        "Compare the numbers (vxlan id) with those of the other node.",
        &["ip", "-details", "link", "show", "type", "vxlan"],
    )]),
    // The port does not forward (yet): learning, listening, or switched off.
    Row::new(
        Reasons(&[Reason::BRIDGE_INGRESS_STP_STATE]),
        Class::Flow(By::Culprit(Culprit::Here)),
        "A bridge's port that does not forward dropped {packets}",
        "A port listens and learns for its forward delay before it forwards, when the bridge runs the spanning tree \
         protocol.",
    )
    .advised(&[Advice::look(
        "See the port's state, and the bridge's forward delay.",
        &["bridge", "-details", "link", "show", "dev", DEVICE],
    )]),
];

pub(super) const RPFILTER: &str = "The reverse path filter refused {packets}";
pub(super) const RPFILTER_MECHANISM: &str =
    "No route leads back to their source through the interface that they came by.";
/// The filter is IPv4's only.
pub(super) const RPFILTER_ADVICE: &[Advice] = &[
    Advice::look(
        "See which way the route back leads. Correct it, or send the packets by the interface that it names.",
        &["ip", "route", "get", SOURCE],
    ),
    Advice::look(
        "See which filter is in force: the larger of the two values. Loose mode (2) helps only where the device has an \
         address of its own and some route leads to the source.",
        &[
            "sysctl",
            "net/ipv4/conf/all/rp_filter",
            "net/ipv4/conf/{device}/rp_filter",
        ],
    ),
];
pub(super) const NO_ROUTE: &str = "No route leads to the destination of {packets}";
pub(super) const NO_ROUTE_MECHANISM: &str = "The kernel looked for a route and found none, or one that forbids the way, and told the sender by ICMP.";
pub(super) const NO_ROUTE_ADVICE: &[Advice] = &[Advice::look(
    "Ask the kernel for the route of the first flow. If it is unreachable, add the prefix that is missing.",
    &[
        "ip",
        "route",
        "get",
        DESTINATION,
        "from",
        SOURCE,
        "iif",
        DEVICE,
    ],
)];
pub(super) const TOO_LONG: &str = "{packets were} longer than the MTU of the way onward";
pub(super) const TOO_LONG_MECHANISM: &str = "Packets that are too long and must not be cut are dropped, and the kernel tells the sender by ICMP to send shorter ones.";
pub(super) const TOO_LONG_ADVICE: &[Advice] = &[
    Advice::look(
        "See the MTU of the way onward (mtu of the route, else of its device).",
        &["ip", "route", "get", DESTINATION],
    ),
    Advice::only(
        "See that ICMP errors reach the sender; else clamp the segment size of TCP to that MTU, or give the pod's \
         device the same MTU.",
    ),
];
pub(super) const NO_REMOTE: &str = "The tunnel knows no other end for {packets}";
pub(super) const NO_REMOTE_MECHANISM: &str =
    "The forwarding table of the tunnel has no entry for the destination, not even a default one.";
pub(super) const NO_REMOTE_ADVICE: &[Advice] = &[Advice::look(
    "See which ends the tunnel knows, and whether the agent that writes them runs.",
    &["bridge", "fdb", "show", "dev", DEVICE],
)];
