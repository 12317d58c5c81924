//! Connections that the node tracks as it forwards them: it sees one direction of them, its rule drops late segments, or
//! it has too few ports to translate their source to.

use std::{thread, time::Duration};

use anyhow::{Context, Result};

use super::router::{Router, v4};
use crate::lab::{Node, Pod};
use crate::process::Process;

/// Connections through a node that sees one direction.
const ONE_WAY: u64 = 6;
/// Connections to one address and port, and the ports that their source is translated to.
const CROWD: u64 = 24;
const PORTS: &str = "40000-40007";
const SERVER_PORT: u16 = 5001;
/// Milliseconds in which a connection is tried three times: at once, after 1 s and after 3 s.
const THREE_TIMES: u64 = 3_500;

/// Pod `client`, pod `server`, and the node between them, which tracks connections.
pub struct TrackedConnections<'a> {
    node: &'a Node,
    client: Pod,
    _server: Pod,
    _programs: Vec<Process>,
}

/// The counts of packets that the node dropped.
#[derive(Debug)]
pub struct Untracked {
    /// Packets that the rule counted.
    pub by_rule: u64,
    /// Increase of a counter of connection tracking: `invalid` or `insert_failed`.
    pub counted: u64,
}

impl<'a> TrackedConnections<'a> {
    /// The server's answers go by a wire of their own, past the node, whose rule drops what is invalid.
    pub fn one_way(node: &'a Node) -> Result<Self> {
        let tracked = Self::between(node)?;
        let (client, server) = (tracked.client.namespace(), tracked._server.namespace());
        server.ip(&format!(
            "link add short0 type veth peer name short0 netns {}",
            client.name()
        ))?;
        for end in [client, server] {
            end.ip("link set short0 up")?;
            end.sysctl("net.ipv4.conf.all.rp_filter", "0")?;
            end.sysctl("net.ipv4.conf.short0.rp_filter", "0")?;
        }
        server.ip(&format!("route add {}/32 dev short0", v4(0, 1)))?;
        tracked.drop_invalid()?;
        Ok(tracked)
    }

    /// Both directions pass the node, which forgets connections that are idle for a second, and whose rule drops what is
    /// invalid: a late end of a connection.
    pub fn forgotten(node: &'a Node) -> Result<Self> {
        let tracked = Self::between(node)?;
        tracked.drop_invalid()?;
        let timeout = "net.netfilter.nf_conntrack_tcp_timeout_established";
        node.namespace().sysctl(timeout, "1")?;
        Ok(tracked)
    }

    /// The node translates the source of the client's connections to one of few ports.
    pub fn few_ports(node: &'a Node) -> Result<Self> {
        let tracked = Self::between(node)?;
        let rules = format!(
            "add table ip nat; \
             add chain ip nat post {{ type nat hook postrouting priority 100; }}; \
             add rule ip nat post ip saddr {} meta l4proto tcp masquerade to :{PORTS}",
            v4(0, 1)
        );
        node.namespace().run("nft", &[&rules])?;
        Ok(tracked)
    }

    fn between(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let server = router.pod("server", 1)?;
        let serve = format!("tcp-answer {} {SERVER_PORT} --seconds 300", v4(1, 1));
        let program = server.traffic(node.host()).start(&serve)?;
        Ok(Self {
            node,
            client,
            _server: server,
            _programs: vec![program],
        })
    }

    fn drop_invalid(&self) -> Result<()> {
        let rules = "add table ip filter; \
            add chain ip filter forward { type filter hook forward priority 0; }; \
            add rule ip filter forward ct state invalid counter drop";
        self.node.namespace().run("nft", &[rules]).map(drop)
    }

    /// Clients ask on six connections; returns the answers and what the node counted.
    pub fn ask(&self) -> Result<(u64, Untracked)> {
        self.counted(|| {
            let ask = format!(
                "tcp-ask {} {SERVER_PORT} --connections {ONE_WAY} --seconds 8",
                v4(1, 1)
            );
            let facts = self.client.traffic(self.node.host()).run(&ask)?;
            facts.get("answers")
        })
    }

    /// Connections that end after the node has forgotten them; returns how many there were and what the node counted.
    pub fn end_late(&self) -> Result<(u64, Untracked)> {
        self.counted(|| {
            let connect = format!(
                "tcp-connect {} {SERVER_PORT} {ONE_WAY} --hold-ms 4000",
                v4(1, 1)
            );
            let facts = self.client.traffic(self.node.host()).run(&connect)?;
            // The ends of connections are sent again and again.
            thread::sleep(Duration::from_secs(2));
            facts.get("connected")
        })
    }

    fn counted(&self, traffic: impl FnOnce() -> Result<u64>) -> Result<(u64, Untracked)> {
        let before = self.statistic("invalid")?;
        let done = traffic()?;
        let untracked = Untracked {
            by_rule: self.node.namespace().rule_counter("ip filter forward")?,
            counted: self.statistic("invalid")? - before,
        };
        Ok((done, untracked))
    }

    /// More connections than there are ports; returns how many came about, and the refusals.
    pub fn crowd(&self) -> Result<(u64, u64)> {
        let before = self.statistic("insert_failed")?;
        let connect = format!(
            "tcp-connect {} {SERVER_PORT} {CROWD} --wait-ms {THREE_TIMES}",
            v4(1, 1)
        );
        let facts = self.client.traffic(self.node.host()).run(&connect)?;
        Ok((
            facts.get("connected")?,
            self.statistic("insert_failed")? - before,
        ))
    }

    fn statistic(&self, name: &str) -> Result<u64> {
        super::full_tables::tracking_statistic(self.node.namespace(), name)
            .with_context(|| format!("of {name}"))
    }
}
