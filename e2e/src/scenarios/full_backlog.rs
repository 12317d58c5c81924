//! A CPU's queue of received packets is too short for a burst.

use std::process::Command;

use anyhow::{Context, Result};

use crate::lab::{KernelSetting, Node, Pod};
use crate::process::{self, Process};
use crate::wait;

/// Pod `client` sends to pod `server` through `cni0`, and the queue holds four packets.
pub struct FullBacklog<'a> {
    node: &'a Node,
    _program: Process,
    client: Pod,
    _server: Pod,
    _length: KernelSetting,
}

/// Increases of the kernel's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// `dropped` of all CPUs in /proc/net/softnet_stat.
    pub of_cpus: u64,
    /// tx_dropped of the client's eth0.
    pub sent: u64,
    /// rx_dropped of veth-client, its other end.
    pub received: u64,
}

impl<'a> FullBacklog<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<Self> {
        let client = node.start_pod("client", "10.85.0.1/24", "veth-client")?;
        let server = node.start_pod("server", "10.85.0.2/24", "veth-server")?;
        let inside = node.namespace();
        inside.add_bridge("cni0", "", &["veth-client", "veth-server"])?;
        // The device must not take super-frames: their packets are put into the queue one by one, in one go.
        let offload = ["-K", "eth0", "gso", "off", "tso", "off"];
        client.namespace().run("ethtool", &offload)?;
        let serve = "tcp-serve 10.85.0.2 5001 --seconds 300";
        let program = server.traffic(node.host()).start(serve)?;
        let length = KernelSetting::set("net.core.netdev_max_backlog", "4")?;
        Ok(Self {
            node,
            _program: program,
            client,
            _server: server,
            _length: length,
        })
    }

    /// The client sends super-frames.
    pub fn send(&self) -> Result<Overrun> {
        let before = self.counters()?;
        let client = self.client.traffic(self.node.host());
        client.run("tcp-load 10.85.0.2 5001 --seconds 100 --total 3000000 --bytes 1000000")?;
        let after = wait::until_quiet("the last super-frames", || self.counters())?;
        Ok(Overrun {
            of_cpus: after.of_cpus - before.of_cpus,
            sent: after.sent - before.sent,
            received: after.received - before.received,
        })
    }

    fn counters(&self) -> Result<Overrun> {
        let softnet = process::run(Command::new("cat").arg("/proc/net/softnet_stat"))?;
        let of_cpu = |line: &str| {
            let dropped = line.split(' ').nth(1).context("a line is too short")?;
            u64::from_str_radix(dropped, 16).context("a counter is no number")
        };
        Ok(Overrun {
            of_cpus: softnet.lines().map(of_cpu).sum::<Result<u64>>()?,
            sent: self.client.namespace().counter("eth0", "tx_dropped")?,
            received: self.node.namespace().counter("veth-client", "rx_dropped")?,
        })
    }
}
