//! Flows that rules of nft refuse: on their way through the node, out of the node, and into a pod.

use std::thread;

use anyhow::{Context, Result, anyhow};

use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod};

const DATAGRAMS: u64 = 40;
/// Milliseconds in which a connection is tried three times: at once, after 1 s and after 3 s.
const THREE_TIMES: u64 = 3_500;
/// Each rule: its hook, and what it matches and does. It has a table of its own, so that it has a counter of its own.
const OF_NODE: [(&str, &str, &str); 4] = [
    ("datagrams", "forward", "udp dport 7777 counter drop"),
    ("connections", "forward", "tcp dport 7778 counter drop"),
    (
        "rejected",
        "forward",
        "tcp dport 7779 counter reject with tcp reset",
    ),
    ("own", "output", "udp dport 7780 counter drop"),
];
const OF_POD: (&str, &str, &str) = ("incoming", "input", "udp dport 7781 counter drop");

/// Pod `client` and pod `server`, with the node between them.
pub struct RefusedFlows<'a> {
    node: &'a Node,
    client: Pod,
    server: Pod,
    monitor: Container,
}

/// Packets that one rule counted, and the least that the programs sent into it.
#[derive(Debug)]
pub struct RefusedFlow {
    /// The rule's table.
    pub rule: &'static str,
    /// The least that it must have counted.
    pub sent: u64,
    /// Its counter.
    pub counted: u64,
}

impl<'a> RefusedFlows<'a> {
    /// Starts the pods and sets the rules.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let server = router.pod("server", 1)?;
        for (table, hook, rule) in OF_NODE {
            node.namespace().run("nft", &[&rules(table, hook, rule)])?;
        }
        let (table, hook, rule) = OF_POD;
        let inside = server.namespace();
        inside.run("nft", &[&rules(table, hook, rule)])?;
        Ok(Self {
            node,
            client,
            server,
            monitor: node.start_host_pod("monitor", "monitor")?,
        })
    }

    /// Sends each flow over IPv4 and IPv6.
    pub fn send(&self) -> Result<Vec<RefusedFlow>> {
        let client = || self.client.traffic(self.node.host());
        let node = || self.node.traffic(&self.monitor);
        let addresses = [v4(1, 1), v6(1, 1)];
        thread::scope(|scope| -> Result<()> {
            let connections = addresses.iter().map(|address| {
                let connect = format!("tcp-connect {address} 7778 2 --wait-ms {THREE_TIMES}");
                scope.spawn(move || client().run(&connect).map(drop))
            });
            let connections: Vec<_> = connections.collect();
            for address in &addresses {
                client().run(&format!("ask {address} 7777 {DATAGRAMS}"))?;
                client().run(&format!("ask {address} 7781 {DATAGRAMS}"))?;
                client().run(&format!("tcp-connect {address} 7779 {DATAGRAMS}"))?;
                node().run(&format!("ask {address} 7780 {DATAGRAMS}"))?;
            }
            for connection in connections {
                connection
                    .join()
                    .map_err(|_| anyhow!("a client ended early"))??;
            }
            Ok(())
        })?;
        let least = |table: &str| match table {
            // Two connections of each IP version, each tried twice or more.
            "connections" => 8,
            _ => 2 * DATAGRAMS,
        };
        let of_node = OF_NODE.map(|(table, hook, _)| (self.node.namespace(), table, hook));
        let of_pod = (self.server.namespace(), OF_POD.0, OF_POD.1);
        of_node
            .into_iter()
            .chain([of_pod])
            .map(|(place, rule, hook)| {
                let counted = place.rule_counter(&format!("inet {rule} {hook}"));
                Ok(RefusedFlow {
                    rule,
                    sent: least(rule),
                    counted: counted.with_context(|| format!("of the rule {rule}"))?,
                })
            })
            .collect()
    }
}

fn rules(table: &str, hook: &str, rule: &str) -> String {
    format!(
        "add table inet {table}; \
         add chain inet {table} {hook} {{ type filter hook {hook} priority 0; }}; \
         add rule inet {table} {hook} {rule}"
    )
}
