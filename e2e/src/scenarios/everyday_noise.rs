//! Drops that every kernel makes every day and nobody misses.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context, Result, ensure};

use super::router::{GATEWAY, Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;
use crate::wait;

const PINGS: u64 = 20;
const CONNECTS: u64 = 30;
const BROADCASTS: u64 = 20;
const STARTED: u8 = 3;
/// Host numbers of the pods on the bridge.
const CLIENT: u8 = 1;
const SERVER: u8 = 2;
/// The host number of one that is asked for and does not exist.
const NOBODY: u8 = 9;

/// Pods `client` and `server` on `cni0`, and pod `early`, whose IPv6 is not ready.
pub struct EverydayNoise<'a> {
    node: &'a Node,
    client: Pod,
    server: Pod,
    early: Pod,
    monitor: Container,
}

/// The kernel's and the programs' counts of the noise.
#[derive(Debug, PartialEq, Eq)]
pub struct Noise {
    /// Answers to pings, by way: pod to pod, pod to node, node to pod; each over IPv4 and IPv6.
    pub answered: [u64; 6],
    /// Connects to a socket in the file system that nobody listens on, which the kernel refused.
    pub refused: u64,
    /// Broadcasts that nobody read, as the pod and the node counted them (Udp.IgnoredMulti).
    pub ignored: [u64; 2],
    /// Reports of groups that starting pods sent, from devices without a carrier too (Icmp6OutMLDv2Reports).
    pub reported: u64,
    /// Packets that devices without a carrier dropped (tx_dropped; counted from Linux 6.11 on).
    pub unsent: u64,
    /// Questions for neighbours that came before a pod had a route for groups (Ip6InNoRoutes).
    pub too_early: u64,
}

