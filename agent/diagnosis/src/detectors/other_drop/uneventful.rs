//! Packets that the kernel refuses without a drop event: a counter of their namespace alone tells of them.

use super::{NAME, table::Class};
use crate::{
    evidence::{DropCount, EvidenceWindow, Namespace},
    finding::{Finding, Proof, Remedy, Severity, Subject, Text, counted_packets},
    kernel::Reason,
};

/// Cause of a finding about listeners whose programs do not accept.
pub(super) const LISTEN_OVERFLOWS: &str = "ListenOverflows";
/// tcp_conn_request counts it for each SYN that it refuses since the queue of connections to accept is full, and
/// tcp_v4_rcv then frees the SYN by consume_skb as one that was read.
const COUNTER: &str = "TcpExt.ListenOverflows";
/// The reasons, with their functions, of the last segments of handshakes that are counted and freed as dropped: some
/// kernels name the overflow, and tcp_get_cookie_sock gives up a connection by SYN cookie without a word of its own.
const AS_EVENTS: [(Reason, &[&str]); 2] = [
    (Reason::TCP_LISTEN_OVERFLOW, &[]),
    (Reason::NO_SOCKET, &["cookie_v4_check", "cookie_v6_check"]),
];
/// A listener should never refuse; see the table's rows.
const CLASS: Class = Class::Loss {
    warn_per_minute: Some(6),
};

/// One finding for each namespace where listeners refused connections.
pub(super) fn listen_overflows(window: &EvidenceWindow) -> impl Iterator<Item = Finding> {
    window.namespaces.iter().filter_map(|namespace| {
        let counted = namespace.increase(COUNTER)?;
        let refused = counted.saturating_sub(seen_as_events(window, namespace));
        (refused > 0).then(|| describe(window, namespace, counted, refused))
    })
}

/// What the drop probe has seen of them, which has a finding of its own.
fn seen_as_events(window: &EvidenceWindow, namespace: &Namespace) -> u64 {
    let keys = window
        .drops
        .value()
        .into_iter()
        .flat_map(|drops| &drops.counts);
    let counted = |key: &&DropCount| {
        AS_EVENTS.iter().any(|(reason, functions)| {
            key.reason == *reason
                && (functions.is_empty() || functions.contains(&key.location.as_str()))
        })
    };
    keys.filter(|key| key.netns == Some(namespace.id))
        .filter(counted)
        .fold(0, |sum, key| key.count.saturating_add(sum))
}

fn describe(window: &EvidenceWindow, namespace: &Namespace, counted: u64, refused: u64) -> Finding {
    let severity = if CLASS.warns(refused, window.duration_ms) {
        Severity::Warning
    } else {
        Severity::Info
    };
    let subject = Subject::of_namespace(namespace);
    let place = subject
        .place()
        .map_or_else(|| "on this node".to_owned(), |place| format!("in {place}"));
    let text = Text {
        headline: format!(
            "{} to open a connection refused {place}: the listening socket's queue of connections to accept was full \
             ({LISTEN_OVERFLOWS})",
            counted_packets(refused)
        ),
        what: "A listening program accepts too slowly or not at all. The kernel completes connections for it until its \
               backlog is reached, and ignores what comes next. It frees those packets as if it had read them, so only \
               this counter tells."
            .to_owned(),
        hurts: "Clients wait: they ask again after 1, 3 and 7 s, and then give up.".to_owned(),
    };
    let mut finding = Finding::new(NAME, LISTEN_OVERFLOWS, severity, subject, text);
    finding.count = refused;
    finding.last_ms = window.duration_ms;
    finding.evidence = vec![Proof::new(
        COUNTER,
        format!("+{counted}"),
        "packets",
        "/proc/net/netstat",
    )];
    finding.remedies = vec![Remedy::command_in(
        namespace,
        "Find the listener whose Recv-Q reaches its Send-Q; let it accept faster or listen with a larger backlog.",
        &["ss", "-ltnp"],
        &[],
    )];
    finding
}
