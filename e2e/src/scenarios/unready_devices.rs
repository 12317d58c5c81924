//! Devices that hand on nothing: a TAP that nobody reads or that is down, and a veth whose other end is down.

use anyhow::{Context, Result};

use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;
use crate::process::Process;

/// Few, so that no rate is what tells.
const DATAGRAMS: u64 = 5;
/// A link layer address that no device here has.
const GUEST: &str = "02:00:00:00:91:02";

/// A TAP of the node, for a guest whose address the node knows, and one for a guest that it still has to ask for.
pub struct UnreadTaps<'a> {
    node: &'a Node,
    sender: Container,
    reader: Option<Process>,
    guest: Namespace,
}

impl<'a> UnreadTaps<'a> {
    /// `tap0` and `tap1`, up.
    pub fn new(node: &'a Node) -> Result<Self> {
        let inside = node.namespace();
        for device in ["tap0", "tap1"] {
            inside.ip(&format!("tuntap add {device} mode tap"))?;
            inside.ip(&format!("link set {device} up"))?;
        }
        inside.ip("address add 10.91.0.1/24 dev tap0")?;
        inside.ip("address add 10.91.1.1/24 dev tap1")?;
        inside.sysctl("net.ipv6.conf.tap0.disable_ipv6", "0")?;
        inside.ip("address add 2001:db8:91::1/64 dev tap0 nodad")?;
        for address in ["10.91.0.2", "2001:db8:91::2"] {
            inside.ip(&format!(
                "neighbour replace {address} lladdr {GUEST} dev tap0"
            ))?;
        }
        Ok(Self {
            node,
            sender: node.start_host_pod("sender", "sender")?,
            reader: None,
            guest: Namespace::without_ipv6("guest")?,
        })
    }

    /// The node sends datagrams to both guests, over both versions to the first; how many to each.
    pub fn send(&self) -> Result<(u64, u64)> {
        let known = send(self.node, &self.sender, "10.91.0.2")?
            + send(self.node, &self.sender, "2001:db8:91::2")?;
        Ok((known, send(self.node, &self.sender, "10.91.1.2")?))
    }

    /// A guest opens `tap0`.
    pub fn start_guest(&mut self) -> Result<()> {
        let run = format!(
            "guest tap0 --guest {} --seconds 60",
            self.guest.path().display()
        );
        self.reader = Some(self.node.traffic(&self.sender).start(&run)?);
        self.guest.ip("link set eth0 up").map(drop)
    }

    /// Frames that the guest has taken from `tap0`.
    pub fn taken(&self) -> Result<u64> {
        self.node.namespace().counter("tap0", "tx_packets")
    }
}

fn send(node: &Node, sender: &Container, address: &str) -> Result<u64> {
    let send = format!("udp-send {address} 5000 {DATAGRAMS}");
    node.traffic(sender).run(&send)?.get("sent")
}

/// A guest whose TAP `tap0` is down on the node.
pub struct GuestWithoutTap<'a> {
    node: &'a Node,
    sender: Container,
    guest: Namespace,
    _machine: Process,
}

impl<'a> GuestWithoutTap<'a> {
    /// Starts the guest.
    pub fn new(node: &'a Node) -> Result<Self> {
        let guest = Namespace::without_ipv6("guest")?;
        let sender = node.start_host_pod("vm", "machine")?;
        let run = format!(
            "guest tap0 --guest {} --seconds 300",
            guest.path().display()
        );
        let machine = node.traffic(&sender).start(&run)?;
        node.namespace().ip("address add 10.91.0.1/24 dev tap0")?;
        guest.ip("link set eth0 up")?;
        guest.ip("address add 10.91.0.2/24 dev eth0")?;
        let mac = node
            .namespace()
            .run("cat", &["/sys/class/net/tap0/address"])?;
        let neighbour = format!("neighbour replace 10.91.0.1 lladdr {} dev eth0", mac.trim());
        guest.ip(&neighbour)?;
        Ok(Self {
            node,
            sender,
            guest,
            _machine: machine,
        })
    }

