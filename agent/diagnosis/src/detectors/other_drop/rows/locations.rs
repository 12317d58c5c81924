//! Reasons that mean something else, or something narrower, in some functions.

use crate::{
    detectors::{
        kit::seen::Seen,
        other_drop::{
            advice::{Advice, DESTINATION, DEVICE},
            class::{By, Class},
            table::{
                On::{At, Reasons},
                Row,
                When::{Any, HopLimit, Traced},
            },
        },
    },
    finding::Culprit,
    kernel::{Reason, Site, site},
};

pub(super) static ROWS: &[Row] = &[
    // tcp_get_cookie_sock finds no room in the listener's queue: ListenOverflows rises.
    Row::new(
        At(&[Reason::NO_SOCKET], site::COOKIE_CHECKS),
        Class::Delay,
        "A listening socket's queue of connections to accept was full and refused {packets}",
        "The connections were opened by SYN cookie. A client believes that its connection stands, and its first data is \
         dropped until the queue has room.",
    )
    .advised(super::queues::LISTENER_ADVICE),
    Row::new(
        At(&[Reason::IP_INHDR, Reason::ABSENT], FORWARDING),
        Class::Wanted,
        "{packets} of traceroute or mtr reached their hop limit (TTL)",
        "A program sent them with a hop limit that ends here, to learn the way: few, each another probe, and they did \
         not go in a circle. The kernel told the program by ICMP.",
    )
    .when(Traced),
    Row::new(
        At(&[Reason::IP_INHDR], FORWARDING),
        HOP_LIMIT_CLASS,
        HOP_LIMIT,
        HOP_LIMIT_MECHANISM,
    )
    .advised(HOP_LIMIT_ADVICE),
    Row::new(
        At(&[Reason::ABSENT], FORWARDING),
        HOP_LIMIT_CLASS,
        HOP_LIMIT,
        HOP_LIMIT_MECHANISM,
    )
    .when(HopLimit)
    .advised(HOP_LIMIT_ADVICE),
    // Without this reason until 6.15; see `br_handle_frame_finish` among the functions. A tunnel means another thing
    // by it. A switch floods what is for nobody here; unicast for a guest behind a port may end here as well.
    Row::new(
        At(
            &[Reason::NO_TX_TARGET],
            &[
                &site::BR_HANDLE_FRAME_FINISH,
                &site::BR_FLOOD,
                &site::BR_FORWARD,
                &site::BR_DEV_XMIT,
            ],
        ),
        Class::NoWay(By::Culprit(Culprit::Unknown)),
        "A bridge had no other port for {packets}",
        "A switch flooded them, they stay where they came from, or the address that they are for is gone.",
    ),
    // The outer packet has no route: the fdb's remote.
    Row::new(
        At(
            &[Reason::IP_OUTNOROUTES],
            &[&site::VXLAN_XMIT_ONE, &site::VXLAN_XMIT],
        ),
        Class::Unreachable(Culprit::Here),
        "The node has no route to the other end of a tunnel: {packets were} dropped",
        "The tunnel knows the other end, and no route of the node leads there.",
    )
    .advised(&[Advice::look(
        "Compare the other ends (dst) with the node's routes.",
        &["bridge", "fdb", "show", "dev", DEVICE],
    )]),
    // Two hosts behind one translated address: the second one's SYN carries an older timestamp.
    Row::new(
        Reasons(&[Reason::TCP_RFC7323_PAWS, Reason::TCP_RFC7323_TW_PAWS]),
        Class::Flow(By::Culprit(Culprit::Elsewhere)),
        "TCP refused {packets} with an old timestamp",
        "Packets that open connections are among them: two hosts behind one translated address have different clocks.",
    )
    .when(Any(Seen::Syn))
    .advised(&[Advice::only(
        "On the host that translates the addresses: use more addresses, or switch TCP timestamps off on the clients.",
    )]),
];

const FORWARDING: &[&Site] = &[&site::IP_FORWARD, &site::IP6_FORWARD];
const HOP_LIMIT_CLASS: Class = Class::Flow(By::Culprit(Culprit::Unknown));
const HOP_LIMIT: &str = "The hop limit (TTL) of {packets} ran out";
const HOP_LIMIT_MECHANISM: &str = "traceroute and mtr mean it so, with few packets and hop limits in turn. Many packets \
     of one flow go in a circle: the next hop sends them back.";
const HOP_LIMIT_ADVICE: &[Advice] = &[Advice::look(
    "See where the route leads. If the next hop is the way that they came from, correct its route.",
    &["ip", "route", "get", DESTINATION],
)];
