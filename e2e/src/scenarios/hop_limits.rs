//! traceroute: a pod learns the way to a host behind the node and behind another pod that forwards.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Node, Pod, Wire};
use crate::netns::Namespace;
use crate::wait;

/// Network between the pod that forwards and the host.
const BEYOND: u8 = 2;
const PROBES: u64 = 3;

/// Pod `client`, the node, pod `router`, and a host behind it.
pub struct HopLimits<'a> {
    node: &'a Node,
    client: Pod,
    router: Pod,
    host: Wire,
}

/// The kernel's counts while the pod traced the way, for one IP version.
#[derive(Debug, PartialEq, Eq)]
pub struct Traced {
    /// Datagrams sent with each hop limit.
    pub probes: u64,
    /// Those whose hop limit ended in the node: increase of Ip.InHdrErrors or Ip6InHdrErrors.
    pub ended_in_node: u64,
    /// The same in the pod that forwards.
    pub ended_in_pod: u64,
    /// Those that the host refused: increase of Udp.NoPorts or Udp6NoPorts.
    pub refused: u64,
}

impl<'a> HopLimits<'a> {
    /// Starts the pods and connects the host.
    pub fn new(node: &'a Node) -> Result<Self> {
        let routing = Router::new(node)?;
        let client = routing.pod("client", 0)?;
        let router = routing.pod("router", 1)?;
        let host = node.plug_veth_into(router.namespace(), "eth1")?;
        let [inside, beyond] = [router.namespace(), host.namespace()];
        for place in ["eth1", "all"] {
            inside.sysctl(&format!("net.ipv6.conf.{place}.disable_ipv6"), "0")?;
        }
        beyond.sysctl("net.ipv6.conf.wire0.disable_ipv6", "0")?;
        inside.sysctl("net.ipv4.ip_forward", "1")?;
        inside.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        for (namespace, device, number) in [(inside, "eth1", 254), (beyond, host.device, 1)] {
            let [address4, address6] = [v4(BEYOND, number), v6(BEYOND, number)];
            namespace.ip(&format!("address add {address4}/24 dev {device}"))?;
            namespace.ip(&format!("address add {address6}/64 dev {device} nodad"))?;
        }
        beyond.ip(&format!("route add default via {}", v4(BEYOND, 254)))?;
        beyond.ip(&format!("-6 route add default via {}", v6(BEYOND, 254)))?;
        let to_beyond = |prefix: &str, via: String| {
            node.namespace()
                .ip(&format!("route add {prefix} via {via} dev veth-router"))
        };
        to_beyond("10.88.2.0/24", v4(1, 1))?;
        to_beyond("fd88:2::/64", v6(1, 1))?;
        let this = Self {
            node,
            client,
            router,
            host,
        };
        // Addresses and neighbours of IPv6 take a moment.
        for address in [v4(BEYOND, 1), v6(BEYOND, 1)] {
            wait::until("an answer of the host", wait::LIMIT, || {
                let ping = this.client.traffic(this.node.host());
                let answered = ping.run(&format!("ping {address} 1"))?.get("answered")?;
                Ok((answered == 1).then_some(()))
            })?;
        }
        Ok(this)
    }

    /// Traces over IPv4, then over IPv6.
    pub fn trace(&self) -> Result<[Traced; 2]> {
        let one = |address: String, ip: &str, udp: &str| -> Result<Traced> {
            let read = || -> Result<[u64; 3]> {
                let errors = |place: &Namespace| place.protocol_counter(ip, "InHdrErrors");
                Ok([
                    errors(self.node.namespace())?,
                    errors(self.router.namespace())?,
                    self.host.namespace().protocol_counter(udp, "NoPorts")?,
                ])
            };
            let before = read()?;
            let client = self.client.traffic(self.node.host());
            client.run(&format!("trace {address} --hops 3 --probes {PROBES}"))?;
            let after = read()?;
            Ok(Traced {
                probes: PROBES,
                ended_in_node: after[0] - before[0],
                ended_in_pod: after[1] - before[1],
                refused: after[2] - before[2],
            })
        };
        Ok([
            one(v4(BEYOND, 1), "Ip", "Udp")?,
            one(v6(BEYOND, 1), "Ip6", "Udp6")?,
        ])
    }
}
