//! Which drops may be about a checksum.

use crate::evidence::{DropCount, EvidenceWindow};

/// Functions that free a datagram only because its checksum was found wrong while a program read or polled for it
/// (`udp_recvmsg`, `udpv6_recvmsg`, `__first_packet_length`). Kernels before 6.13 give no reason there.
const LATE_VERIFICATION: [&str; 3] = ["udp_recvmsg", "udpv6_recvmsg", "__first_packet_length"];

/// Functions in which TCP verifies a checksum on arrival, and which free segments for other reasons too.
const TCP_VERIFICATION: [&str; 4] = ["tcp_v4_rcv", "tcp_v6_rcv", "tcp_v4_do_rcv", "tcp_v6_do_rcv"];

// `ip_summed` tells a healthy packet only below the transports: `udp_csum_pull_header` sets it to CHECKSUM_NONE while
// the field still holds the half-made sum (`skb_postpull_rcsum`), so what a full or closed socket drops looks lost.
// Only these can drop a packet because connection tracking called it invalid.

/// Functions of packet filters, for kernels that give no reason.
const FILTERS: [&str; 4] = [
    "nf_hook_slow",
    "nft_do_chain",
    "ipt_do_table",
    "ip6t_do_table",
];
/// Where packets end up whose destination connection tracking left untranslated.
const MISDIRECTED: [&str; 4] = [
    "IP_INADDRERRORS",
    "IP_INNOROUTES",
    "IP_OUTNOROUTES",
    "IP_RPFILTER",
];
/// The same, for kernels that give no reason.
const ROUTING: [&str; 4] = ["ip_error", "ip_forward", "ip6_forward", "ip6_pkt_discard"];

/// Who says that the packets are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// The kernel verified the checksum and dropped the packet for it.
    Checksum,
    /// Something else dropped it, such as a rule against packets that connection tracking calls invalid. Only the
    /// packet itself can show that its checksum is the reason.
    Elsewhere,
}

/// Whether this drop may be about a checksum, and who says so.
pub(super) fn of(window: &EvidenceWindow, drop: &DropCount) -> Option<Trigger> {
    let rose = |counter| {
        let namespace = drop.netns.and_then(|netns| window.namespace(netns));
        namespace
            .and_then(|namespace| namespace.increase(counter))
            .map(|increase| increase > 0)
    };
    let late = LATE_VERIFICATION.contains(&drop.location.as_str());
    match drop.reason.as_str() {
        reason if is_checksum_reason(reason) => Some(Trigger::Checksum),
        "NOT_SPECIFIED" | "" if late => {
            let counted = [rose("Udp.InCsumErrors"), rose("Udp6.InCsumErrors")];
            let silent = counted.iter().all(|rose| *rose == Some(false));
            (!silent).then_some(Trigger::Checksum)
        }
        "" if only_checksums(window, drop) => Some(Trigger::Checksum),
        "NETFILTER_DROP" => Some(Trigger::Elsewhere),
        "" | "NOT_SPECIFIED" if FILTERS.contains(&drop.location.as_str()) => {
            Some(Trigger::Elsewhere)
        }
        reason
            if MISDIRECTED.contains(&reason)
                || (reason.is_empty() && ROUTING.contains(&drop.location.as_str())) =>
        {
            let node = window
                .node_namespace()
                .and_then(|node| node.increase("Conntrack.invalid"));
            let invalid =
                rose("Conntrack.invalid") == Some(true) || node.is_some_and(|rise| rise > 0);
            invalid.then_some(Trigger::Elsewhere)
        }
        _ => None,
    }
}

/// Where the kernel gives no reasons, the namespace's counter of wrong checksums tells: what TCP freed there on arrival
/// was freed for its checksum if the counter rose as much, but for one in ten.
fn only_checksums(window: &EvidenceWindow, drop: &DropCount) -> bool {
    let is_alike = |other: &&DropCount| {
        other.netns == drop.netns
            && other.reason.is_empty()
            && TCP_VERIFICATION.contains(&other.location.as_str())
    };
    let namespace = drop.netns.and_then(|netns| window.namespace(netns));
    let increase = namespace.and_then(|namespace| namespace.increase("Tcp.InCsumErrors"));
    let drops = window.drops.value();
    let freed = drops
        .into_iter()
        .flat_map(|drops| drops.counts.iter().filter(is_alike))
        .fold(0_u64, |sum, other| sum.saturating_add(other.count));
    is_alike(&drop) && increase.is_some_and(|rose| rose >= freed - freed / 10)
}

fn is_checksum_reason(reason: &str) -> bool {
    is_transport_checksum(reason) || is_other_checksum(reason)
}

fn is_transport_checksum(reason: &str) -> bool {
    matches!(reason, "TCP_CSUM" | "UDP_CSUM")
}

pub(super) fn is_other_checksum(reason: &str) -> bool {
    matches!(reason, "IP_CSUM" | "ICMP_CSUM" | "SKB_CSUM")
}
