use super::SocketBuffer;
use crate::{
    EvidenceWindow, Window,
    causes::{PACKET_SOCKET_FULL, RECEIVE_BUFFER_FULL, SOCKET_BACKLOG_FULL},
    detectors::Detector,
    evidence::{Address, InetSocket, PacketSocket, SocketQueues},
    finding::{Acts, Harm, Outcome, Severity, Verdict},
    testing::{
        NODE, POD, complete, ipv4_drops, link, links_of, listener, named_drops, only, owner,
        packet_socket, pod_namespace, window,
    },
};

/// A pod whose sockets dropped `count` for this reason at this function.
fn dropped(reason: &str, function: &str, count: u64, sockets: Vec<InetSocket>) -> EvidenceWindow {
    let mut window = window(vec![link(POD, 2, "eth0")], Vec::new());
    window.namespaces[1] = pod_namespace(POD, 4711, "shop", "cart-0");
    window.drops = complete(named_drops(vec![ipv4_drops(
        POD, 2, reason, function, count,
    )]));
    window.inet_sockets = complete(sockets);
    window.settings.rmem_default = Some(212_992);
    window.settings.rmem_max = Some(500_000);
    window
}

fn full(count: u64, sockets: Vec<InetSocket>) -> EvidenceWindow {
    let mut window = dropped("SOCKET_RCVBUFF", "udp_queue_rcv_one_skb", count, sockets);
    let counters = &mut window.namespaces[1].counters;
    counters.insert("Udp.RcvbufErrors".to_owned(), count);
    counters.insert("Udp.InDatagrams".to_owned(), 900);
    window
}

fn reader(buffer: u32, waiting: u32, dropped: u32) -> InetSocket {
    InetSocket {
        protocol: 17,
        is_listening: false,
        receive_buffer: buffer,
        after: SocketQueues {
            memory: waiting,
            drops: dropped,
            ..SocketQueues::default()
        },
        ..listener(POD, owner(7, "coredns"))
    }
}

fn judge(window: &EvidenceWindow) -> Outcome {
    SocketBuffer.judge(&Window::of(window), &Outcome::default())
}

#[test]
fn a_full_receive_buffer_names_its_socket_and_its_share() {
    let outcome = judge(&full(100, vec![reader(212_992, 0, 100)]));
    let finding = only(&outcome);
    assert!(finding.cause.is(&RECEIVE_BUFFER_FULL));
    assert_eq!(finding.severity(), Severity::Critical);
    assert_eq!(
        finding.text.headline,
        "The receive buffer of port 80 of coredns (pid 7) was full and dropped 100 datagrams in pod shop/cart-0"
    );
    assert!(
        finding.text.hurts.contains("100 of 1000 datagrams (10 %)"),
        "{}",
        finding.text.hurts
    );
    assert_eq!(outcome.claims[0].verdict, Verdict::Harmful);
}

#[test]
fn a_larger_buffer_is_made_from_what_bounds_it() {
    let remedy = |buffer, waiting| {
        let outcome = judge(&full(100, vec![reader(buffer, waiting, 100)]));
        only(&outcome).remedies[0].clone()
    };
    let of_default = remedy(212_992, 0);
    let command = "sysctl -w net.core.rmem_default=425984";
    assert_eq!(of_default.command.as_deref(), Some(command));
    let change = of_default.change.unwrap();
    let undo = "sysctl -w net.core.rmem_default=212992";
    assert_eq!(change.undo.as_deref(), Some(undo));
    assert_eq!(change.acts, Acts::NextSocket);
    let bounded = remedy(1_000_000, 0);
    let command = "sysctl -w net.core.rmem_max=1000000";
    assert_eq!(bounded.command.as_deref(), Some(command));
    // It asked for so little itself, or does not read at all.
    let own = remedy(300_000, 0);
    assert!(
        own.change.is_none() && own.text.contains("SO_RCVBUF of 300000"),
        "{}",
        own.text
    );
    let hung = remedy(212_992, 200_000);
    assert!(
        hung.change.is_none() && hung.text.contains("still full"),
        "{}",
        hung.text
    );
}

#[test]
fn without_reasons_the_counter_tells_it_from_a_filter() {
    let mut old = full(100, Vec::new());
    old.drops = complete(named_drops(vec![ipv4_drops(
        POD,
        2,
        "",
        "udp_queue_rcv_one_skb",
        100,
    )]));
    assert_eq!(judge(&old).findings.len(), 1);
    old.namespaces[1].counters.remove("Udp.RcvbufErrors");
    assert!(judge(&old).findings.is_empty());
    // A raw socket gets copies.
    let raw = dropped("SOCKET_RCVBUFF", "raw_rcv", 100, Vec::new());
    assert!(judge(&raw).findings.is_empty());
}

#[test]
fn without_events_the_counter_speaks() {
    let mut blind = full(100, vec![reader(212_992, 0, 100)]);
    blind.drops = crate::testing::unavailable("EPERM");
    assert_eq!(only(&judge(&blind)).count, 100);
}