impl<'a> EverydayNoise<'a> {
    /// Starts the pods.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let inside = node.namespace();
        inside.add_bridge("cni0", "", &[])?;
        router.assign("cni0", 0)?;
        let on_bridge = |name: &str, number: u8| -> Result<Pod> {
            let wire = format!("veth-{name}");
            let pod = router.plug(name, &wire, 0, number)?;
            inside.ip(&format!("link set {wire} master cni0"))?;
            Ok(pod)
        };
        let [client, server] = [on_bridge("client", CLIENT)?, on_bridge("server", SERVER)?];
        let early = router.pod("early", 1)?;
        let inside = early.namespace();
        inside.ip("-6 route del default")?;
        inside.ip("-6 route del ff00::/8 dev eth0 table local")?;
        Ok(Self {
            node,
            client,
            server,
            early,
            monitor: node.start_host_pod("monitor", "monitor")?,
        })
    }

    /// Makes all of it; and the pods that it started.
    pub fn make(&self) -> Result<(Noise, Vec<Pod>)> {
        let started = self.start_pods()?;
        let (reported, unsent) = reported_groups(&started)?;
        self.plug(&started)?;
        let noise = Noise {
            answered: self.ping()?,
            refused: connect_to_nobody(self.node)?,
            ignored: self.broadcast()?,
            reported,
            unsent,
            too_early: self.ask_too_early()?,
        };
        Ok((noise, started))
    }

    fn ping(&self) -> Result<[u64; 6]> {
        let client = self.client.traffic(self.node.host());
        let node = self.node.traffic(&self.monitor);
        let mut answered = [0; 6];
        for (index, (from, host)) in [(&client, SERVER), (&client, GATEWAY), (&node, SERVER)]
            .into_iter()
            .enumerate()
        {
            for (version, address) in [v4(0, host), v6(0, host)].into_iter().enumerate() {
                let facts = from.run(&format!("ping {address} {PINGS}"))?;
                answered[2 * index + version] = facts.get("answered")?;
            }
        }
        Ok(answered)
    }

    fn broadcast(&self) -> Result<[u64; 2]> {
        let read = || -> Result<[u64; 2]> {
            let ignored = |place: &Namespace| place.protocol_counter("Udp", "IgnoredMulti");
            Ok([
                ignored(self.server.namespace())?,
                ignored(self.node.namespace())?,
            ])
        };
        let before = read()?;
        let sent = self.client.namespace().enter(|| -> std::io::Result<()> {
            let socket = UdpSocket::bind(("0.0.0.0", 0))?;
            socket.set_broadcast(true)?;
            for _ in 0..BROADCASTS {
                socket.send_to(b"anybody?", (v4(0, 255), 9999))?;
            }
            Ok(())
        })?;
        sent.context("failed to send a broadcast")?;
        let after = read()?;
        Ok([after[0] - before[0], after[1] - before[1]])
    }

    /// Starts pods as a network plugin does: the pod's end of the wire is up before the node's, so it has no carrier at
    /// first, and a bridge of a pod's own never gets a port. Each reports the groups of its addresses all the same.
    fn start_pods(&self) -> Result<Vec<Pod>> {
        let node = self.node.namespace();
        let start = |number: u8| -> Result<Pod> {
            let pod = Pod::new(self.node.host(), &format!("starting{number}"))?;
            let inside = pod.namespace();
            for place in ["all", "default"] {
                inside.sysctl(&format!("net.ipv6.conf.{place}.disable_ipv6"), "0")?;
            }
            inside.ip("link add docker0 type bridge")?;
            inside.ip("link set docker0 up")?;
            inside.ip("address add fd99::1/64 dev docker0")?;
            let wire = format!("start{number}");
            let to = node.name();
            inside.ip(&format!(
                "link add eth0 type veth peer name {wire} netns {to}"
            ))?;
            let (address4, address6) = (v4(0, 10 + number), v6(0, 10 + number));
            inside.ip("link set eth0 up")?;
            inside.ip(&format!("address add {address4}/24 dev eth0"))?;
            inside.ip(&format!("address add {address6}/64 dev eth0"))?;
            Ok(pod)
        };
        (0..STARTED).map(start).collect()
    }

    /// Connects the pods with the bridge.
    fn plug(&self, started: &[Pod]) -> Result<()> {
        let node = self.node.namespace();
        for number in 0..started.len() {
            node.ip(&format!("link set start{number} master cni0 up"))?;
        }
        Ok(())
    }

    /// The node looks for a neighbour on the wire of the pod whose IPv6 is not ready.
    fn ask_too_early(&self) -> Result<u64> {
        let early = || self.early.namespace().protocol_counter("Ip6", "InNoRoutes");
        let before = early()?;
        let ask = format!("ask {} 5000 1 --wait-ms 1500", v6(1, NOBODY));
        self.node.traffic(&self.monitor).run(&ask)?;
        Ok(early()? - before)
    }
}

/// Reports of groups that starting pods sent, once each has sent one, and packets that their devices dropped.
fn reported_groups(started: &[Pod]) -> Result<(u64, u64)> {
    wait::until("reports of groups", wait::LIMIT, || {
        let (mut reported, mut unsent) = (0, 0);
        for pod in started {
            let reports = pod
                .namespace()
                .protocol_counter("Icmp6", "OutMLDv2Reports")?;
            if reports == 0 {
                return Ok(None);
            }
            reported += reports;
            unsent += pod.namespace().counter("eth0", "tx_dropped")?;
        }
        Ok(Some((reported, unsent)))
    })
}

/// Connects to a socket whose listener is gone; how often the kernel refused.
fn connect_to_nobody(node: &Node) -> Result<u64> {
    let path = node.host().path().join("nobody.sock");
    drop(UnixListener::bind(&path).context("failed to make a socket")?);
    let mut refused = 0;
    for _ in 0..CONNECTS {
        let error = UnixStream::connect(&path).err().map(|error| error.kind());
        ensure!(error.is_some(), "somebody listens");
        refused += u64::from(error == Some(ErrorKind::ConnectionRefused));
    }
    Ok(refused)
}
