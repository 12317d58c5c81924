//! A node without a way to a network: its routes are deleted, or others refuse. Beside it, addresses that are gone.

use anyhow::Result;

use super::router::{GATEWAY, Router, v4, v6};
use crate::lab::{Node, Pod, Wire};
use crate::process::Process;
use crate::wait;

/// Requests over each IP version.
const REQUESTS: u64 = 30;
const PORT: u16 = 5000;
/// Milliseconds that the client waits for each answer.
const WAIT_MS: u64 = 500;
/// Addresses in a network behind pod `gateway`, and the prefixes that the node routes there.
const BEYOND: [(&str, &str); 2] = [
    ("203.0.113.7", "203.0.113.0/24"),
    ("2001:db8:7::7", "2001:db8::/32"),
];
/// An address to which no route leads.
const NOWHERE: &str = "198.51.100.7";
/// An address of a prefix that a network plugin refuses, except its pods' addresses.
const OF_BLOCK: &str = "10.99.0.37";

/// Pod `client` on `veth-client`, and pod `gateway` with a network behind it.
pub struct MissingRoutes<'a> {
    node: &'a Node,
    client: Pod,
    gateway: Pod,
    _program: Process,
}

impl<'a> MissingRoutes<'a> {
    /// The prefixes that [`refuse`](Self::refuse) refuses.
    pub const REFUSED: [&'static str; 2] = ["203.0.113.0/28", "2001:db8:7::/64"];

    /// Starts the pods; the client reaches the network.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let gateway = router.pod("gateway", 1)?;
        for ((address, prefix), via) in BEYOND.iter().zip([v4(1, 1), v6(1, 1)]) {
            gateway
                .namespace()
                .ip(&format!("address add {address} dev lo"))?;
            let route = format!("route add {prefix} via {via} dev veth-gateway");
            node.namespace().ip(&route)?;
        }
        let addresses = BEYOND.map(|(address, _)| address).join(",");
        let answer = format!("answer {addresses} {PORT} --seconds 300");
        let program = gateway.traffic(node.host()).start(&answer)?;
        let this = Self {
            node,
            client,
            gateway,
            _program: program,
        };
        wait::until("answers over both IP versions", wait::LIMIT, || {
            Ok((this.answered()? == 2).then_some(()))
        })?;
        Ok(this)
    }

    /// The node without these routes.
    pub fn node(&self) -> &Node {
        self.node
    }

    /// Deletes the routes to the network.
    pub fn delete(&self) -> Result<()> {
        for (_, prefix) in BEYOND {
            self.node.namespace().ip(&format!("route del {prefix}"))?;
        }
        Ok(())
    }

    /// Refuses a part of the network: silently over IPv4, by a policy over IPv6.
    pub fn refuse(&self) -> Result<()> {
        for (kind, prefix) in ["blackhole", "prohibit"].iter().zip(Self::REFUSED) {
            let route = format!("route add {kind} {prefix}");
            self.node.namespace().ip(&route)?;
        }
        Ok(())
    }

    /// The client asks; returns the requests over each IP version, of which none was answered.
    pub fn ask(&self) -> Result<u64> {
        let received = || {
            self.gateway
                .namespace()
                .protocol_counter("Udp", "InDatagrams")
        };
        let before = received()?;
        for (address, _) in BEYOND {
            ask(self.node, &self.client, address)?;
        }
        anyhow::ensure!(received()? == before, "the network was reached");
        Ok(REQUESTS)
    }

    /// The IP versions over which the network answers the client now.
    pub fn answered(&self) -> Result<u64> {
        let client = self.client.traffic(self.node.host());
        let mut answered = 0;
        for (address, _) in BEYOND {
            let command = format!("ask {address} {PORT} 1 --wait-ms {WAIT_MS}");
            answered += client.run(&command)?.get("answered")?;
        }
        Ok(answered)
    }

    /// All routes of the node.
    pub fn routes(&self) -> Result<Vec<String>> {
        let list = "ip -4 route show table all; ip -6 route show table all";
        let text = self.node.namespace().run("sh", &["-c", list])?;
        let mut routes: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        routes.sort_unstable();
        Ok(routes)
    }
}

/// Pod `client` on `veth-client`, and a host beyond NIC `eth0`.
pub struct GoneAddresses<'a> {
    node: &'a Node,
    client: Pod,
    host: Wire,
}

impl<'a> GoneAddresses<'a> {
    /// Starts the pod, and writes what a network plugin does.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let host = node.plug_filtering_nic("eth0")?;
        router.assign("eth0", 2)?;
        let beyond = host.namespace();
        beyond.ip(&format!("address add {}/24 dev {}", v4(2, 1), host.device))?;
        beyond.ip(&format!("route add default via {}", v4(2, GATEWAY)))?;
        let block = "route add blackhole 10.99.0.0/26 proto 80";
        node.namespace().ip(block)?;
        Ok(Self { node, client, host })
    }

    /// Host and pod send; returns the datagrams of each.
    pub fn ask(&self) -> Result<u64> {
        let refused = || {
            self.node
                .namespace()
                .protocol_counter("IpExt", "InNoRoutes")
        };
        let before = refused()?;
        self.host.run(&format!("ask {NOWHERE} {PORT} {REQUESTS}"))?;
        ask(self.node, &self.client, OF_BLOCK)?;
        let refused = refused()? - before;
        anyhow::ensure!(refused == REQUESTS, "{refused} of {REQUESTS} came");
        Ok(REQUESTS)
    }
}

/// Sends each request from a socket of its own: the node's answer by ICMP is an error of a socket's next datagram.
fn ask(node: &Node, client: &Pod, address: &str) -> Result<()> {
    let command = format!("ask {address} {PORT} {REQUESTS}");
    client.traffic(node.host()).run(&command)?;
    Ok(())
}
