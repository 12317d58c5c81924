//! Reasons that nodes of a cluster seldom see: malformed messages of protocols, and filters that do not fit together.

use crate::{
    detectors::other_drop::{
        advice::{Advice, DEVICE},
        class::{By, Class},
        table::{On::Reasons, Row},
    },
    finding::{Culprit, Decision},
    kernel::Reason,
};

const PEER: Class = Class::Flow(By::Culprit(Culprit::Elsewhere));
const HERE: Class = Class::Flow(By::Culprit(Culprit::Here));

pub(super) static ROWS: &[Row] = &[
    Row::new(
        Reasons(&[Reason::IPV6_TOO_MANY_EXTHDRS]),
        PEER,
        "{packets} had more IPv6 extension headers than this node reads",
        "The kernel bounds the number of extension headers that it reads of one packet.",
    ),
    // RFC 4861, 7.1 (the hop limit must be 255, the code 0) and RFC 6980 (no fragments): a host that is not on the link cannot
    // send such a message.
    Row::new(
        Reasons(&[
            Reason::IPV6_NDISC_FRAG,
            Reason::IPV6_NDISC_HOP_LIMIT,
            Reason::IPV6_NDISC_BAD_CODE,
            Reason::IPV6_NDISC_BAD_OPTIONS,
        ]),
        Class::Unknown,
        "{packets} of IPv6 neighbour discovery were malformed",
        "The kernel takes none that was in fragments, had passed a router, or holds a code or options that must not be.",
    ),
    // vxlan_set_mac, vxlan_snoop: the tunnel learns from the source address of each frame which end a host is behind.
    Row::new(
        Reasons(&[Reason::MAC_INVALID_SOURCE]),
        Class::Unknown,
        "{packets} had a source address of the link layer that no host has",
        "The source was the address of a group, or empty.",
    ),
    Row::new(
        Reasons(&[Reason::VXLAN_ENTRY_EXISTS]),
        Class::Flow(By::Culprit(Culprit::Unknown)),
        "A tunnel refused {packets} that came from another end than its forwarding table says",
        "The entry for the source is permanent, so the tunnel does not learn another end.",
    )
    .advised(&[Advice::look(
        "See the entry, and whether the agent that writes it runs.",
        &["bridge", "fdb", "show", "dev", DEVICE],
    )]),
    // IP_MINTTL, IPV6_MINHOPCOUNT (RFC 5082): BGP daemons ask for it.
    Row::new(
        Reasons(&[Reason::TCP_MINTTL]),
        Class::Decision(Decision::Policy),
        "{packets} came from farther away than a socket allows",
        "A program takes only packets whose hop limit shows that no or few routers forwarded them.",
    ),
    Row::new(
        Reasons(&[Reason::PSP_INPUT, Reason::PSP_OUTPUT]),
        PEER,
        "The encryption (PSP) of {packets} was missing, wrong or not expected",
        "Both ends of a TCP connection must have agreed on the same key.",
    ),
    Row::new(
        Reasons(&[
            Reason::TC_CHAIN_NOTFOUND,
            Reason::TC_RECLASSIFY_LOOP,
            Reason::TC_COOKIE_ERROR,
        ]),
        HERE,
        "tc filters that do not fit together dropped {packets}",
        "A filter leads to a chain that is not there, to itself, or to hardware that has lost its place in the chain.",
    )
    .advised(&[Advice::look(
        "See the filters and their chains.",
        &["tc", "-s", "filter", "show", "dev", DEVICE, "ingress"],
    )]),
    Row::new(
        Reasons(&[Reason::SKB_UCOPY_FAULT]),
        Class::Unknown,
        "The bytes of {packets} could not be copied",
        "The bytes lay in the memory of a program, and the kernel failed to copy them.",
    ),
    Row::new(
        Reasons(&[
            Reason::OVS_DROP_LAST_ACTION,
            Reason::OVS_DROP_EXPLICIT,
            Reason::OVS_DROP_METER,
        ]),
        Class::Decision(Decision::Policy),
        "An Open vSwitch flow dropped {packets}",
        "The flow that matches them has no action that sends them on, says drop, or has a meter that was exceeded.",
    )
    .advised(FLOWS),
    Row::new(
        Reasons(&[
            Reason::OVS_DROP_ACTION_ERROR,
            Reason::OVS_DROP_EXPLICIT_WITH_ERROR,
            Reason::OVS_DROP_RECURSION_LIMIT,
            Reason::OVS_DROP_DEFERRED_LIMIT,
            Reason::OVS_DROP_FRAG_L2_TOO_LONG,
            Reason::OVS_DROP_FRAG_INVALID_PROTO,
            Reason::OVS_DROP_CONNTRACK,
        ]),
        HERE,
        "Open vSwitch failed to carry out a flow's actions: {packets were} dropped",
        "An action failed or referred to too many others, or connection tracking refused the packets.",
    )
    .advised(FLOWS),
    Row::new(
        Reasons(&[Reason::OVS_DROP_IP_TTL]),
        Class::Flow(By::Culprit(Culprit::Unknown)),
        "The hop limit (TTL) of {packets} ran out in Open vSwitch",
        "traceroute and mtr mean it so, with few packets and hop limits in turn. Many packets of one flow go in a \
         circle.",
    ),
    Row::new(
        Reasons(&[
            Reason::CAN_RX_INVALID_FRAME,
            Reason::CANFD_RX_INVALID_FRAME,
            Reason::CANXL_RX_INVALID_FRAME,
        ]),
        Class::Unknown,
        "{packets} of a CAN bus were malformed",
        "A frame had no length or format that the bus allows.",
    ),
];

const FLOWS: &[Advice] = &[Advice::look(
    "See the flows with their actions and numbers of packets.",
    &["ovs-dpctl", "dump-flows"],
)
.on_node()];
