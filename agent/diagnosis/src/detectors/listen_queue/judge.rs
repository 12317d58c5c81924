//! Which queue was full, whose listener it was, and whether anybody got through.

use crate::{
    Window,
    causes::{ACCEPT_QUEUE_FULL, Cause, SYN_QUEUE_FULL},
    detectors::kit::{Tally, harm, sockets, unclaimed},
    evidence::{DropCount, InetSocket, Namespace, SocketQueues},
    finding::{Assessment, Confidence, Culprit, Harm, Outcome},
    kernel::{
        NamespaceCounter::{self, ListenDrops, ListenOverflows, SynQueueFullDrop},
        Reason, Site, site,
    },
};

/// The reasons, with their sites, of the last segments of handshakes that are counted and freed as dropped: some
/// kernels name the overflow, and tcp_get_cookie_sock gives up a connection by SYN cookie without a word of its own.
static AS_EVENTS: [(Reason, &[&Site]); 2] = [
    (Reason::TCP_LISTEN_OVERFLOW, &[]),
    (Reason::NO_SOCKET, site::COOKIE_CHECKS),
];
/// Fewer refused attempts do not tell a listener that accepts nobody from one that is busy for a moment.
const TRIES: u64 = 3;

/// The queue that was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connections that the program has not accepted.
    AcceptQueueFull,
    /// Connections of which the handshake is not complete.
    SynQueueFull,
}

/// Listeners of one namespace whose queues refused connections.
pub(super) struct Fault<'a> {
    pub(super) kind: Kind,
    pub(super) namespace: &'a Namespace,
    /// Packets to open a connection that were refused.
    pub(super) tally: Tally,
    /// The listeners that refused something within the window, and whose queue this is.
    pub(super) listeners: Vec<&'a InetSocket>,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

impl Kind {
    pub(super) fn cause(self) -> &'static Cause {
        match self {
            Self::AcceptQueueFull => &ACCEPT_QUEUE_FULL,
            Self::SynQueueFull => &SYN_QUEUE_FULL,
        }
    }
}

/// The faults of every namespace.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut faults = Vec::new();
    for namespace in &window.namespaces {
        let events: Tally = unclaimed(window, so_far)
            .filter(|(_, key)| key.netns == Some(namespace.id) && is_overflow(key))
            .collect();
        faults.extend(accept_queue(window, namespace, events));
        faults.extend(syn_queue(window, namespace));
    }
    faults
}

fn is_overflow(key: &DropCount) -> bool {
    AS_EVENTS.iter().any(|(reason, sites)| {
        key.reason == *reason && (sites.is_empty() || key.location.is_of_any(sites))
    })
}

/// tcp_conn_request counts ListenOverflows for each SYN that it refuses because the queue of connections to accept is
/// full, tcp_v4_syn_recv_sock for each last segment of a handshake.
fn accept_queue<'a>(
    window: &'a Window<'_>,
    namespace: &'a Namespace,
    events: Tally,
) -> Option<Fault<'a>> {
    let counted = rose(namespace, ListenOverflows) + beside_full_accept_queues(window, namespace);
    let count = counted.max(events.count);
    if count == 0 {
        return None;
    }
    let mut tally = match events.keys.is_empty() {
        true => Tally::of_counter(count, (0, window.duration_ms)),
        false => events.with_count(count),
    };
    let mut listeners = sockets::that_dropped(window, namespace, |socket| socket.is_listening);
    // One with a full queue tells more than one that had room at both readings.
    if listeners.iter().any(|listener| was_full(listener)) {
        listeners.retain(|listener| was_full(listener));
    }
    tally.count = count;
    let accepted = namespace.increase("Tcp.PassiveOpens");
    let nobody = accepted == Some(0) && count >= TRIES;
    let is_hung = |listener: &&InetSocket| accepted_nobody(listener) && listener.dropped() >= TRIES;
    let judged = if nobody || listeners.iter().any(is_hung) {
        Assessment::of(Harm::Outage)
    } else {
        Assessment::of(Harm::Delay).out_of(accepted)
    };
    let judged = judged.by(Culprit::Here).with_packets(count);
    let proved = harm::outage(window, &tally, Culprit::Here);
    let judged = proved.unwrap_or_else(|| {
        let flows = harm::flows(window, &tally);
        harm::unless_dead(window, &tally, judged.with_flows(flows))
    });
    Some(Fault {
        kind: Kind::AcceptQueueFull,
        namespace,
        tally,
        listeners,
        assessment: judged,
        confidence: Confidence::Certain,
    })
}

/// SYNs that a queue of handshakes had no room for, where the listeners' accept queues were full as well. `tcp_check_req`
/// keeps a handshake that is complete until the accept queue has room, so these are of the same fault.
fn beside_full_accept_queues(window: &Window<'_>, namespace: &Namespace) -> u64 {
    let mut listeners = with_handshakes(window, namespace).peekable();
    let is_same_fault = rose(namespace, ListenOverflows) > 0
        && listeners.peek().is_some()
        && listeners.all(waits_to_be_accepted);
    match is_same_fault {
        true => rose(namespace, SynQueueFullDrop),
        false => 0,
    }
}

