//! Packets of programs of the node and of a pod that a rule of their own namespace refuses on their way out.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;
use crate::process::Process;
use crate::wait;

/// Packets that each rule refuses at least while the programs go on.
const LEAST: u64 = 40;
const RULES: &str = "add table inet own; \
    add chain inet own output { type filter hook output priority 0; }; \
    add rule inet own output meta l4proto { tcp, udp } th dport 7780 counter drop";

/// Pod `client`, pod `server`, and a monitor on the node. The rules of the node and of the client refuse port 7780.
pub struct OwnPackets<'a> {
    node: &'a Node,
    client: Pod,
    _server: Pod,
    monitor: Container,
}

/// Programs that go on sending into the rules, and what those had refused when all were seen to.
pub struct Sending {
    /// The programs end with it.
    _programs: Vec<Process>,
    /// The counters of the rules of the node and of the pod.
    pub refused: [u64; 2],
}

impl<'a> OwnPackets<'a> {
    /// Starts the pods and sets the rules.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let own = Self {
            node,
            client: router.pod("client", 0)?,
            _server: router.pod("server", 1)?,
            monitor: node.start_host_pod("monitor", "monitor")?,
        };
        for place in own.places() {
            place.run("nft", &[RULES])?;
        }
        Ok(own)
    }

    /// Starts programs that send datagrams and open a connection, over IPv4 and IPv6, and waits until each rule has
    /// refused some.
    pub fn send(&self) -> Result<Sending> {
        let traffic = [
            self.node.traffic(&self.monitor),
            self.client.traffic(self.node.host()),
        ];
        let mut programs = Vec::new();
        for from in traffic {
            for address in [v4(1, 1), v6(1, 1)] {
                let datagrams = format!("udp-send {address} 7780 6000 --gap-ms 50");
                programs.push(from.start(&datagrams)?);
                let connection = format!("tcp-connect {address} 7780 1 --wait-ms 300000");
                programs.push(from.start(&connection)?);
            }
        }
        let refused = wait::until("refused packets", wait::LIMIT, || {
            let [node, pod] = self.places();
            let refused = [refused(node)?, refused(pod)?];
            Ok(refused.iter().all(|one| *one >= LEAST).then_some(refused))
        })?;
        Ok(Sending {
            _programs: programs,
            refused,
        })
    }

    fn places(&self) -> [&Namespace; 2] {
        [self.node.namespace(), self.client.namespace()]
    }
}

fn refused(place: &Namespace) -> Result<u64> {
    place.rule_counter("inet own output")
}
