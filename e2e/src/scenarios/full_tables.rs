//! Tables of the kernel's that are full: of tracked connections, of neighbours. Each has one size for all namespaces.

use std::process::Command;

use anyhow::{Context, Result};

use super::router::Router;
use crate::lab::{Container, KernelSetting, Node, Pod};
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

/// A node that looks for many neighbours on `veth-client`, over IPv4 and IPv6.
pub struct ManyNeighbours<'a> {
    node: &'a Node,
    _pod: Pod,
    scanner: Container,
    _sizes: Vec<KernelSetting>,
}

/// The first addresses of a scan: nobody has any of them.
const IPV4: &str = "10.84";
const IPV6: &str = "fd84::";
/// The addresses of a scan, and the room for fewer and for more.
const SCANNED: u64 = 100;
const FEW: &str = "64";
const MANY: &str = "1024";

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
    statistic(&text, name)
}

/// A column of such a table, the sum of all CPUs.
fn statistic(text: &str, name: &str) -> Result<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    let names = lines.next().context("the table of statistics is empty")?;
    let place = names.into_iter().position(|one| one == name);
    let place = place.with_context(|| format!("there is no counter `{name}`"))?;
    lines.try_fold(0, |sum, mut values| {
        let value = values.nth(place).context("a line is too short")?;
        Ok(sum + u64::from_str_radix(value, 16).context("a counter is no number")?)
    })
}

impl<'a> ManyNeighbours<'a> {
    /// Tables with less room than a scan takes.
    pub fn without_room(node: &'a Node) -> Result<Self> {
        Self::new(node, FEW)
    }

    /// Tables with room.
    pub fn with_room(node: &'a Node) -> Result<Self> {
        Self::new(node, MANY)
    }

    fn new(node: &'a Node, limit: &str) -> Result<Self> {
        let router = Router::new(node)?;
        let pod = router.plug("client", "veth-client", 0, 1)?;
        let inside = node.namespace();
        inside.ip(&format!("address add {IPV4}.0.254/16 dev veth-client"))?;
        inside.ip(&format!("address add {IPV6}254/64 dev veth-client nodad"))?;
        let mut sizes = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let limit = [
                ("gc_thresh1", "1"),
                ("gc_thresh2", "2"),
                ("gc_thresh3", limit),
            ];
            for (name, entries) in limit {
                let name = format!("net.{family}.neigh.default.{name}");
                sizes.push(KernelSetting::set(&name, entries)?);
            }
        }
        Ok(Self {
            node,
            _pod: pod,
            scanner: node.start_host_pod("scanner", "scan")?,
            _sizes: sizes,
        })
    }

    /// A program on the node sends a datagram to each address of a block of its own that nobody has, over both versions;
    /// how many entries the tables of IPv4 and IPv6 refused meanwhile.
    pub fn scan(&self, block: u8) -> Result<[u64; 2]> {
        // What earlier scans left takes no room.
        let flush = "neigh flush dev veth-client";
        self.node.namespace().ip(flush)?;
        self.node.namespace().ip(&format!("-6 {flush}"))?;
        let before = refused()?;
        for first in [format!("{IPV4}.{block}.1"), format!("{IPV6}{block}:1")] {
            let scanner = self.node.traffic(&self.scanner);
            scanner.run(&format!("ask {first} 5000 {SCANNED} --spread"))?;
        }
        let after = refused()?;
        Ok([after[0] - before[0], after[1] - before[1]])
    }

    /// The limits of both tables.
    pub fn limits(&self) -> Result<[String; 2]> {
        let read = |family: &str| {
            let file = format!("/proc/sys/net/{family}/neigh/default/gc_thresh3");
            process::run(Command::new("cat").arg(file))
        };
        Ok([read("ipv4")?, read("ipv6")?])
    }
}

/// The entries that found the tables of IPv4 and IPv6 full, of all namespaces: only the kernel's first one has these files.
fn refused() -> Result<[u64; 2]> {
    let of = |table: &str| {
        let file = format!("/proc/net/stat/{table}");
        statistic(&process::run(Command::new("cat").arg(file))?, "table_fulls")
    };
    Ok([of("arp_cache")?, of("ndisc_cache")?])
}
