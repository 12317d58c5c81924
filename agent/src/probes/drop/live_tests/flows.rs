//! Flows that die seldom beside a loud one.

use std::{collections::BTreeSet, net::UdpSocket};

use super::*;

const DEAD: u16 = 6;

/// Sends from a connected socket, so that the kernel gives each flow a hash, to a port that nobody has.
fn sender(lab: &Lab, port: u16) -> UdpSocket {
    lab.sender.within(|| {
        let socket = UdpSocket::bind(("10.99.0.1", 0)).unwrap();
        socket.connect(("10.99.0.2", port)).unwrap();
        socket
    })
}

/// Destination ports of the samples of the drops of refused datagrams.
fn sampled_ports(drops: &Drops) -> BTreeSet<u16> {
    let samples = drops.samples.iter();
    let ports = samples.filter_map(|sample| {
        let at = usize::from(sample.transport_offset?) + 2;
        let bytes = sample.bytes.get(at..at + 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    });
    ports.collect()
}

/// The rule drops at the receiver's input, where the flow's hash is the sender's.
#[test]
#[ignore = "needs root and a BPF-capable kernel"]
fn six_dead_flows_beside_a_loud_one_are_each_sampled() {
    let lab = Lab::new();
    lab.receiver.filter("meta l4proto udp drop");
    let loud = sender(&lab, 9000);
    let dead: Vec<_> = (1..=DEAD)
        .map(|number| sender(&lab, 9000 + number))
        .collect();
    let (drops, _) = watch(&lab, &Backend::ALL, || {
        for round in 0..60_000 {
            let _ = loud.send(&[0; 32]);
            // Three times each, when the first samples are long gone.
            if round % 15_000 == 14_999 && round < 59_000 {
                for socket in &dead {
                    let _ = socket.send(&[0; 32]);
                }
            }
        }
    });
    let found = on_receiver(&drops, &lab);
    let counted: u64 = found.iter().map(|(_, drop)| drop.count).sum();
    assert_eq!(counted, 60_000 + 3 * u64::from(DEAD), "{found:?}");
    let ports = sampled_ports(&drops);
    for port in 9000..=9000 + DEAD {
        assert!(ports.contains(&port), "{port} is not among {ports:?}");
    }
}
