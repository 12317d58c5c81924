//! A node and a pod whose routes to one network lead to each other.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Node, Pod};
use crate::netns::Namespace;

/// Requests over each IP version.
const REQUESTS: u64 = 12;
const PORT: u16 = 5000;
/// Addresses in a network that nobody has, and its prefixes.
const BEYOND: [(&str, &str); 2] = [
    ("203.0.113.7", "203.0.113.0/24"),
    ("2001:db8:7::7", "2001:db8:7::/64"),
];

/// Pod `client` on `veth-client`, and pod `gateway` on `veth-gateway`, which sends back what it has no route for.
pub struct RouteCircle<'a> {
    node: &'a Node,
    client: Pod,
    gateway: Pod,
}

/// The kernel's counts while the client asked.
#[derive(Debug)]
pub struct Circled {
    /// Requests of each IP version.
    pub asked: u64,
    /// Packets of IPv4 that ran out of hops in the pod: increase of Ip.InHdrErrors.
    pub died_in_gateway: u64,
    /// Packets of IPv6 that ran out of hops in the node: increase of Ip6InHdrErrors.
    pub died_in_node: u64,
}

impl<'a> RouteCircle<'a> {
    /// Starts the pods and sets the routes.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let gateway = router.pod("gateway", 1)?;
        let (inside, beyond) = (node.namespace(), gateway.namespace());
        beyond.sysctl("net.ipv4.ip_forward", "1")?;
        beyond.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        for place in ["all", "veth-gateway"] {
            inside.sysctl(&format!("net.ipv4.conf.{place}.rp_filter"), "0")?;
        }
        // An odd number of hops ends in the node, an even one in the pod.
        let hops = "net.ipv6.conf.eth0.hop_limit";
        client.namespace().sysctl(hops, "63")?;
        client.namespace().sysctl("net.ipv4.ip_default_ttl", "64")?;
        for ((_, prefix), via) in BEYOND.iter().zip([v4(1, 1), v6(1, 1)]) {
            inside.ip(&format!("route add {prefix} via {via} dev veth-gateway"))?;
        }
        Ok(Self {
            node,
            client,
            gateway,
        })
    }

    /// The client asks over both IP versions.
    pub fn ask(&self) -> Result<Circled> {
        let died = |place: &Namespace, group: &str| place.protocol_counter(group, "InHdrErrors");
        let read = || -> Result<[u64; 2]> {
            Ok([
                died(self.gateway.namespace(), "Ip")?,
                died(self.node.namespace(), "Ip6")?,
            ])
        };
        let before = read()?;
        for (address, _) in BEYOND {
            let ask = format!("ask {address} {PORT} {REQUESTS}");
            self.client.traffic(self.node.host()).run(&ask)?;
        }
        let after = read()?;
        Ok(Circled {
            asked: REQUESTS,
            died_in_gateway: after[0] - before[0],
            died_in_node: after[1] - before[1],
        })
    }
}
