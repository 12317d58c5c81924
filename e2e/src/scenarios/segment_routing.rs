//! TCP over a route that puts a segment routing header (SRv6) into its packets, between the node and a host beyond its
//! NIC; and over a plain route beside it.

use std::process::Command;

use anyhow::Result;

use crate::cleanup::Undo;
use crate::lab::{Node, Segment, Traffic, Wire};
use crate::netns::Namespace;
use crate::process::{self, Process};
use crate::wait;

/// The server behind the route with a header, and that behind the plain one.
const ROUTED: &str = "fd0b::1";
const PLAIN: &str = "fd0b::2";
/// The segment by which the header leads.
const SEGMENT: &str = "fd0b::100";
const SENDER: &str = "fd04::1";
const RECEIVER: &str = "fd04::2";

const PORT: u16 = 5001;

/// Bytes of a transfer, some 2,700 segments.
const SENT: u64 = 4_000_000;
/// Seconds that a transfer may take whose segments arrive.
const MOST_SECONDS: u64 = 100;
/// Seconds of one whose super-frames may all be dropped.
const SOME_SECONDS: u64 = 4;
/// Such transfers after which it is given up.
const MOST_ROUNDS: u32 = 25;

/// The change that the route makes to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Puts the header between IPv6 and TCP.
    Inline,
    /// Puts the packet into another one with the header.
    Encapsulating,
    /// Nothing; the receiver takes no such headers either.
    None,
}

/// The kind of NIC that the node is plugged in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nic {
    /// `lan0`, a veth.
    Veth,
    /// `eth1`, a virtual NIC of a guest's segment.
    Virtual,
}

/// The node and a host; one sends to the other.
pub struct SegmentRouting<'a> {
    // A NIC keeps its features when its namespace goes, so they are set back first; servers end before their network.
    switched_off: Vec<Undo>,
    servers: Vec<Process>,
    node: &'a Node,
    host: Host<'a>,
    nic: &'static str,
    node_sends: bool,
}

enum Host<'a> {
    Wire(Wire),
    Segment(Segment<'a>),
}

/// The time for which a veth's receive offload waits for segments to join, in nanoseconds.
const JOIN_NS: u32 = 2_000_000;

/// The kernel's counts during one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes that the sender's socket took.
    pub sent: u64,
    /// Increase of the receiving NIC's rx_packets.
    pub on_nic: u64,
    /// Increase of the receiver's Ip6.InReceives: packets after receive offload.
    pub in_stack: u64,
    /// Increase of the sending NIC's tx_dropped.
    pub dropped: u64,
}

impl<'a> SegmentRouting<'a> {
    /// The host sends single segments, and the node may join them.
    pub fn to_node(node: &'a Node, nic: Nic, header: Header) -> Result<Self> {
        let mut scenario = Self::plug(node, nic, false)?;
        let host = scenario.host.wire();
        let mut off = Vec::new();
        if nic == Nic::Veth {
            for feature in ["tx", "tso", "gso"] {
                off.push(switch_off(host.namespace(), host.device, feature)?);
            }
        }
        // TCP makes super-frames whatever ethtool says.
        off.push(send_no_super_frames(host.namespace(), host.device)?);
        scenario.switched_off = off;
        if nic == Nic::Veth {
            let gro = ["-K", scenario.nic, "gro", "on"];
            node.namespace().run("ethtool", &gro)?;
            // One processor hands over each packet by itself, so that there is nothing to join, unless told to wait.
            let wait = format!(
                "echo {JOIN_NS} > /sys/class/net/{}/gro_flush_timeout",
                scenario.nic
            );
            node.namespace().run("sh", &["-c", &wait])?;
        }
        scenario.route(header)?;
        scenario.serve()?;
        Ok(scenario)
    }

    /// The node sends super-frames, which its NIC or the stack segments.
    pub fn from_node(node: &'a Node, nic: Nic, header: Header) -> Result<Self> {
        let mut scenario = Self::plug(node, nic, true)?;
        // The agent sees the host's namespace too, and would tell what is not joined there.
        let host = scenario.host.wire();
        scenario.switched_off = vec![switch_off(host.namespace(), host.device, "gro")?];
        scenario.route(header)?;
        scenario.serve()?;
        Ok(scenario)
    }

    fn plug(node: &'a Node, nic: Nic, node_sends: bool) -> Result<Self> {
        let (host, nic) = match nic {
            Nic::Veth => (Host::Wire(node.plug_veth("lan0")?), "lan0"),
            Nic::Virtual => {
                let segment = Segment::new(node)?;
                segment.plug("eth1")?;
                node.namespace().ip("link set eth1 up")?;
                (Host::Segment(segment), "eth1")
            }
        };
        Ok(Self {
            switched_off: Vec::new(),
            servers: Vec::new(),
            node,
            host,
            nic,
            node_sends,
        })
    }

