//! A pod and the node exchange a hundred thousand datagrams, and lose three of each kind in one burst.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::router::{GATEWAY, Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;

/// Datagrams that arrive of each flow.
const DATAGRAMS: u64 = 100_000;
/// Fewer than a receive buffer holds.
const BATCH: u64 = 50;
/// Drops of each kind.
const BURST: u64 = 3;
/// More than any receive buffer holds.
const MOST_IN_BUFFER: u64 = 10_000;
/// Longer than a datagram needs from one end of a veth to the other.
const LIMIT: Duration = Duration::from_secs(30);

/// Pod `server` on `veth-server`.
pub struct RareDrops<'a> {
    node: &'a Node,
    server: Pod,
    monitor: Container,
}

/// The packets that arrived, and those that did not.
#[derive(Debug, PartialEq, Eq)]
pub struct RareLoss {
    /// Datagrams read by a program of the pod over IPv4 and over IPv6, and by one of the node.
    pub read: [u64; 3],
    /// Increase of Udp.RcvbufErrors of the pod.
    pub no_room: u64,
    /// Increase of Udp6InCsumErrors of the pod, and of Udp.InCsumErrors of the node.
    pub wrong_sums: [u64; 2],
    /// Increase of rx_dropped of the pod's device, by frames of a protocol that nobody knows.
    pub stray: u64,
}

/// Both ends of a flow.
struct Flow {
    sender: UdpSocket,
    receiver: UdpSocket,
}

impl<'a> RareDrops<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        Ok(Self {
            node,
            server: router.pod("server", 0)?,
            monitor: node.start_host_pod("monitor", "monitor")?,
        })
    }

    /// Exchanges the datagrams and makes the drops.
    pub fn send(&self) -> Result<RareLoss> {
        let [node, server] = [self.node.namespace(), self.server.namespace()];
        let to_pod4 = Flow::new(node, server, &v4(0, 1))?;
        let to_pod6 = Flow::new(node, server, &v6(0, 1))?;
        let to_node = Flow::new(server, node, &v4(0, GATEWAY))?;
        let before = self.dropped()?;
        let mut read = [
            to_pod4.send(DATAGRAMS)?,
            to_pod6.send(DATAGRAMS)?,
            to_node.send(DATAGRAMS)?,
        ];
        read[0] += self.overfill(&to_pod4)?;
        self.disturb()?;
        let after = self.dropped()?;
        let rose = |index: usize| after[index] - before[index];
        Ok(RareLoss {
            read,
            no_room: rose(0),
            wrong_sums: [rose(1), rose(2)],
            stray: rose(3),
        })
    }

    /// The program does not read for a moment, and its buffer has no room for the last ones; how many it then reads.
    fn overfill(&self, flow: &Flow) -> Result<u64> {
        let before = self.no_room()?;
        let mut sent = 0;
        while self.no_room()? - before < BURST {
            ensure!(sent < MOST_IN_BUFFER, "the buffer does not fill");
            flow.sender.send(b"one of many")?;
            sent += 1;
        }
        flow.read(sent - BURST)
    }

    /// Sends datagrams that broke on their way, and frames of a protocol that nobody knows.
    fn disturb(&self) -> Result<()> {
        let [node, pod] = [
            self.node.traffic(&self.monitor),
            self.server.traffic(self.node.host()),
        ];
        node.run(&format!("wrong-sums {} 5000 {BURST}", v6(0, 1)))?;
        pod.run(&format!("wrong-sums {} 5000 {BURST}", v4(0, GATEWAY)))?;
        let server = self.server.namespace();
        let address = server.run("cat", &["/sys/class/net/eth0/address"])?;
        let frames = format!("frames veth-server other {BURST} --gap-ms 1 --destination");
        node.run(&format!("{frames} {}", address.trim())).map(drop)
    }

    fn no_room(&self) -> Result<u64> {
        let server = self.server.namespace();
        server.protocol_counter("Udp", "RcvbufErrors")
    }

    /// Each kind of drops so far, as [`RareLoss`] has them.
    fn dropped(&self) -> Result<[u64; 4]> {
        let [node, server] = [self.node.namespace(), self.server.namespace()];
        Ok([
            self.no_room()?,
            server.protocol_counter("Udp6", "InCsumErrors")?,
            node.protocol_counter("Udp", "InCsumErrors")?,
            server.counter("eth0", "rx_dropped")?,
        ])
    }
}

impl Flow {
    /// A program in each of two namespaces; the address is the receiver's.
    fn new(from: &Namespace, to: &Namespace, address: &str) -> Result<Self> {
        let receiver = to.enter(|| UdpSocket::bind((address, 5000)))?;
        let receiver = receiver.context("failed to open the receiver's socket")?;
        receiver.set_read_timeout(Some(LIMIT))?;
        let any = if address.contains(':') {
            "::"
        } else {
            "0.0.0.0"
        };
        let sender = from.enter(|| -> std::io::Result<UdpSocket> {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect((address, 5000))?;
            Ok(socket)
        })?;
        let sender = sender.context("failed to open the sender's socket")?;
        Ok(Self { sender, receiver })
    }

    /// Sends so many, no more at a time than the receiver has room for; how many it has read.
    fn send(&self, count: u64) -> Result<u64> {
        let mut read = 0;
        while read < count {
            for _ in 0..BATCH {
                self.sender.send(b"one of many")?;
            }
            read += self.read(BATCH)?;
        }
        Ok(read)
    }

    fn read(&self, count: u64) -> Result<u64> {
        for number in 0..count {
            let received = self.receiver.recv(&mut [0; 64]);
            received.with_context(|| format!("{number} of {count} came"))?;
        }
        Ok(count)
    }
}
