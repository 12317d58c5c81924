//! A sandbox with a network stack of its own: the device of its pod has no address, and a program takes what arrives by a
//! packet socket.

use anyhow::{Context, Result};

use crate::lab::{Container, Facts, Node, Pod};
use crate::process::Process;
use crate::wait;

const GATEWAY: &str = "10.84.0.254";
/// The address that the sandbox's own stack has.
const ADDRESS: &str = "10.84.0.1";
/// Many more than a packet socket's receive buffer holds, of 208 KiB by default.
const DATAGRAMS: u64 = 600;
const SIZE: u64 = 1000;

/// Pod `sandbox` on `veth-sandbox`.
pub struct PacketSandbox<'a> {
    node: &'a Node,
    program: Process,
    pod: Pod,
    client: Container,
}

/// The way of datagrams to the sandbox.
#[derive(Debug)]
pub struct Taken {
    /// Datagrams that were sent.
    pub sent: u64,
    /// Increase of the device's rx_packets.
    pub arrived: u64,
    /// Packets that the socket had no room for.
    pub missed: u64,
}

impl<'a> PacketSandbox<'a> {
    /// Starts the pod, whose program reads what arrives, or hangs.
    pub fn new(node: &'a Node, hangs: bool) -> Result<Self> {
        let pod = Pod::new(node.host(), "sandbox")?;
        let (inside, outside) = (pod.namespace(), node.namespace());
        let far = outside.name();
        inside.ip(&format!(
            "link add eth0 type veth peer name veth-sandbox netns {far}"
        ))?;
        inside.sysctl("net.ipv4.ip_forward", "1")?;
        inside.ip("link set eth0 up")?;
        outside.ip("link set veth-sandbox up")?;
        outside.ip(&format!("address add {GATEWAY}/24 dev veth-sandbox"))?;
        let file = "/sys/class/net/eth0/address";
        let mac = inside.run("cat", &[file])?;
        let mac = mac.lines().next().context("a device has an address")?;
        outside.ip(&format!(
            "neighbour add {ADDRESS} lladdr {mac} dev veth-sandbox nud permanent"
        ))?;
        let client = node.start_host_pod("client", "requests")?;
        let reads = if hangs { "--unread" } else { "" };
        let take = format!("capture eth0 --plain {reads} --seconds 300");
        let program = pod.traffic(node.host()).start(&take)?;
        Ok(Self {
            node,
            program,
            pod,
            client,
        })
    }

    /// A program on the node sends datagrams to the sandbox, as quickly as it can or at ease.
    pub fn send(&self, gap_ms: u64) -> Result<Taken> {
        let arrived = || self.pod.namespace().counter("eth0", "rx_packets");
        let before = arrived()?;
        let send = format!("udp-send {ADDRESS} 5000 {DATAGRAMS} --size {SIZE} --gap-ms {gap_ms}");
        let facts = self.node.traffic(&self.client).run(&send)?;
        let missed = wait::until_quiet("a full socket", || {
            self.program.check_running()?;
            let facts = Facts::read(&self.program.log_tail());
            Ok(facts.get("dropped").unwrap_or(0))
        })?;
        Ok(Taken {
            sent: facts.get("sent")?,
            arrived: arrived()? - before,
            missed,
        })
    }
}
