//! A node that forwards for a pod refuses its packets for five reasons at once: each is told by its number.

use anyhow::Result;

use crate::lab::{Node, Pod};

/// Datagrams of each kind.
const FORGED: u64 = 30;
const TO_BLACKHOLE: u64 = 20;
const TO_NOWHERE: u64 = 25;
const AGAINST_POLICY: u64 = 40;
const TO_CLOSED_PORT: u64 = 15;

/// Pod `client` behind `veth-client`, with the node as its gateway.
pub struct Refusals<'a> {
    node: &'a Node,
    client: Pod,
}

/// Datagrams of each kind that the pod sent, and what the node counted of them.
#[derive(Debug)]
pub struct Refused {
    /// From a source to which another device leads, with strict rp_filter: increase of TcpExt.IPReversePathFilter.
    pub forged: (u64, u64),
    /// To a route of type blackhole, which has no counter.
    pub to_blackhole: u64,
    /// To where no route leads: increase of IpExt.InNoRoutes.
    pub to_nowhere: (u64, u64),
    /// Packets that an nft rule counted and dropped.
    pub against_policy: (u64, u64),
    /// To a port of the node's without a socket: increase of Udp.NoPorts.
    pub to_closed_port: (u64, u64),
}

impl<'a> Refusals<'a> {
    /// Starts the pod and sets routes and rules.
    pub fn new(node: &'a Node) -> Result<Self> {
        let client = node.start_pod("client", "10.81.0.1/24", "veth-client")?;
        let inside = node.namespace();
        inside.ip("address add 10.81.0.254/24 dev veth-client")?;
        inside.sysctl("net.ipv4.ip_forward", "1")?;
        inside.sysctl("net.ipv4.conf.veth-client.rp_filter", "1")?;
        inside.ip("route add blackhole 198.51.100.0/24")?;
        // The forged source has a route, but through another device.
        inside.ip("link add stub0 type veth peer name stub1")?;
        inside.ip("link set stub0 up")?;
        inside.ip("link set stub1 up")?;
        inside.ip("address add 10.81.8.254/24 dev stub0")?;
        inside.ip("address add 10.81.9.254/24 dev stub0")?;
        let rules = "add table ip filter; \
            add chain ip filter forward { type filter hook forward priority 0; }; \
            add rule ip filter forward udp dport 7777 counter drop";
        inside.run("nft", &[rules])?;
        let pod = client.namespace();
        pod.ip("route add default via 10.81.0.254")?;
        pod.ip("address add 10.81.9.7/32 dev lo")?;
        pod.ip("route add 10.81.9.0/24 via 10.81.0.254 src 10.81.9.7")?;
        Ok(Self { node, client })
    }

    /// The pod sends all five kinds.
    pub fn send(&self) -> Result<Refused> {
        let node = self.node.namespace();
        let counters = || -> Result<[u64; 3]> {
            Ok([
                node.protocol_counter("TcpExt", "IPReversePathFilter")?,
                node.protocol_counter("IpExt", "InNoRoutes")?,
                node.protocol_counter("Udp", "NoPorts")?,
            ])
        };
        let before = counters()?;
        let client = self.client.traffic(self.node.host());
        let send = |to: &str, count: u64| -> Result<u64> {
            let facts = client.run(&format!("ask {to} {count}"))?;
            facts.get("asked")
        };
        // First, because the filter refuses forged ARP requests as well: the gateway is known then.
        let to_closed_port = send("10.81.0.254 5000", TO_CLOSED_PORT)?;
        let forged = send("10.81.9.254 5000", FORGED)?;
        let to_blackhole = send("198.51.100.7 5000", TO_BLACKHOLE)?;
        let to_nowhere = send("203.0.113.7 5000", TO_NOWHERE)?;
        let against_policy = send("10.81.8.9 7777", AGAINST_POLICY)?;
        let after = counters()?;
        let rose = |index: usize| after[index] - before[index];
        Ok(Refused {
            forged: (forged, rose(0)),
            to_blackhole,
            to_nowhere: (to_nowhere, rose(1)),
            against_policy: (against_policy, node.rule_counter("ip filter forward")?),
            to_closed_port: (to_closed_port, rose(2)),
        })
    }
}
