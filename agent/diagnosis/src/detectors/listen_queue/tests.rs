mod ports;

use super::ListenQueue;
use crate::{
    EvidenceWindow, Window,
    causes::{ACCEPT_QUEUE_FULL, SYN_QUEUE_FULL},
    detectors::Detector,
    evidence::{InetSocket, SocketQueues},
    finding::{Acts, Harm, Outcome, Severity, Verdict},
    testing::{NODE, POD, complete, ipv4_drops, listener, only, owner, pod_namespace, window},
};

/// A pod with these increases of its counters and these listeners.
fn pod(counters: &[(&str, u64)], sockets: Vec<InetSocket>) -> EvidenceWindow {
    let mut window = window(Vec::new(), Vec::new());
    window.namespaces[1] = pod_namespace(POD, 4711, "shop", "cart-0");
    let counters = counters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    window.namespaces[1].counters = counters.collect();
    window.inet_sockets = complete(sockets);
    window
}

fn judge(window: &EvidenceWindow) -> Outcome {
    ListenQueue.diagnose(&Window::of(window), &Outcome::default())
}

/// A listener of the pod with a backlog of 3 whose queue was so.
fn queue(before: Option<(u32, u32)>, after: (u32, u32), dropped: u32) -> InetSocket {
    let queues = |(accept, oldest), drops| SocketQueues {
        accept,
        oldest,
        drops,
        ..SocketQueues::default()
    };
    InetSocket {
        accept_limit: 3,
        before: before.map(|before| queues(before, 0)),
        after: queues(after, dropped),
        ..listener(POD, owner(7, "nginx"))
    }
}

const REFUSED: (&str, u64) = ("TcpExt.ListenOverflows", 20);
const DROPPED: (&str, u64) = ("TcpExt.ListenDrops", 20);

fn harm(window: &EvidenceWindow) -> (Harm, Severity) {
    let outcome = judge(window);
    let finding = only(&outcome);
    (finding.assessment.harm, finding.severity())
}

#[test]
fn the_listener_whose_queue_is_full_is_named_with_its_process() {
    let idle = InetSocket {
        port: 81,
        ..queue(Some((0, 0)), (0, 0), 0)
    };
    let window = pod(
        &[REFUSED, DROPPED],
        vec![idle, queue(Some((0, 0)), (4, 9), 20)],
    );
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&ACCEPT_QUEUE_FULL));
    assert_eq!(
        finding.text.headline,
        "The queue of connections to accept of port 80 of nginx (pid 7) was full and refused 20 connection attempts in \
         pod shop/cart-0"
    );
    assert_eq!(finding.details.len(), 1);
    assert!(
        finding
            .evidence
            .iter()
            .any(|proof| proof.value == "0, 4 of 3")
    );
    // Still full: a longer queue would help nobody.
    assert!(
        finding
            .remedies
            .iter()
            .all(|remedy| remedy.change.is_none())
    );
}

#[test]
fn nobody_gets_through_where_none_was_accepted_or_the_same_one_still_waits() {
    let accepted = |accepted, before, after| {
        let counters = [REFUSED, DROPPED, ("Tcp.PassiveOpens", accepted)];
        harm(&pod(&counters, vec![queue(before, after, 20)]))
    };
    let late = (Harm::Delay, Severity::Warning);
    let nobody = (Harm::Outage, Severity::Critical);
    assert_eq!(accepted(0, None, (4, 9)), nobody);
    assert_eq!(accepted(40, None, (4, 9)), late);
    assert_eq!(accepted(40, Some((4, 8)), (4, 9)), late);
    assert_eq!(accepted(40, Some((3, 9)), (4, 9)), late);
    // Another listener of the pod accepts, this one does not.
    assert_eq!(accepted(40, Some((4, 9)), (4, 9)), nobody);
    let few = pod(
        &[("TcpExt.ListenOverflows", 2), ("Tcp.PassiveOpens", 0)],
        Vec::new(),
    );
    assert_eq!(harm(&few).0, Harm::Delay);
}

#[test]
fn a_backlog_that_somaxconn_bounds_is_raised_from_what_is_set() {
    let mut window = pod(&[REFUSED, DROPPED], vec![queue(Some((0, 0)), (1, 9), 20)]);
    window.namespaces[1].settings.somaxconn = Some(3);
    let outcome = judge(&window);
    let remedy = &only(&outcome).remedies[0];
    let enter =
        r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" sysctl -w net.core.somaxconn="#;
    assert_eq!(remedy.command.as_deref(), Some(&*format!("{enter}6")));
    let change = remedy.change.as_ref().unwrap();
    assert_eq!(change.undo.as_deref(), Some(&*format!("{enter}3")));
    assert_eq!(change.acts, Acts::NextListen);

    // The program itself asked for so little.
    window.namespaces[1].settings.somaxconn = Some(4_096);
    let outcome = judge(&window);
    let remedy = &only(&outcome).remedies[0];
    assert_eq!(remedy.change, None);
    assert!(remedy.text.contains("backlog of 6"), "{}", remedy.text);
}