    /// The node's NIC.
    pub fn nic(&self) -> &'static str {
        self.nic
    }

    /// Joins nothing that comes in at the node.
    pub fn switch_receive_offload_off(&mut self) -> Result<()> {
        let off = switch_off(self.node.namespace(), self.nic, "gro")?;
        self.switched_off.push(off);
        Ok(())
    }

    /// Sends over the route with a header, then over the plain one.
    pub fn send_both(&self) -> Result<(Transfer, Transfer)> {
        Ok((self.send_routed()?, self.send_plain()?))
    }

    /// Sends over the route with a header, until all is sent or super-frames are dropped.
    pub fn send_routed(&self) -> Result<Transfer> {
        let seconds = if self.node_sends {
            SOME_SECONDS
        } else {
            MOST_SECONDS
        };
        let before = self.counters()?;
        let mut sent = self.load(ROUTED, SENT, seconds)?;
        for _ in 0..MOST_ROUNDS {
            if sent >= SENT || self.counters()?.dropped > before.dropped {
                break;
            }
            sent += self.load(ROUTED, SENT - sent, seconds)?;
        }
        self.since(before, sent)
    }

    /// Sends over the plain route.
    pub fn send_plain(&self) -> Result<Transfer> {
        let before = self.counters()?;
        let sent = self.load(PLAIN, SENT, MOST_SECONDS)?;
        self.since(before, sent)
    }

    /// Sends so many bytes, or for so long; how many it were.
    fn load(&self, server: &str, bytes: u64, seconds: u64) -> Result<u64> {
        let load = format!("tcp-load {server} {PORT} --seconds {seconds} --total {bytes}");
        let facts = if self.node_sends {
            let client = self.node.start_host_pod("client", "app")?;
            self.node.traffic(&client).run(&load)?
        } else {
            self.host.wire().run(&load)?
        };
        facts.get("sent")
    }

    fn since(&self, before: Transfer, sent: u64) -> Result<Transfer> {
        let after = wait::until_quiet("the last packets", || self.counters())?;
        Ok(Transfer {
            sent,
            on_nic: after.on_nic - before.on_nic,
            in_stack: after.in_stack - before.in_stack,
            dropped: after.dropped - before.dropped,
        })
    }

    fn counters(&self) -> Result<Transfer> {
        let ((sender, out), (receiver, into)) = self.ends();
        Ok(Transfer {
            sent: 0,
            on_nic: receiver.counter(into, "rx_packets")?,
            in_stack: receiver.protocol_counter("Ip6", "InReceives")?,
            dropped: sender.counter(out, "tx_dropped")?,
        })
    }

    /// Sender and receiver, each with its device.
    fn ends(&self) -> ((&Namespace, &str), (&Namespace, &str)) {
        let node = (self.node.namespace(), self.nic);
        let host = self.host.wire();
        let host = (host.namespace(), host.device);
        if self.node_sends {
            (node, host)
        } else {
            (host, node)
        }
    }

    /// Gives both ends their addresses and the sender its routes.
    fn route(&self, header: Header) -> Result<()> {
        let ((sender, out), (receiver, into)) = self.ends();
        for (namespace, device, address) in [(sender, out, SENDER), (receiver, into, RECEIVER)] {
            // Link-local addresses would be announced, which nobody here wants to know.
            namespace.ip(&format!("link set dev {device} addrgenmode none"))?;
            for place in [device, "lo"] {
                namespace.sysctl(&format!("net.ipv6.conf.{place}.disable_ipv6"), "0")?;
            }
            namespace.ip(&format!("address add {address}/64 dev {device} nodad"))?;
        }
        for address in [ROUTED, PLAIN, SEGMENT] {
            receiver.ip(&format!("address add {address}/128 dev lo"))?;
        }
        if header != Header::None {
            for place in ["all", into] {
                receiver.sysctl(&format!("net.ipv6.conf.{place}.seg6_enabled"), "1")?;
            }
        }
        let encapsulation = match header {
            Header::Inline => format!("encap seg6 mode inline segs {SEGMENT}"),
            Header::Encapsulating => format!("encap seg6 mode encap segs {SEGMENT}"),
            Header::None => String::new(),
        };
        for (server, encapsulation) in
            [(SEGMENT, ""), (PLAIN, ""), (ROUTED, encapsulation.as_str())]
        {
            sender.ip(&format!(
                "route add {server}/128 {encapsulation} via {RECEIVER} dev {out}"
            ))?;
        }
        Ok(())
    }

    fn serve(&mut self) -> Result<()> {
        let container = self.node.start_host_pod("server", "app")?;
        let (_, (receiver, _)) = self.ends();
        let traffic = Traffic::of(self.node.host(), &container, receiver);
        let start = |server| traffic.start(&format!("tcp-serve {server} {PORT} --seconds 300"));
        let servers = [start(ROUTED)?, start(PLAIN)?];
        self.servers.extend(servers);
        Ok(())
    }
}

impl Host<'_> {
    fn wire(&self) -> &Wire {
        match self {
            Self::Wire(wire) => wire,
            Self::Segment(segment) => &segment.wire,
        }
    }
}

/// Switches an offload of a device off until the answer goes.
fn switch_off(namespace: &Namespace, device: &str, feature: &str) -> Result<Undo> {
    namespace.run("ethtool", &["-K", device, feature, "off"])?;
    let mut on = namespace.command("ethtool");
    on.args(["-K", device, feature, "on"]);
    Ok(afterwards(on))
}

/// Has TCP hand over single segments to a device until the answer goes.
fn send_no_super_frames(namespace: &Namespace, device: &str) -> Result<Undo> {
    /// GSO_MAX_SEGS (include/linux/netdevice.h).
    const USUAL: &str = "65535";
    let set = ["link", "set", "dev", device, "gso_max_segs"];
    namespace.run("ip", &[&set[..], &["1"]].concat())?;
    let mut back = namespace.command("ip");
    back.args(set).arg(USUAL);
    Ok(afterwards(back))
}

fn afterwards(mut command: Command) -> Undo {
    Undo::register(move || {
        if let Err(error) = process::run(&mut command) {
            eprintln!("{error:#}");
        }
    })
}
