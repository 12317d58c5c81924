//! TCP.
//!
//! `TCP_MIB_CSUMERRORS` goes with every TCP_CSUM. These functions free for a dozen other reasons too. Seen: 30 events,
//! Tcp.InCsumErrors +30, rx_dropped +0 (6.18); tcp_v4_do_rcv on open connections (6.1).

use super::{
    Ends, Kernels,
    Layer::Tcp,
    Raises::{self, Namespace},
    Reasons, Site, sites,
};
use crate::kernel::{NamespaceCounter, Reason};

const WRONG_CHECKSUMS: Reasons = Reasons::OnlyOrFound(&[Reason::TCP_CSUM]);
const IN_CSUM_ERRORS: Raises = Namespace(NamespaceCounter::TcpInCsumErrors);
/// The listener's queue has no room.
const NO_ROOM: Reasons = Reasons::Only(&[Reason::NO_SOCKET]);
const LISTEN_OVERFLOWS: Raises = Namespace(NamespaceCounter::ListenOverflows);

sites! {
    /// The look-up of a segment's socket, and the ordinary end of the last segment of a connection (do_time_wait).
    TCP_V4_RCV = Site::new(Tcp, &["tcp_v4_rcv"])
        .raising(&[(WRONG_CHECKSUMS, IN_CSUM_ERRORS)])
        .ending_on(Kernels::WithReasons, Ends::Unmissed);

    /// The same of IPv6.
    TCP_V6_RCV = Site::new(Tcp, &["tcp_v6_rcv"])
        .raising(&[(WRONG_CHECKSUMS, IN_CSUM_ERRORS)])
        .ending_on(Kernels::WithReasons, Ends::Unmissed);

    /// Segments of an open connection.
    TCP_V4_DO_RCV = Site::new(Tcp, &["tcp_v4_do_rcv"])
        .raising(&[(WRONG_CHECKSUMS, IN_CSUM_ERRORS)]);

    /// The same of IPv6.
    TCP_V6_DO_RCV = Site::new(Tcp, &["tcp_v6_do_rcv"])
        .raising(&[(WRONG_CHECKSUMS, IN_CSUM_ERRORS)]);

    /// Segments of an open connection whose checksum is verified late.
    TCP_RCV_ESTABLISHED = Site::new(Tcp, &["tcp_rcv_established"])
        .raising(&[(WRONG_CHECKSUMS, IN_CSUM_ERRORS)]);

    /// The end of segments that TCP refuses, on some kernels; until 6.8 also of each segment that opens or ends a
    /// connection.
    TCP_DROP_REASON = Site::new(Tcp, &["tcp_drop_reason"])
        .raising(&[(WRONG_CHECKSUMS, IN_CSUM_ERRORS)])
        .ending_on(Kernels::WithReasons, Ends::Unmissed);

    /// Segments that open or end a connection: until 6.8 freed so in their ordinary course.
    TCP_RCV_STATE_PROCESS = Site::new(Tcp, &["tcp_rcv_state_process"])
        .ending_on(Kernels::WithReasons, Ends::Unmissed);

    /// A connection by SYN cookie that finds no room in the listener's queue (tcp_get_cookie_sock): ListenOverflows
    /// rises.
    COOKIE_V4_CHECK = Site::new(Tcp, &["cookie_v4_check"]).raising(&[(NO_ROOM, LISTEN_OVERFLOWS)]);

    /// The same of IPv6.
    COOKIE_V6_CHECK = Site::new(Tcp, &["cookie_v6_check"]).raising(&[(NO_ROOM, LISTEN_OVERFLOWS)]);
}

/// The sites that verify a segment's checksum on arrival.
pub static TCP_ARRIVAL: &[&Site] = &[&TCP_V4_RCV, &TCP_V6_RCV, &TCP_V4_DO_RCV, &TCP_V6_DO_RCV];

/// The sites that end a connection by SYN cookie for which the listener has no room.
pub static COOKIE_CHECKS: &[&Site] = &[&COOKIE_V4_CHECK, &COOKIE_V6_CHECK];