#[test]
fn what_drop_events_tell_of_is_counted_once_and_claimed() {
    let mut window = pod(&[("TcpExt.ListenOverflows", 23)], Vec::new());
    window.drops = complete(crate::testing::named_drops(vec![
        ipv4_drops(POD, 2, "NO_SOCKET", "cookie_v4_check", 2),
        ipv4_drops(POD, 2, "TCP_LISTEN_OVERFLOW", "tcp_v4_syn_recv_sock", 1),
        ipv4_drops(POD, 2, "NO_SOCKET", "tcp_v4_rcv", 9),
    ]));
    let outcome = judge(&window);
    assert_eq!(only(&outcome).count, 23);
    let claimed: Vec<_> = outcome
        .claims
        .iter()
        .map(|claim| (claim.drop, claim.verdict))
        .collect();
    assert_eq!(claimed, [(0, Verdict::Harmful), (1, Verdict::Harmful)]);
}

#[test]
fn a_full_queue_of_handshakes_is_told_by_its_counters() {
    let counters = [
        ("TcpExt.ListenDrops", 436),
        ("TcpExt.TCPReqQFullDrop", 430),
        ("Tcp.PassiveOpens", 0),
    ];
    let mut window = pod(&counters, vec![handshakes(128, 436)]);
    window.namespaces[1].settings.tcp_syncookies = Some(0);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&SYN_QUEUE_FULL));
    assert_eq!(
        (finding.count, finding.severity()),
        (436, Severity::Critical)
    );
    assert!(finding.text.headline.contains("port 80 of nginx (pid 7)"));
    let remedy = &finding.remedies[0];
    let enter = r#"nsenter --net="$(find -L /proc/4711/ns/net -inum 2)" sysctl -w net.ipv4.tcp_syncookies="#;
    assert_eq!(remedy.command.as_deref(), Some(&*format!("{enter}1")));
    assert_eq!(
        remedy.change.as_ref().unwrap().undo.as_deref(),
        Some(&*format!("{enter}0"))
    );

    // Others got through.
    window.namespaces[1]
        .counters
        .insert("Tcp.PassiveOpens".to_owned(), 50);
    assert_eq!(harm(&window), (Harm::Delay, Severity::Warning));
}

#[test]
fn handshakes_that_wait_for_a_full_accept_queue_are_of_the_same_fault() {
    let counters = [
        REFUSED,
        ("TcpExt.ListenDrops", 50),
        ("TcpExt.TCPReqQFullDrop", 30),
    ];
    let mut hung = queue(Some((4, 9)), (4, 9), 50);
    hung.after.syn = 3;
    let outcome = judge(&pod(&counters, vec![hung.clone()]));
    let finding = only(&outcome);
    assert!(finding.cause.is(&ACCEPT_QUEUE_FULL));
    assert_eq!(finding.count, 50);
    // Another listener's handshakes are a fault of their own.
    let flooded = InetSocket {
        port: 81,
        ..handshakes(128, 30)
    };
    let outcome = judge(&pod(&counters, vec![hung, flooded]));
    let causes: Vec<_> = outcome
        .findings
        .iter()
        .map(|one| one.cause.name())
        .collect();
    assert_eq!(causes, ["AcceptQueueFull", "SynQueueFull"]);
    assert_eq!(outcome.findings[1].details.len(), 1);
}

/// A listener of the pod with so many handshakes under way.
fn handshakes(syn: u32, dropped: u32) -> InetSocket {
    InetSocket {
        after: SocketQueues {
            syn,
            drops: dropped,
            ..SocketQueues::default()
        },
        ..listener(POD, owner(7, "nginx"))
    }
}

#[test]
fn the_reserved_quarter_counts_only_where_cookies_are_off_and_it_was_reached() {
    let told = |cookies, syn| {
        let counters = [("TcpExt.ListenDrops", 40), ("Tcp.PassiveOpens", 0)];
        let mut socket = handshakes(syn, 40);
        socket.accept_limit = 4_096;
        let mut window = pod(&counters, vec![socket]);
        window.namespaces[1].settings.tcp_syncookies = cookies;
        window.namespaces[1].settings.tcp_max_syn_backlog = Some(128);
        let outcome = judge(&window);
        (outcome.findings.len(), outcome.unchecked.len())
    };
    assert_eq!(told(Some(0), 97), (1, 0));
    assert_eq!(told(Some(0), 20), (0, 0));
    assert_eq!(told(Some(1), 97), (0, 0));
    // What is set there is not known: said, and not answered from the node's value.
    assert_eq!(told(None, 97), (0, 1));
}

#[test]
fn cookies_and_quiet_listeners_are_silent() {
    let answered = [
        ("TcpExt.TCPReqQFullDoCookies", 90),
        ("TcpExt.ListenDrops", 0),
    ];
    assert!(
        judge(&pod(&answered, vec![handshakes(128, 0)]))
            .findings
            .is_empty()
    );
    assert!(
        judge(&pod(&[], vec![queue(Some((3, 1)), (3, 1), 0)]))
            .findings
            .is_empty()
    );
    // Drops of another namespace are not this one's.
    let mut elsewhere = pod(&[REFUSED], vec![queue(None, (4, 9), 20)]);
    if let crate::evidence::Observed::Complete { value } = &mut elsewhere.inet_sockets {
        value[0].netns = NODE;
    }
    assert!(only(&judge(&elsewhere)).details.is_empty());
}
