//! The retransmission probe against the running kernel: a filter drops some segments, and TCP sends them again.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use super::*;
use crate::probes::drop::live_tests::lab::Lab;

const PORT: u16 = 5001;

/// Sends blocks of this size, one at a time, through a filter in front of the receiver. What the probe saw, and by how
/// much the sender's Tcp.RetransSegs rose.
fn send_through(
    filter: &str,
    lab: &Lab,
    backends: &[Backend],
    blocks: usize,
    size: usize,
) -> (Retransmissions, u64) {
    let listener = (lab.receiver).within(|| TcpListener::bind(("10.99.0.2", PORT)).unwrap());
    lab.receiver.filter(filter);
    let before = retransmitted(lab);
    let probe = RetransmissionProbe::attach_first_of(&Kernel::load(), backends);
    let mut probe = probe.unwrap_or_else(|reason| panic!("{backends:?}: {reason}"));
    let server = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        let mut stream = listener.accept().unwrap().0;
        while stream.read(&mut buffer).unwrap() > 0 {}
    });
    lab.sender.within(|| {
        let mut stream = TcpStream::connect(("10.99.0.2", PORT)).unwrap();
        stream.set_nodelay(true).unwrap();
        for _ in 0..blocks {
            stream.write_all(&vec![7; size]).unwrap();
        }
    });
    server.join().unwrap();
    probe.detach();
    let namespace = Namespace {
        id: NetnsId(lab.receiver.number()),
        ..Namespace::default()
    };
    let seen = probe.finish(&[namespace], &[lab.receiving_link()]);
    (seen, retransmitted(lab) - before)
}

/// Tcp.RetransSegs of the sender.
fn retransmitted(lab: &Lab) -> u64 {
    let text = lab
        .sender
        .within(|| std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) = pairs.find(|(name, _)| *name == "RetransSegs").unwrap();
    value.parse().unwrap()
}

/// What was dropped on the receiving device.
fn on_receiver<'a>(seen: &'a Retransmissions, lab: &Lab) -> Vec<&'a ExplainedRetransmissions> {
    let netns = Some(NetnsId(lab.receiver.number()));
    let rows = seen.explained.iter();
    rows.filter(|row| row.netns == netns).collect()
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn every_variant_joins_small_segments_to_their_drops() {
    for backend in Backend::ALL {
        let lab = Lab::new();
        let filter = "tcp flags psh numgen inc mod 9 == 4 drop";
        let (seen, retransmitted) = send_through(filter, &lab, &[backend], 200, 1000);
        println!("{backend:?} {seen:#?} of {retransmitted}");
        assert_eq!(seen.backend, backend.name());
        let [row] = on_receiver(&seen, &lab)[..] else {
            panic!("{seen:#?}");
        };
        assert!(row.segments > 10, "{row:?}");
        assert!(row.segments <= retransmitted && seen.segments >= retransmitted);
        // Probes for a lost tail may send what arrived.
        assert!(
            row.segments * 10 >= retransmitted * 9,
            "{row:?} of {retransmitted}"
        );
        assert_eq!(seen.lost, 0);
    }
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn segments_of_dropped_super_frames_are_found_one_by_one() {
    let lab = Lab::new();
    let filter = "tcp flags & syn == 0 numgen inc mod 20 == 10 drop";
    let (seen, retransmitted) = send_through(filter, &lab, &Backend::ALL, 100, 60_000);
    println!("{seen:#?} of {retransmitted}");
}

#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn a_lost_connection_request_is_late() {
    let lab = Lab::new();
    let filter = "tcp flags & syn == syn limit rate over 1/minute burst 1 packets accept; add rule inet t i tcp flags & syn == syn drop";
    let (seen, retransmitted) = send_through(filter, &lab, &Backend::ALL, 1, 10);
    println!("{seen:#?} of {retransmitted}");
}
