//! Connections that listeners refuse without a drop event: only a counter of their namespace tells.

use crate::{
    Window,
    detectors::kit::Tally,
    evidence::{DropCount, Namespace},
    finding::{Assessment, Culprit, Harm},
    kernel::{NamespaceCounter, Reason, Site, site},
};

/// tcp_conn_request counts it for each SYN that it refuses because the queue of connections to accept is full, and
/// tcp_v4_rcv then frees the SYN by consume_skb as one that was read.
pub(super) const COUNTER: NamespaceCounter = NamespaceCounter::ListenOverflows;
/// The reasons, with their sites, of the last segments of handshakes that are counted and freed as dropped: some
/// kernels name the overflow, and tcp_get_cookie_sock gives up a connection by SYN cookie without a word of its own.
static AS_EVENTS: [(Reason, &[&Site]); 2] = [
    (Reason::TCP_LISTEN_OVERFLOW, &[]),
    (Reason::NO_SOCKET, site::COOKIE_CHECKS),
];
/// Fewer refused attempts do not tell a listener that accepts nobody from one that is busy for a moment.
const TRIES: u64 = 3;

/// A namespace in which listening programs do not accept.
pub(super) struct ListenOverflow<'a> {
    pub(super) namespace: &'a Namespace,
    /// Packets to open a connection that were refused without an event.
    pub(super) refused: Tally,
}

impl ListenOverflow<'_> {
    /// A client asks again after a second: late, beside the connections that were accepted meanwhile. Where none was,
    /// nobody gets through.
    pub(super) fn assessment(&self) -> Assessment {
        let accepted = self.namespace.increase("Tcp.PassiveOpens");
        let harm = match accepted {
            Some(0) if self.refused.count >= TRIES => Harm::Outage,
            _ => Harm::Delay,
        };
        Assessment::of(harm)
            .by(Culprit::Here)
            .with_packets(self.refused.count)
            .out_of(accepted)
    }
}

/// The namespaces where listeners refused connections.
pub(super) fn overflows<'a>(window: &'a Window<'_>) -> impl Iterator<Item = ListenOverflow<'a>> {
    window.namespaces.iter().filter_map(|namespace| {
        let counted = namespace.increase(COUNTER.name())?;
        let refused = counted.saturating_sub(seen_as_events(window, namespace));
        (refused > 0).then(|| ListenOverflow {
            namespace,
            refused: Tally::of_counter(refused, (0, window.duration_ms)),
        })
    })
}

/// The packets that the drop probe has seen; they have a finding of their own.
fn seen_as_events(window: &Window<'_>, namespace: &Namespace) -> u64 {
    let keys = window
        .drops
        .value()
        .into_iter()
        .flat_map(|drops| &drops.counts);
    let counted = |key: &&DropCount| {
        AS_EVENTS.iter().any(|(reason, sites)| {
            key.reason == *reason && (sites.is_empty() || key.location.is_of_any(sites))
        })
    };
    keys.filter(|key| key.netns == Some(namespace.id))
        .filter(counted)
        .fold(0, |sum, key| key.count.saturating_add(sum))
}