/// The queue was full at one of both readings.
pub(super) fn was_full(listener: &InetSocket) -> bool {
    let full = |queues: &SocketQueues| listener.is_accept_queue_full(queues);
    full(&listener.after) || listener.before.as_ref().is_some_and(full)
}

/// The queue was full at both readings, and the same connection had waited longest: the queue is first in, first out, so
/// the program accepted nobody meanwhile.
pub(super) fn accepted_nobody(listener: &InetSocket) -> bool {
    listener.before.is_some_and(|before| {
        listener.is_accept_queue_full(&before)
            && listener.is_accept_queue_full(&listener.after)
            && before.oldest != 0
            && before.oldest == listener.after.oldest
    })
}

/// tcp_conn_request refuses a SYN when the queue of handshakes has reached the listener's backlog, and counts
/// TCPReqQFullDrop; without SYN cookies it also keeps the last quarter of tcp_max_syn_backlog for peers that it knows, and
/// counts only ListenDrops.
fn syn_queue<'a>(window: &'a Window<'_>, namespace: &'a Namespace) -> Option<Fault<'a>> {
    let at_backlog = rose(namespace, SynQueueFullDrop);
    let refused = rose(namespace, ListenDrops).saturating_sub(rose(namespace, ListenOverflows));
    if beside_full_accept_queues(window, namespace) > 0 {
        return None;
    }
    let listeners: Vec<_> = with_handshakes(window, namespace)
        .filter(|listener| !waits_to_be_accepted(listener))
        .collect();
    let has_reserve = namespace.settings.tcp_syncookies == Some(0)
        && refused > 0
        && listeners
            .iter()
            .any(|listener| is_in_reserve(namespace, listener));
    if at_backlog == 0 && !has_reserve {
        return None;
    }
    let count = refused.max(at_backlog);
    let accepted = namespace.increase("Tcp.PassiveOpens");
    let judged = match accepted {
        Some(0) if count >= TRIES => Assessment::of(Harm::Outage),
        _ => Assessment::of(Harm::Delay).out_of(accepted),
    };
    Some(Fault {
        kind: Kind::SynQueueFull,
        namespace,
        tally: Tally::of_counter(count, (0, window.duration_ms)),
        listeners,
        assessment: judged.by(Culprit::Here).with_packets(count),
        confidence: Confidence::Certain,
    })
}

/// Listeners that refused something and whose queue of handshakes was near one of its bounds.
fn with_handshakes<'a>(
    window: &'a Window<'_>,
    namespace: &'a Namespace,
) -> impl Iterator<Item = &'a InetSocket> {
    let listeners = sockets::that_dropped(window, namespace, |socket| socket.is_listening);
    let listeners = listeners.into_iter();
    listeners.filter(|listener| has_handshakes(namespace, listener))
}

/// The accept queue was full when there were most handshakes.
fn waits_to_be_accepted(listener: &InetSocket) -> bool {
    listener.is_accept_queue_full(&at_most_handshakes(listener))
}

/// The reading with most handshakes under way.
fn at_most_handshakes(listener: &InetSocket) -> SocketQueues {
    match listener.before {
        Some(before) if before.syn > listener.after.syn => before,
        _ => listener.after,
    }
}

/// The most handshakes that a listener had at one of both readings.
pub(super) fn handshakes(listener: &InetSocket) -> u32 {
    at_most_handshakes(listener).syn
}

/// Its queue of handshakes was near one of its bounds; a reading comes before or after the worst.
fn has_handshakes(namespace: &Namespace, listener: &InetSocket) -> bool {
    let limit = listener.accept_limit;
    let limit = limit.min(namespace.settings.tcp_max_syn_backlog.unwrap_or(limit));
    u64::from(handshakes(listener)) * 2 >= u64::from(limit)
}

/// `max_syn_backlog - qlen < max_syn_backlog >> 2`.
fn is_in_reserve(namespace: &Namespace, listener: &InetSocket) -> bool {
    namespace
        .settings
        .tcp_max_syn_backlog
        .is_some_and(|backlog| {
            i64::from(backlog) - i64::from(handshakes(listener)) <= i64::from(backlog >> 2)
        })
}

/// Namespaces in which connections were refused without a full accept queue, and whose settings are not known.
pub(super) fn without_settings<'a>(window: &'a Window<'_>) -> Vec<&'a Namespace> {
    let refused = |namespace: &&Namespace| {
        rose(namespace, ListenDrops) > rose(namespace, ListenOverflows)
            && rose(namespace, SynQueueFullDrop) == 0
            && namespace.settings.tcp_syncookies.is_none()
    };
    window.namespaces.iter().filter(refused).collect()
}

fn rose(namespace: &Namespace, counter: NamespaceCounter) -> u64 {
    namespace.increase(counter.name()).unwrap_or_default()
}
