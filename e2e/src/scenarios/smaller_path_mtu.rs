//! A pod whose packets are longer than the way onward takes, with and without the ICMP errors that tell it so.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Node, Pod, Wire};
use crate::netns::Namespace;
use crate::process::Process;
use crate::wait;

/// Network between the pod that forwards and the host.
const BEYOND: u8 = 2;
const PORT: u16 = 5003;
/// Bytes of one transfer: they find room in the sender's buffer.
const BYTES: u64 = 40_000;
/// Payload of datagrams that fill an MTU of 1500 over IPv4.
const DATAGRAM: u64 = 1_472;
/// Drops that a connection makes when it sends the same segment again and again.
const TRIES: u64 = 5;
/// Milliseconds in which a transfer arrives where the way is open.
const ARRIVES_MS: u64 = 10_000;

/// The hop that has the smaller MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmallHop {
    /// The node's device to the next host.
    OfNode,
    /// The device of a pod that forwards.
    OfPod,
    /// The node's route to the host, not its device.
    OfRoute,
}

/// A pod `client`, a pod `gateway` that forwards, and a host behind it with a server.
pub struct SmallerPathMtu<'a> {
    node: &'a Node,
    hop: SmallHop,
    client: Pod,
    gateway: Pod,
    host: Wire,
    _programs: Vec<Process>,
}

impl<'a> SmallerPathMtu<'a> {
    /// The MTU of the small hop.
    pub const MTU: u64 = 1_450;

    /// Every end has an MTU of 1500, and one hop between them less.
    pub fn new(node: &'a Node, hop: SmallHop) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let gateway = router.pod("gateway", 1)?;
        let host = router.host_behind(&gateway, 1, BEYOND)?;
        let servers = [v4(BEYOND, 1), v6(BEYOND, 1)].join(",");
        let server = host.start(node, &format!("tcp-serve {servers} {PORT} --seconds 600"))?;
        let small = |place: &Namespace, device: &str| {
            place.ip(&format!("link set dev {device} mtu {}", Self::MTU))
        };
        match hop {
            SmallHop::OfNode => {
                small(node.namespace(), "veth-gateway")?;
                small(gateway.namespace(), "eth0")?;
            }
            // The host's own MTU stays: it tells the client by its MSS how long segments may be.
            SmallHop::OfPod => small(gateway.namespace(), "eth1").map(drop)?,
            SmallHop::OfRoute => {
                let route = format!(
                    "route change 10.88.{BEYOND}.0/24 via {} mtu {}",
                    v4(1, 1),
                    Self::MTU
                );
                node.namespace().ip(&route)?;
            }
        }
        Ok(Self {
            node,
            hop,
            client,
            gateway,
            host,
            _programs: vec![server],
        })
    }

    /// Lets a rule of the forwarding namespace drop its own answers to packets that are too long.
    pub fn drop_answers(&self) -> Result<()> {
        let rules = "add table inet filter; \
            add chain inet filter output { type filter hook output priority 0; }; \
            add rule inet filter output icmp type destination-unreachable icmp code 4 counter drop; \
            add rule inet filter output icmpv6 type packet-too-big counter drop";
        self.place().run("nft", &[rules]).map(drop)
    }

    /// The namespace that refuses long packets.
    pub fn place(&self) -> &Namespace {
        match self.hop {
            SmallHop::OfPod => self.gateway.namespace(),
            SmallHop::OfNode | SmallHop::OfRoute => self.node.namespace(),
        }
    }

    /// The client's namespace.
    pub fn client(&self) -> &Namespace {
        self.client.namespace()
    }

    /// Long packets that were refused so far, over both versions (FragFails).
    pub fn refused(&self) -> Result<[u64; 2]> {
        let place = self.place();
        Ok([
            place.protocol_counter("Ip", "FragFails")?,
            place.protocol_counter("Ip6", "FragFails")?,
        ])
    }

    /// The client sends over a connection, of IPv6 where that is meant, and waits until it was refused often enough.
    /// Returns the packets that were refused.
    pub fn send_in_vain(&self, is_ipv6: bool) -> Result<u64> {
        let version = usize::from(is_ipv6);
        let before = self.refused()?[version];
        self.send(is_ipv6)?;
        wait::until(
            "a segment that is sent again and again",
            wait::LIMIT,
            || {
                let refused = self.refused()?[version] - before;
                Ok((refused >= TRIES).then_some(refused))
            },
        )
    }

    /// The client sends datagrams that fill its own MTU; returns how many were refused.
    pub fn send_datagrams(&self, count: u64) -> Result<u64> {
        let before = self.refused()?[0];
        let send = format!(
            "udp-send {} {PORT} {count} --size {DATAGRAM}",
            v4(BEYOND, 1)
        );
        self.client.traffic(self.node.host()).run(&send)?;
        Ok(self.refused()?[0] - before)
    }

    /// A transfer over a new connection reaches the host within some seconds.
    pub fn arrives(&self, is_ipv6: bool) -> Result<bool> {
        let received = || self.host.namespace().counter(self.host.device, "rx_bytes");
        let before = received()?;
        self.send(is_ipv6)?;
        let limit = std::time::Duration::from_millis(ARRIVES_MS);
        let arrived = wait::until("a transfer", limit, || {
            Ok((received()? - before >= BYTES).then_some(()))
        });
        Ok(arrived.is_ok())
    }

    /// The host answers short packets.
    pub fn arrives_in_short(&self, is_ipv6: bool) -> Result<bool> {
        let ping = format!("ping {} 1", address(is_ipv6));
        let client = self.client.traffic(self.node.host());
        wait::until("an answer", wait::LIMIT, || {
            Ok((client.run(&ping)?.get("answered")? == 1).then_some(true))
        })
    }

    /// Data that is not acknowledged stays with the kernel of the sender when the program ends.
    fn send(&self, is_ipv6: bool) -> Result<()> {
        let address = address(is_ipv6);
        let load =
            format!("tcp-load {address} {PORT} --total {BYTES} --bytes {BYTES} --seconds 60");
        let facts = self.client.traffic(self.node.host()).run(&load)?;
        anyhow::ensure!(facts.get("sent")? == BYTES, "the client could not connect");
        Ok(())
    }
}

/// The host's address.
fn address(is_ipv6: bool) -> String {
    match is_ipv6 {
        true => v6(BEYOND, 1),
        false => v4(BEYOND, 1),
    }
}
