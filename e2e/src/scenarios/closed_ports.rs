//! Scans of ports on which no program listens.

use anyhow::Result;

use super::router::{GATEWAY, Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;

/// First port of a scan; and the number of ports.
const SCAN: &str = "20000 200";

/// Pod `scanner`, which scans the node, and a monitor on the node, which scans pod `target`.
pub struct ClosedPorts<'a> {
    node: &'a Node,
    scanner: Pod,
    target: Pod,
    monitor: Container,
}

/// A scan: the ports that were tried, those that the program saw refused, those that the kernel says it refused.
#[derive(Debug)]
pub struct Scanned {
    /// The place that was scanned, and the protocol.
    pub scan: &'static str,
    /// Attempts.
    pub asked: u64,
    /// Refusals that the program saw; not counted for UDP.
    pub refused: u64,
    /// Increase of Tcp.OutRsts, Udp.NoPorts or Udp6NoPorts.
    pub counted: u64,
}

impl<'a> ClosedPorts<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        Ok(Self {
            node,
            scanner: router.pod("scanner", 0)?,
            target: router.pod("target", 1)?,
            monitor: node.start_host_pod("monitor", "monitor")?,
        })
    }

    /// Scans over IPv4 and IPv6, TCP and UDP, the node from a pod and a pod from the node.
    pub fn scan(&self) -> Result<Vec<Scanned>> {
        let [node, target] = [self.node.namespace(), self.target.namespace()];
        let gateway = [v4(0, GATEWAY), v6(0, GATEWAY)];
        let pod = [v4(1, 1), v6(1, 1)];
        let resets = ("Tcp", "OutRsts");
        let scans = [
            ("node, TCP", node, &gateway[0], "", resets),
            ("node, TCP over IPv6", node, &gateway[1], "", resets),
            ("node, UDP", node, &gateway[0], "--udp", ("Udp", "NoPorts")),
            ("pod, TCP", target, &pod[0], "", resets),
            ("pod, UDP", target, &pod[0], "--udp", ("Udp", "NoPorts")),
            (
                "pod, UDP over IPv6",
                target,
                &pod[1],
                "--udp",
                ("Udp6", "NoPorts"),
            ),
        ];
        let mut scanned = Vec::new();
        for (scan, scanned_place, address, option, (protocol, counter)) in scans {
            let count = |place: &Namespace| place.protocol_counter(protocol, counter);
            let before = count(scanned_place)?;
            let from = if std::ptr::eq(scanned_place, node) {
                self.scanner.traffic(self.node.host())
            } else {
                self.node.traffic(&self.monitor)
            };
            let facts = from.run(&format!("scan {address} {SCAN} {option}"))?;
            scanned.push(Scanned {
                scan,
                asked: facts.get("asked")?,
                refused: facts.get("refused")?,
                counted: count(scanned_place)? - before,
            });
        }
        Ok(scanned)
    }
}
