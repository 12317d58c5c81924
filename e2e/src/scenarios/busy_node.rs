//! A healthy node at work: pods resolve names and send, over IPv4 and IPv6, while other pods come and go.

use std::ops::Range;

use anyhow::Result;

use crate::lab::{Node, Pod};
use crate::netns::Namespace;
use crate::process::Process;

/// Pods that live for a moment.
const SHORT_LIVED: u64 = 24;
/// Requests of a resolver, over each IP version.
const REQUESTS: u64 = 60;

/// Pod `client` and pod `server` on `cni0`, with IPv4 and IPv6.
pub struct BusyNode<'a> {
    node: &'a Node,
    _programs: Vec<Process>,
    client: Pod,
    _server: Pod,
}

/// The work that was done.
#[derive(Debug)]
pub struct Work {
    /// Requests sent.
    pub asked: u64,
    /// Requests answered.
    pub answered: u64,
    /// Bytes sent over IPv4.
    pub sent: u64,
    /// Bytes sent over IPv6.
    pub sent_by_v6: u64,
    /// Namespaces that came and went.
    pub namespaces: u64,
}

impl<'a> BusyNode<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<Self> {
        let inside = node.namespace();
        inside.sysctl("net.ipv6.conf.all.disable_ipv6", "0")?;
        inside.sysctl("net.ipv6.conf.default.disable_ipv6", "0")?;
        inside.add_bridge("cni0", "", &[])?;
        let start = |name: &str, number: u8| -> Result<Pod> {
            let host_end = format!("veth-{name}");
            let pod = node.start_pod(name, &format!("10.87.0.{number}/24"), &host_end)?;
            inside.ip(&format!("link set {host_end} master cni0"))?;
            pod.add_ipv6(&format!("fd00:87::{number}/64"))?;
            Ok(pod)
        };
        let (client, server) = (start("client", 1)?, start("server", 2)?);
        let programs = [
            "answer 10.87.0.2,fd00:87::2 5353 --seconds 300",
            "tcp-serve 10.87.0.2,fd00:87::2 5001 --seconds 300",
        ];
        let traffic = server.traffic(node.host());
        let programs = programs.map(|program| traffic.start(program));
        let programs = programs.into_iter().collect::<Result<_>>()?;
        Ok(Self {
            node,
            _programs: programs,
            client,
            _server: server,
        })
    }

    /// Some work.
    pub fn work(&self) -> Result<Work> {
        let client = self.client.traffic(self.node.host());
        let (mut asked, mut answered) = (0, 0);
        for server in ["10.87.0.2", "fd00:87::2"] {
            let facts = client.run(&format!("ask {server} 5353 {REQUESTS} --wait-ms 10000"))?;
            asked += facts.get("asked")?;
            answered += facts.get("answered")?;
        }
        // Half of them before the load and half after it, so that numbers of namespaces are given again in between.
        self.come_and_go(0..SHORT_LIVED / 2)?;
        let load = |server: &str| -> Result<u64> {
            let facts = client.run(&format!(
                "tcp-load {server} 5001 --seconds 100 --total 4000000 --bytes 1000000"
            ))?;
            facts.get("sent")
        };
        let sent = load("10.87.0.2")?;
        self.come_and_go(SHORT_LIVED / 2..SHORT_LIVED)?;
        Ok(Work {
            asked,
            answered,
            sent,
            sent_by_v6: load("fd00:87::2")?,
            namespaces: SHORT_LIVED,
        })
    }

    /// Namespaces as of pods, each with a wire to the bridge.
    fn come_and_go(&self, numbers: Range<u64>) -> Result<()> {
        for number in numbers {
            let namespace = Namespace::new("short-lived")?;
            let node = self.node.namespace().name();
            // The kernel takes a wire away some time after its namespace, so a name cannot be used again.
            let host_end = format!("short{number}");
            namespace.ip(&format!(
                "link add eth0 type veth peer name {host_end} netns {node}"
            ))?;
            self.node
                .namespace()
                .ip(&format!("link set {host_end} master cni0 up"))?;
            namespace.ip("link set eth0 up")?;
        }
        Ok(())
    }
}
