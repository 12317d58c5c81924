//! Two pods on the node's bridge that talk as they should, checksum offload included; and a capture beside them.

use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::lab::{Container, Facts, Node, Pod};
use crate::process::Process;
use crate::wait;

/// Bytes that the client sends over each IP version, in connections of 2 MB.
const SENT: u64 = 6_000_000;
/// Rounds of them after which a wire that loses nothing is given up.
const MOST_ROUNDS: u32 = 30;
const SERVER: [&str; 2] = ["10.79.0.2", "fd79::2"];

/// Pod `client` and pod `server` on `cni0`.
pub struct HealthyPods<'a> {
    node: &'a Node,
    programs: Vec<Process>,
    client: Pod,
    server: Pod,
    tools: Container,
}

/// A capture that reads nothing.
pub struct Unread(Process);

impl Unread {
    /// Packets for whose copies it had no room, when they are no longer more.
    pub fn dropped(&self) -> Result<u64> {
        wait::until_quiet("a full capture", || {
            self.0.check_running()?;
            let facts = Facts::read(&self.0.log_tail());
            Ok(facts.get("dropped").unwrap_or(0))
        })
    }
}

impl<'a> HealthyPods<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<Self> {
        let client = node.start_pod("client", "10.79.0.1/24", "veth-client")?;
        let server = node.start_pod("server", &format!("{}/24", SERVER[0]), "veth-server")?;
        client.add_ipv6("fd79::1/64")?;
        server.add_ipv6(&format!("{}/64", SERVER[1]))?;
        let ports = ["veth-client", "veth-server"];
        node.namespace().add_bridge("cni0", "", &ports)?;
        let tools = node.start_host_pod("tools", "capture")?;
        let serve = format!("tcp-serve {} 5001 --seconds 300", SERVER.join(","));
        let program = server.traffic(node.host()).start(&serve)?;
        Ok(Self {
            node,
            programs: vec![program],
            client,
            server,
            tools,
        })
    }

    /// Starts a capture on the server's end of the veth; returns its process id.
    pub fn start_capture(&mut self) -> Result<u32> {
        let traffic = self.node.traffic(&self.tools);
        let capture = traffic.start("capture veth-server --seconds 300")?;
        let pid = capture.id();
        self.programs.push(capture);
        Ok(pid)
    }

    /// Starts captures that read nothing, on the server's end of the veth and, into a ring, on the client's device.
    pub fn start_unread_captures(&mut self) -> Result<[Unread; 2]> {
        let node = self.node.traffic(&self.tools);
        let pod = self.client.traffic(self.node.host());
        Ok([
            Unread(node.start("capture veth-server --unread --seconds 300")?),
            Unread(pod.start("capture eth0 --unread --ring --seconds 300")?),
        ])
    }

    /// Makes a queueing discipline on the server's wire lose packets at random.
    pub fn lose(&self, percent: u64) -> Result<()> {
        let lose = format!("qdisc add dev veth-server root netem loss {percent}%");
        let words: Vec<&str> = lose.split(' ').collect();
        self.node.namespace().run("tc", &words).map(drop)
    }

    /// Packets that this queueing discipline has dropped.
    pub fn lost(&self) -> Result<u64> {
        let show = [
            "-json",
            "-statistics",
            "qdisc",
            "show",
            "dev",
            "veth-server",
        ];
        let said = self.node.namespace().run("tc", &show)?;
        let qdiscs: Value = serde_json::from_str(&said).context("tc said no JSON")?;
        qdiscs[0]["drops"].as_u64().context("it counts no drops")
    }

    /// Talks until the queueing discipline has lost so many packets; how many it has.
    pub fn talk_until_lost(&self, enough: u64) -> Result<u64> {
        for _ in 0..MOST_ROUNDS {
            self.talk()?;
            let lost = self.lost()?;
            if lost >= enough {
                return Ok(lost);
            }
        }
        bail!("the queueing discipline loses nothing")
    }

    /// Sends 6 MB over IPv4 and over IPv6, closing connections as clients do; returns the bytes sent and the packets
    /// that the server's device received.
    pub fn talk(&self) -> Result<(u64, u64)> {
        let received = || self.server.namespace().counter("eth0", "rx_packets");
        let before = received()?;
        let load = |address: &str| {
            let load =
                format!("tcp-load {address} 5001 --seconds 100 --total {SENT} --bytes 2000000");
            let facts = self.client.traffic(self.node.host()).run(&load)?;
            ensure!(facts.get("connected")? > 0, "no connection to {address}");
            facts.get("sent")
        };
        let sent = thread::scope(|scope| {
            let loads = SERVER.map(|address| scope.spawn(move || load(address)));
            let mut sent = 0;
            for load in loads {
                sent += load.join().map_err(|_| anyhow!("a load ended early"))??;
            }
            anyhow::Ok(sent)
        })?;
        Ok((sent, received()? - before))
    }
}
