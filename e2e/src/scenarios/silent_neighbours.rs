//! Neighbours that do not answer although somebody misses them, or cannot by design.

use anyhow::Result;

use super::gone_address::{Polled, hurry};
use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod};

/// A host beyond the gateway.
const BEYOND: [&str; 2] = ["203.0.113.9", "2001:db8::9"];
const NETWORK: u8 = 3;
const NODE: u8 = 254;
const POD: u8 = 1;

/// Pod `client`, whose routes name a gateway that is not there.
pub struct SilentGateway<'a> {
    node: &'a Node,
    client: Pod,
}

/// Pod `client` with a macvlan device `net1` on the node's `nic0`, at whose other end another host is.
pub struct MacvlanPod<'a> {
    node: &'a Node,
    client: Pod,
    _switch: Pod,
    monitor: Container,
}

impl<'a> SilentGateway<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        let client = Router::new(node)?.plug("client", "veth-client", 0, 1)?;
        hurry(client.namespace(), "eth0")?;
        Ok(Self { node, client })
    }

    /// The pod polls a host beyond its gateway, over IPv4 and IPv6.
    pub fn poll(&self) -> Result<Vec<Polled>> {
        let traffic = self.client.traffic(self.node.host());
        let polls = BEYOND.map(|address| Polled::by(&traffic, "pod", address));
        polls.into_iter().collect()
    }
}

impl<'a> MacvlanPod<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.plug("client", "veth-client", 0, 1)?;
        let switch = node.start_pod("switch", &format!("{}/24", v4(NETWORK, 9)), "nic0")?;
        router.assign("nic0", NETWORK)?;
        let (inside, pod) = (node.namespace(), client.namespace());
        inside.ip("link add net1 link nic0 type macvlan mode bridge")?;
        inside.ip(&format!("link set net1 netns {}", pod.name()))?;
        pod.sysctl("net.ipv6.conf.net1.disable_ipv6", "0")?;
        let [address4, address6] = [v4(NETWORK, POD), v6(NETWORK, POD)];
        pod.ip(&format!("address add {address4}/24 dev net1"))?;
        pod.ip(&format!("address add {address6}/64 dev net1 nodad"))?;
        pod.ip("link set net1 up")?;
        hurry(pod, "net1")?;
        hurry(inside, "nic0")?;
        Ok(Self {
            node,
            client,
            _switch: switch,
            monitor: node.start_host_pod("monitor", "monitor")?,
        })
    }

    /// The node polls the pod, and the pod the node, over IPv4 and IPv6.
    pub fn poll(&self) -> Result<Vec<Polled>> {
        let node = self.node.traffic(&self.monitor);
        let pod = self.client.traffic(self.node.host());
        let mut polls = Vec::new();
        for address in [v4(NETWORK, POD), v6(NETWORK, POD)] {
            polls.push(Polled::by(&node, "node", &address)?);
        }
        for address in [v4(NETWORK, NODE), v6(NETWORK, NODE)] {
            polls.push(Polled::by(&pod, "pod", &address)?);
        }
        Ok(polls)
    }
}
