//! Tables of the kernel's that are full: of tracked connections, of neighbours. Each has one size for all namespaces.

use std::process::Command;

use anyhow::{Context, Result};

use crate::lab::{KernelSetting, Node, Pod};
use crate::netns::Namespace;
use crate::process;

/// Datagrams, each the first of a flow or to a neighbour of its own.
const ASKED: u64 = 60;

/// Pod `client` behind `veth-client`, whose packets the node tracks, with room for a few connections.
pub struct FullConnections<'a> {
    node: &'a Node,
    client: Pod,
    _size: KernelSetting,
}

/// A node that looks for many neighbours on `veth-client`, with room for a few.
pub struct FullNeighbours<'a> {
    node: &'a Node,
    _pod: Pod,
    _sizes: [KernelSetting; 3],
}

impl<'a> FullConnections<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        process::run(Command::new("modprobe").arg("nf_conntrack"))?;
        let client = node.start_pod("client", "10.83.0.1/24", "veth-client")?;
        let inside = node.namespace();
        inside.ip("address add 10.83.0.254/24 dev veth-client")?;
        let rules = "add table ip filter; \
            add chain ip filter input { type filter hook input priority 0; }; \
            add rule ip filter input ct state established counter accept";
        inside.run("nft", &[rules])?;
        let size = KernelSetting::set("net.netfilter.nf_conntrack_max", "8")?;
        Ok(Self {
            node,
            client,
            _size: size,
        })
    }

    /// The pod sends datagrams, each of a flow of its own; how many, and how many of them the node dropped since it
    /// could not track them.
    pub fn send(&self) -> Result<(u64, u64)> {
        let before = self.refused()?;
        let client = self.client.traffic(self.node.host());
        let facts = client.run(&format!("ask 10.83.0.254 5000 {ASKED}"))?;
        Ok((facts.get("asked")?, self.refused()? - before))
    }

    fn refused(&self) -> Result<u64> {
        tracking_statistic(self.node.namespace(), "drop")
    }
}

/// A statistic of /proc/net/stat/nf_conntrack, hexadecimal, of all CPUs.
pub(super) fn tracking_statistic(namespace: &Namespace, name: &str) -> Result<u64> {
    let text = namespace.run("cat", &["/proc/net/stat/nf_conntrack"])?;
    let mut lines = text.lines().map(str::split_whitespace);
    let names = lines.next().context("the table of statistics is empty")?;
    let place = names.into_iter().position(|one| one == name);
    let place = place.with_context(|| format!("there is no counter `{name}`"))?;
    lines.try_fold(0, |sum, mut values| {
        let value = values.nth(place).context("a line is too short")?;
        Ok(sum + u64::from_str_radix(value, 16).context("a counter is no number")?)
    })
}

impl<'a> FullNeighbours<'a> {
    /// Starts the pod at the other end of the wire.
    pub fn new(node: &'a Node) -> Result<Self> {
        let pod = node.start_pod("client", "10.84.0.1/16", "veth-client")?;
        let inside = node.namespace();
        inside.ip("address add 10.84.0.254/16 dev veth-client")?;
        let size = |name: &str, entries: &str| {
            KernelSetting::set(&format!("net.ipv4.neigh.default.{name}"), entries)
        };
        let sizes = [
            size("gc_thresh1", "1")?,
            size("gc_thresh2", "2")?,
            size("gc_thresh3", "4")?,
        ];
        Ok(Self {
            node,
            _pod: pod,
            _sizes: sizes,
        })
    }

    /// A program on the node sends a datagram to each of many addresses that nobody has; returns how many.
    pub fn send(&self) -> Result<u64> {
        let container = self.node.start_host_pod("scanner", "scan")?;
        let scanner = self.node.traffic(&container);
        scanner.run(&format!("ask 10.84.1.1 5000 {ASKED} --spread"))?;
        Ok(ASKED)
    }
}