    /// The guest sends datagrams to the node; how many, and how many the TAP refused and took.
    pub fn send(&self) -> Result<Refused> {
        let before = self.counters()?;
        let traffic = crate::lab::Traffic::of(self.node.host(), &self.sender, &self.guest);
        let facts = traffic.run(&format!("udp-send 10.91.0.1 5000 {DATAGRAMS}"))?;
        let now = self.counters()?;
        Ok(Refused {
            sent: facts.get("sent")?,
            refused: now[0] - before[0],
            taken: now[1] - before[1],
        })
    }

    fn counters(&self) -> Result<Vec<u64>> {
        let wanted = [("tap0", "rx_dropped"), ("tap0", "rx_packets")];
        self.node.namespace().counters(&wanted)
    }

    /// The device is up.
    pub fn is_up(&self) -> Result<bool> {
        is_up(self.node.namespace(), "tap0")
    }
}

/// The way of a guest's datagrams.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Those that it sent.
    pub sent: u64,
    /// Those that its device refused.
    pub refused: u64,
    /// Those that its device took.
    pub taken: u64,
}

fn is_up(namespace: &Namespace, device: &str) -> Result<bool> {
    let flags = namespace.run("cat", &[&format!("/sys/class/net/{device}/flags")])?;
    let flags = flags.trim().trim_start_matches("0x");
    let flags = u32::from_str_radix(flags, 16).context("not the flags of a device")?;
    Ok(flags & 1 != 0)
}

/// Pod `server`, to which the node sends.
pub struct PodBehindVeth<'a> {
    node: &'a Node,
    sender: Container,
    server: Pod,
}

impl<'a> PodBehindVeth<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        let server = node.start_pod("server", "10.91.0.2/24", "veth-server")?;
        let inside = node.namespace();
        inside.ip("address add 10.91.0.1/24 dev veth-server")?;
        let mac = server
            .namespace()
            .run("cat", &["/sys/class/net/eth0/address"])?;
        let neighbour = format!(
            "neighbour replace 10.91.0.2 lladdr {} dev veth-server nud permanent",
            mac.trim()
        );
        inside.ip(&neighbour)?;
        Ok(Self {
            node,
            sender: node.start_host_pod("sender", "sender")?,
            server,
        })
    }

    /// The pod's end goes down.
    pub fn cut(&self) -> Result<()> {
        self.server.namespace().ip("link set eth0 down").map(drop)
    }

    /// A veth is made whose other end comes up only after the node has sent; how many datagrams it sent.
    pub fn send_too_early(&self) -> Result<u64> {
        let (inside, pod) = (self.node.namespace(), self.server.namespace());
        inside.ip(&format!(
            "link add veth-late type veth peer name eth1 netns {}",
            pod.name()
        ))?;
        inside.ip("link set veth-late up")?;
        inside.ip("address add 10.91.1.1/24 dev veth-late")?;
        inside.ip(&format!(
            "neighbour replace 10.91.1.2 lladdr {GUEST} dev veth-late nud permanent"
        ))?;
        let sent = send(self.node, &self.sender, "10.91.1.2")?;
        pod.ip("link set eth1 up")?;
        Ok(sent)
    }

    /// The node sends datagrams; how many, and how many the pod's end took.
    pub fn send(&self) -> Result<(u64, u64)> {
        let received = || self.server.namespace().counter("eth0", "rx_packets");
        let before = received()?;
        let sent = send(self.node, &self.sender, "10.91.0.2")?;
        Ok((sent, received()? - before))
    }

    /// Queueing disciplines on the node's end, each in the words of `tc qdisc add dev veth-server`.
    pub fn set_disciplines(&self, disciplines: &[&str]) -> Result<()> {
        for discipline in disciplines {
            let words = format!("qdisc add dev veth-server {discipline}");
            let words: Vec<&str> = words.split(' ').collect();
            self.node.namespace().run("tc", &words)?;
        }
        Ok(())
    }

    /// The node sends so many datagrams one after another; how many, and how many the pod's end took.
    pub fn send_at_once(&self, datagrams: u64) -> Result<(u64, u64)> {
        let received = || self.server.namespace().counter("eth0", "rx_packets");
        let before = received()?;
        let send = format!("udp-send 10.91.0.2 5000 {datagrams} --size 1000 --gap-ms 1");
        let sent = self.node.traffic(&self.sender).run(&send)?.get("sent")?;
        Ok((sent, received()? - before))
    }

    /// The pod's end is up.
    pub fn is_up(&self) -> Result<bool> {
        is_up(self.server.namespace(), "eth0")
    }
}
