//! Reasons that mean something else, or something narrower, in some functions.

use super::look;
use crate::{
    detectors::other_drop::table::{
        Class::{Decision, Loss},
        Match::ReasonAt,
        Row,
    },
    kernel::{Reason, site},
};

pub(super) static ROWS: &[Row] = &[
    Row {
        // tcp_get_cookie_sock finds no room in the listener's queue: ListenOverflows rises.
        matches: ReasonAt(Reason::NO_SOCKET, site::COOKIE_CHECKS),
        class: Loss,
        meaning: "the listening socket's queue of connections to accept was full, also for those by SYN cookie",
        advice: Some(look(
            "Find the listener whose Recv-Q reaches its Send-Q; let it accept faster or listen with a larger backlog.",
            &["ss", "-ltnp"],
        )),
    },
    Row {
        matches: ReasonAt(Reason::IP_INHDR, &[&site::IP_FORWARD, &site::IP6_FORWARD]),
        class: Loss,
        meaning: "their hop limit (TTL) ran out here: traceroute means it so, and many of one flow go in a circle",
        advice: Some(look(
            "If they are not traceroute's, see whether the next hop sends them back (ip -6 route get for IPv6).",
            &["ip", "route", "show", "table", "all"],
        )),
    },
    Row {
        // Without this reason until 6.15; see `br_handle_frame_finish` among the functions. A tunnel means loss by it.
        matches: ReasonAt(
            Reason::NO_TX_TARGET,
            &[
                &site::BR_HANDLE_FRAME_FINISH,
                &site::BR_FLOOD,
                &site::BR_FORWARD,
                &site::BR_DEV_XMIT,
            ],
        ),
        class: Decision,
        meaning: "no other port of the bridge leads to their destination: a switch flooded them, they stay where they \
                  came from, or the address is gone",
        advice: None,
    },
];
