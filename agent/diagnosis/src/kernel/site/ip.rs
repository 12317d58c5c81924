//! IP with its routes and neighbours.

use super::{Ends, Kernels, Layer::Ip, Raises::Namespace, Reasons, Site, sites};
use crate::kernel::{NamespaceCounter, Reason};

sites! {
    /// IPv6's look at a packet's header. It says UNHANDLED_PROTO of a packet whose version is not 6, which it did
    /// receive.
    IP6_RCV_CORE = Site::new(Ip, &["ip6_rcv_core"]);

    /// IPv4's look at a packet's header: frames for other hosts, and headers that are cut or wrong.
    IP_RCV_CORE = Site::new(Ip, &["ip_rcv_core"]);

    /// IPv4's route for a received packet (label drop_error): the reverse path filter, and groups that nobody has
    /// joined there.
    IP_RCV_FINISH_CORE = Site::new(Ip, &["ip_rcv_finish_core", "ip_rcv_finish"])
        .raising(&[
            (Reasons::Only(&[Reason::IP_RPFILTER]), Namespace(NamespaceCounter::ReversePathFilter)),
        ])
        .ending(Ends::Either);

    /// The end of a route that leads nowhere: none (-ENETUNREACH), of type blackhole, prohibit or unreachable, or for
    /// another host where forwarding is off.
    IP_ERROR = Site::new(Ip, &["ip_error"])
        .raising(&[
            (Reasons::Only(&[Reason::IP_INNOROUTES]), Namespace(NamespaceCounter::InNoRoutes)),
        ])
        .ending_on(Kernels::WithReasons, Ends::Refused);

    /// The end of a route of type blackhole, also for packets that the node itself sends; IPsec's policies end packets
    /// here as well.
    DST_DISCARD = Site::new(Ip, &["dst_discard", "dst_discard_out"])
        .ending_on(Kernels::WithReasons, Ends::Refused);

    /// IPv6's end of a route that leads nowhere; ip6_pkt_drop where a compiler has not made its last call a jump.
    IP6_PKT_DROP = Site::new(Ip, &["ip6_pkt_discard", "ip6_pkt_prohibit", "ip6_pkt_drop"]);

    /// Forwarding: the hop limit, the MTU. Frames to a broadcast address end here without a reason.
    IP_FORWARD = Site::new(Ip, &["ip_forward"]);

    /// IPv6's forwarding.
    IP6_FORWARD = Site::new(Ip, &["ip6_forward"]);

    /// A packet that is longer than the MTU and must not be cut: frees it itself after icmp_send(ICMP_FRAG_NEEDED).
    IP_FRAGMENT = Site::new(Ip, &["ip_fragment"]).ending(Ends::Wanted);

    /// A packet for whose neighbour no entry could be made: __neigh_create fails when the table is full.
    IP_FINISH_OUTPUT2 = Site::new(Ip, &["ip_finish_output2"])
        .ending_on(Kernels::WithoutReasons, Ends::Wanted);

    /// The same of IPv6, which frees multicasts without hops left here as well.
    IP6_FINISH_OUTPUT2 = Site::new(Ip, &["ip6_finish_output2"]).ending(Ends::Either);

    /// Packets that wait for a neighbour: it does not answer, or too many wait.
    NEIGH_EVENT_SEND = Site::new(Ip, &["__neigh_event_send"]).ending(Ends::Wanted);

    /// Packets that waited for a neighbour that has not answered. IPv6 gives no reason here.
    NEIGH_INVALIDATE = Site::new(
        Ip,
        &["neigh_invalidate", "arp_error_report", "ndisc_error_report"],
    )
    .ending(Ends::Wanted);

    /// IPv6 multicasts that the stack has read, or that are not for it.
    IP6_MC_INPUT = Site::new(Ip, &["ip6_mc_input"]).ending(Ends::Unmissed);

    /// ICMPv6 messages that the stack has read.
    ICMPV6_RCV = Site::new(Ip, &["icmpv6_rcv"]).ending(Ends::Unmissed);

    /// ICMP messages: an answered ping, whose copy the program has read from its raw socket, and broadcast pings, which
    /// icmp_echo_ignore_broadcasts refuses.
    ICMP_RCV = Site::new(Ip, &["icmp_rcv", "ping_rcv"]);

    /// IGMP messages that the stack has read.
    IGMP_RCV = Site::new(Ip, &["igmp_rcv"]).ending(Ends::Unmissed);

    /// Messages of routing rules and neighbours to programs (netlink). No packets.
    NEIGH_GET = Site::new(Ip, &["neigh_get", "vrf_fib_rule"]).ending(Ends::Unmissed);
}

/// The sites that end an ICMP message that the stack has read.
pub static PINGS: &[&Site] = &[&ICMP_RCV, &ICMPV6_RCV];

/// The sites that look at a packet's header.
pub static IP_HEADERS: &[&Site] = &[&IP_RCV_CORE, &IP6_RCV_CORE];

/// The sites that end a packet for which there is no way on.
pub static ROUTING: &[&Site] = &[&IP_ERROR, &IP_FORWARD, &IP6_FORWARD, &IP6_PKT_DROP];