#[test]
fn a_held_socket_is_named() {
    let held = InetSocket {
        protocol: 6,
        ..reader(1_000, 0, 12)
    };
    let outcome = judge(&dropped("SOCKET_BACKLOG", "tcp_v4_rcv", 12, vec![held]));
    let finding = only(&outcome);
    assert!(finding.cause.is(&SOCKET_BACKLOG_FULL));
    assert!(finding.text.headline.contains("coredns (pid 7)"));
}

/// A packet socket on eth0 of the pod that missed 300 packets.
fn capture(addresses: &[(u32, &str)]) -> EvidenceWindow {
    let mut window = full(0, Vec::new());
    window.packet_sockets = complete(vec![PacketSocket {
        netns: POD,
        dropped: 300,
        ..packet_socket(owner(9, "sandbox"), 2)
    }]);
    let addresses = addresses.iter().map(|(ifindex, address)| Address {
        ifindex: *ifindex,
        address: address.parse().unwrap(),
        prefix: 24,
    });
    window.namespaces[1].addresses = addresses.collect();
    window
}

#[test]
fn a_capture_misses_copies_and_a_sandbox_its_packets() {
    let harm = |window: &EvidenceWindow| only(&judge(window)).assessment.harm;
    let captured = capture(&[(2, "10.0.0.9")]);
    assert!(only(&judge(&captured)).cause.is(&PACKET_SOCKET_FULL));
    assert_eq!(harm(&captured), Harm::None);
    let mut sandbox = capture(&[(1, "127.0.0.1"), (2, "fe80::1")]);
    assert_eq!(harm(&sandbox), Harm::Loss);
    // No address was read at all.
    assert_eq!(harm(&capture(&[])), Harm::None);
    // Somebody else takes them too.
    if let crate::evidence::Observed::Complete { value } = &mut sandbox.packet_sockets {
        let mut other = value[0].clone();
        other.dropped = 0;
        value.push(other);
    }
    assert_eq!(harm(&sandbox), Harm::Unknown);
    // A device under another one: its packets go up.
    let mut lower = capture(&[(1, "127.0.0.1")]);
    links_of(&mut lower)[0].master = Some(3);
    assert_eq!(harm(&lower), Harm::None);
    let mut node = capture(&[(1, "127.0.0.1")]);
    if let crate::evidence::Observed::Complete { value } = &mut node.packet_sockets {
        value[0].netns = NODE;
    }
    assert_eq!(harm(&node), Harm::None);
}

/// A pod in which IP ended 600 copies of what a packet socket on eth0 takes.
fn sandbox(reason: &str, function: &str, addresses: &[(u32, &str)]) -> EvidenceWindow {
    let mut window = dropped(reason, function, 600, Vec::new());
    let seen = capture(addresses);
    window.packet_sockets = seen.packet_sockets;
    window.namespaces = seen.namespaces;
    if let crate::evidence::Observed::Complete { value } = &mut window.packet_sockets {
        value[0].dropped = 0;
    }
    window
}

#[test]
fn copies_of_what_a_sandbox_takes_are_nobodys_loss() {
    const OWN: &[(u32, &str)] = &[(1, "127.0.0.1"), (2, "fe80::1")];
    let is_claimed = |window: &EvidenceWindow| {
        let outcome = judge(window);
        assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        let claims: Vec<Verdict> = outcome.claims.iter().map(|one| one.verdict).collect();
        assert!(claims.is_empty() || claims == [Verdict::Benign]);
        !claims.is_empty()
    };
    for (reason, function) in [
        ("IP_INNOROUTES", "ip_error"),
        ("IP_INADDRERRORS", "ip_error"),
        ("IP_RPFILTER", "ip_rcv_finish_core"),
        ("", "ip_rcv_finish_core"),
        ("NOT_SPECIFIED", "ip_error"),
    ] {
        assert!(is_claimed(&sandbox(reason, function, OWN)), "{reason}");
    }
    // A rule, and a program's own queue, drop before the socket or for another reason.
    assert!(!is_claimed(&sandbox("NETFILTER_DROP", "nft_do_chain", OWN)));
    // A router has an address somewhere, and a capture in a pod is no stack of its own.
    let router = [(1, "127.0.0.1"), (3, "10.0.0.1")];
    assert!(!is_claimed(&sandbox("IP_INNOROUTES", "ip_error", &router)));
    let pod = [(1, "127.0.0.1"), (2, "10.0.0.9")];
    assert!(!is_claimed(&sandbox("IP_INNOROUTES", "ip_error", &pod)));
    // No address was read at all.
    assert!(!is_claimed(&sandbox("IP_INNOROUTES", "ip_error", &[])));
    let with_socket = |ifindex, ethertype| {
        let mut window = sandbox("IP_INNOROUTES", "ip_error", OWN);
        if let crate::evidence::Observed::Complete { value } = &mut window.packet_sockets {
            (value[0].ifindex, value[0].ethertype) = (ifindex, ethertype);
        }
        is_claimed(&window)
    };
    assert!(with_socket(2, 0x0800), "of this device");
    assert!(!with_socket(0, 0x0003), "a capture of every device");
    assert!(!with_socket(2, 0x86dd), "of the other version");
    assert!(!with_socket(7, 0x0003), "of another device");
}
