//! The retransmission probe against the running kernel: some segments are dropped, and TCP sends them again.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use super::*;
use crate::probes::drop::live_tests::lab::{Lab, TestNamespace};

const SERVER: &str = "10.99.0.2:5001";
/// The same to an IPv6 socket.
const MAPPED_SERVER: &str = "[::ffff:10.99.0.2]:5001";

/// The evidence of the probe, and the kernel's counts over the same time.
struct Seen {
    value: Retransmissions,
    /// Increase of Tcp.RetransSegs of the end that sends again.
    retransmitted: u64,
}

/// Sends blocks of this size from the sender to the receiver, with the probe attached; `sends_again` is the end that
/// loses what it sends.
fn send(
    lab: &Lab,
    backends: &[Backend],
    server: &str,
    (blocks, size): (usize, usize),
    sends_again: &TestNamespace,
) -> Seen {
    let listener = lab.receiver.within(|| TcpListener::bind(SERVER).unwrap());
    let before = retransmitted(sends_again);
    let probe = RetransmissionProbe::attach_first_of(&Kernel::load(), backends);
    let mut probe = probe.unwrap_or_else(|reason| panic!("{backends:?}: {reason}"));
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        let mut stream = listener.accept().unwrap().0;
        while stream.read(&mut buffer).unwrap() > 0 {}
    });
    lab.sender.within(|| {
        let server: SocketAddr = server.parse().unwrap();
        let mut stream = TcpStream::connect(server).unwrap();
        stream.set_nodelay(true).unwrap();
        for _ in 0..blocks {
            stream.write_all(&vec![7; size]).unwrap();
        }
    });
    reader.join().unwrap();
    probe.detach();
    let namespace = |one: &TestNamespace| Namespace {
        id: NetnsId(one.number()),
        ..Namespace::default()
    };
    let namespaces = [namespace(&lab.sender), namespace(&lab.receiver)];
    let links = [lab.sending_link(), lab.receiving_link()];
    Seen {
        value: probe.finish(&namespaces, &links),
        retransmitted: retransmitted(sends_again) - before,
    }
}

/// Tcp.RetransSegs.
fn retransmitted(namespace: &TestNamespace) -> u64 {
    let text = namespace.within(|| std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) = pairs.find(|(name, _)| *name == "RetransSegs").unwrap();
    value.parse().unwrap()
}

impl Seen {
    /// Segments sent again that drops on this device explain, and how many of them late.
    fn on(&self, link: &Link) -> (u64, u64) {
        let rows = self.value.explained.iter();
        let rows = rows.filter(|row| (row.netns, row.ifindex) == (Some(link.netns), link.ifindex));
        rows.fold((0, 0), |(segments, late), row| {
            (segments + row.segments, late + row.late)
        })
    }

    /// Nearly all retransmissions are explained by drops on this device. Probes for a lost tail may send again what
    /// has arrived.
    fn assert_explained(&self, link: &Link, at_least: u64) {
        let (explained, _) = self.on(link);
        let context = format!("{:#?} of {}", self.value, self.retransmitted);
        assert!(explained >= at_least, "{context}");
        assert!(explained <= self.retransmitted, "{context}");
        assert!(explained * 10 >= self.retransmitted * 9, "{context}");
        // Other sockets of this machine may have sent again as well.
        assert!(self.value.segments >= explained, "{context}");
        assert_eq!(self.value.lost, 0);
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn every_variant_joins_small_segments_to_their_drops() {
    for backend in Backend::ALL {
        let lab = Lab::new();
        lab.receiver
            .filter("tcp flags psh numgen inc mod 9 == 4 drop");
        let seen = send(&lab, &[backend], SERVER, (200, 1000), &lab.sender);
        assert_eq!(seen.value.backend, backend.name());
        seen.assert_explained(&lab.receiving_link(), 10);
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_socket_of_ipv6_that_talks_ipv4_is_the_same_connection() {
    let lab = Lab::new();
    lab.receiver
        .filter("tcp flags psh numgen inc mod 9 == 4 drop");
    let size = (200, 1000);
    let seen = send(&lab, &Backend::ALL, MAPPED_SERVER, size, &lab.sender);
    seen.assert_explained(&lab.receiving_link(), 10);
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn segments_of_dropped_super_frames_are_found_one_by_one() {
    let lab = Lab::new();
    lab.receiver
        .filter("tcp flags & syn == 0 meta length > 20000 numgen inc mod 20 == 10 drop");
    let seen = send(&lab, &Backend::ALL, SERVER, (100, 60_000), &lab.sender);
    seen.assert_explained(&lab.receiving_link(), 20);
}

/// A segment that goes down the stack again is dropped there before the kernel reports that it was sent again.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn retransmissions_that_are_dropped_at_once_explain_those_after_them() {
    let lab = Lab::new();
    lab.sender
        .discipline("near", "tbf rate 2mbit burst 1600 limit 3000");
    let seen = send(&lab, &Backend::ALL, SERVER, (200, 1000), &lab.sender);
    seen.assert_explained(&lab.sending_link(), 3);
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_lost_connection_request_is_late() {
    let lab = Lab::new();
    lab.receiver
        .filter("tcp flags & (syn | ack) == syn numgen inc mod 1000 == 0 drop");
    let seen = send(&lab, &Backend::ALL, SERVER, (1, 10), &lab.sender);
    assert_eq!(seen.on(&lab.receiving_link()), (1, 1));
    assert_eq!(seen.retransmitted, 1);
}

/// The listener's answer to a request has no socket yet.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_lost_answer_to_a_connection_request_is_explained_by_its_own_drop() {
    let lab = Lab::new();
    lab.sender
        .filter("tcp flags & (syn | ack) == (syn | ack) numgen inc mod 1000 == 0 drop");
    let seen = send(&lab, &Backend::ALL, SERVER, (1, 10), &lab.receiver);
    // The client asks again too, which makes the listener answer at once.
    assert_eq!(seen.on(&lab.sending_link()), (1, 1));
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_connection_to_a_translated_address_is_known_by_its_other_end() {
    let lab = Lab::new();
    lab.sender
        .translate("ip daddr 10.96.0.1 tcp dport 80 dnat to 10.99.0.2:5001");
    lab.sender.ip("route add 10.96.0.0/16 via 10.99.0.2");
    lab.receiver
        .filter("tcp flags psh numgen inc mod 9 == 4 drop");
    let service = "10.96.0.1:80";
    let seen = send(&lab, &Backend::ALL, service, (200, 1000), &lab.sender);
    seen.assert_explained(&lab.receiving_link(), 10);
}
