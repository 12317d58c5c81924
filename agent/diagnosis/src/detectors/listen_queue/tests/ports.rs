use std::net::IpAddr;

use super::judge;
use crate::{
    EvidenceWindow,
    causes::{LOOPBACK_ONLY, PORT_CLOSED},
    evidence::{InetSocket, LinkKind, PacketSample},
    finding::{Confidence, Decision, Finding, Harm, Severity},
    testing::{
        POD, complete, drops_of, ipv4_drops, ipv4_sample, link, links_of, listener, only, owner,
        unavailable, window,
    },
};

const SYN: u8 = 2;
const RST: u8 = 4;

/// A segment to this port of 10.0.0.9.
fn segment(port: u8, flags: u8) -> PacketSample {
    let mut bytes = vec![0x9c, 0x40, 0, port, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags];
    bytes.extend([0; 6]);
    ipv4_sample(6, [10, 0, 0, 9], &bytes)
}

/// The pod refused these packets, and has these sockets.
fn pod(samples: Vec<PacketSample>, sockets: Vec<InetSocket>) -> EvidenceWindow {
    let key = ipv4_drops(POD, 2, "NO_SOCKET", "tcp_v4_rcv", samples.len() as u64);
    let mut window = window(vec![link(POD, 2, "eth0")], vec![key]);
    drops_of(&mut window).samples = samples;
    window.inet_sockets = complete(sockets);
    window
}

fn at(address: impl Into<IpAddr>) -> InetSocket {
    InetSocket {
        address: address.into(),
        ..listener(POD, owner(7, "nginx"))
    }
}

fn decision(finding: &Finding) -> (Option<Decision>, Severity) {
    (finding.assessment.decision, finding.severity())
}

const DECIDED: (Option<Decision>, Severity) = (Some(Decision::ClosedPort), Severity::Info);

#[test]
fn a_port_that_nobody_has_is_closed_and_a_decision() {
    let mut window = pod(vec![segment(81, SYN); 4], vec![at([127, 0, 0, 1])]);
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&PORT_CLOSED));
    assert_eq!(
        finding.text.headline,
        "Nobody listens on TCP port 81: 4 packets refused in pod shop/cart-0"
    );
    assert_eq!(decision(finding), DECIDED);
    assert_eq!(finding.confidence, Confidence::Certain);
    assert!(outcome.claims.has(0));
    // Which sockets there are is not known.
    window.inet_sockets = unavailable("no BPF");
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn a_program_on_another_address_is_named() {
    let others: [(InetSocket, &str); 4] = [
        (at([127, 0, 0, 1]), "127.0.0.1:80"),
        (at([10, 0, 0, 8]), "10.0.0.8:80"),
        (at("::1".parse::<IpAddr>().unwrap()), "[::1]:80"),
        (
            InetSocket {
                ifindex: 3,
                ..at([0, 0, 0, 0])
            },
            "0.0.0.0:80 of eth1",
        ),
    ];
    for (socket, bound) in others {
        let mut window = pod(vec![segment(80, SYN); 4], vec![socket]);
        links_of(&mut window).push(link(POD, 3, "eth1"));
        let outcome = judge(&window);
        let finding = only(&outcome);
        assert!(finding.cause.is(&LOOPBACK_ONLY), "{bound}");
        assert_eq!(
            finding.text.headline,
            format!(
                "nginx (pid 7) listens on {bound} only: 4 packets for 10.0.0.9:80 TCP refused in pod shop/cart-0"
            )
        );
        assert_eq!(finding.assessment.harm, Harm::Outage);
        assert_eq!(decision(finding), DECIDED);
    }
}

#[test]
fn a_socket_that_would_take_the_packet_by_now_is_no_cause() {
    let every_v6 = || at("::".parse::<IpAddr>().unwrap());
    for socket in [at([0, 0, 0, 0]), at([10, 0, 0, 9]), every_v6()] {
        let window = pod(vec![segment(80, SYN); 4], vec![socket]);
        assert!(judge(&window).findings.is_empty());
    }
    let v6_only = InetSocket {
        is_v6_only: true,
        ..every_v6()
    };
    let outcome = judge(&pod(vec![segment(80, SYN); 4], vec![v6_only]));
    assert!(only(&outcome).cause.is(&LOOPBACK_ONLY));
}

#[test]
fn a_listener_outside_of_the_devices_vrf_does_not_get_its_packets() {
    let mut window = pod(vec![segment(80, SYN); 4], vec![at([0, 0, 0, 0])]);
    let links = links_of(&mut window);
    links[0].master = Some(9);
    let mut vrf = link(POD, 9, "red");
    vrf.kind = Some(LinkKind::Vrf);
    links.push(vrf);
    assert!(only(&judge(&window)).cause.is(&LOOPBACK_ONLY));
    let inside = InetSocket {
        ifindex: 9,
        ..at([0, 0, 0, 0])
    };
    window.inet_sockets = complete(vec![inside]);
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn segments_of_closed_connections_are_no_part() {
    let window = pod(vec![segment(80, RST); 4], vec![at([127, 0, 0, 1])]);
    assert!(judge(&window).findings.is_empty());
    let mut mixed = vec![segment(80, RST); 2];
    mixed.extend([segment(81, SYN), segment(82, SYN), segment(80, SYN)]);
    let outcome = judge(&pod(mixed, vec![at([127, 0, 0, 1])]));
    let counts: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| (finding.cause.to_string(), finding.count))
        .collect();
    let expected = [("LoopbackOnly".to_owned(), 1), ("PortClosed".to_owned(), 2)];
    assert_eq!(counts, expected);
}

#[test]
fn late_answers_are_for_a_client_that_is_gone() {
    let datagram = |from: u16, to: u16| {
        let mut bytes = Vec::new();
        for field in [from, to, 8, 0] {
            bytes.extend(field.to_be_bytes());
        }
        ipv4_sample(17, [10, 0, 0, 9], &bytes)
    };
    let judged = |from, to| {
        let mut window = pod(vec![datagram(from, to); 4], Vec::new());
        drops_of(&mut window).counts[0].location = "__udp4_lib_rcv".into();
        judge(&window).findings.len()
    };
    assert_eq!(judged(53, 40_000), 0);
    assert_eq!(judged(50_000, 33_434), 1);
    assert_eq!(judged(53, 53), 1);
}

#[test]
fn without_reasons_the_counter_of_resets_tells() {
    let mut window = pod(vec![segment(81, SYN); 4], Vec::new());
    drops_of(&mut window).counts[0].reason = crate::kernel::Reason::ABSENT;
    assert!(judge(&window).findings.is_empty());
    let counters = &mut window.namespaces[1].counters;
    counters.insert("Tcp.OutRsts".to_owned(), 4);
    assert!(only(&judge(&window)).cause.is(&PORT_CLOSED));
}
