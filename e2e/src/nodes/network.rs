//! The network between the control plane and the nodes: a bridge, and a cable from it to each node.
//!
//! Pods have addresses that every node routes, so nothing is masqueraded and no overlay is needed.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::netns::Namespace;

/// The control plane's address.
pub const API_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
/// All pods.
pub const POD_RANGE: &str = "10.244.0.0/16";

/// The cluster's own network namespace, and one for each node.
pub struct Network {
    // Nodes go before what their cables are plugged into.
    nodes: Vec<Namespace>,
    cluster: Namespace,
}

impl Network {
    /// Lays cables to so many nodes.
    pub fn new(nodes: u8) -> Result<Self> {
        let cluster = Namespace::new("cluster")?;
        cluster.ip("link add kbr0 type bridge")?;
        cluster.ip(&format!("address add {API_ADDRESS}/24 dev kbr0"))?;
        cluster.ip("link set kbr0 up")?;
        cluster.sysctl("net.ipv4.ip_forward", "1")?;
        let nodes = (1..=nodes)
            .map(|number| plug(&cluster, number))
            .collect::<Result<Vec<_>>>()?;
        for (node, number) in nodes.iter().zip(1..) {
            for other in (1..=nodes.len()).filter_map(|other| u8::try_from(other).ok()) {
                if other != number {
                    let (pods, via) = (pod_range(other), node_address(other));
                    node.ip(&format!("route add {pods} via {via}"))?;
                }
            }
        }
        Ok(Self { nodes, cluster })
    }

    /// The namespace in which the control plane runs.
    pub fn cluster(&self) -> &Namespace {
        &self.cluster
    }

    /// The nodes' namespaces, the first node's first.
    pub fn nodes(&self) -> &[Namespace] {
        &self.nodes
    }
}

/// The address of a node; nodes are counted from 1.
pub fn node_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 30, 0, 10 + number)
}

/// The addresses of a node's pods.
pub fn pod_range(number: u8) -> String {
    format!("10.244.{number}.0/24")
}

fn plug(cluster: &Namespace, number: u8) -> Result<Namespace> {
    let node = Namespace::new(&format!("node-{number}"))?;
    let (address, name) = (node_address(number), node.name());
    cluster.ip(&format!(
        "link add node{number} type veth peer name eth0 netns {name}"
    ))?;
    cluster.ip(&format!("link set node{number} master kbr0 up"))?;
    node.ip(&format!("address add {address}/24 dev eth0"))?;
    node.ip("link set eth0 up")?;
    node.ip(&format!("route add default via {API_ADDRESS}"))?;
    node.sysctl("net.ipv4.ip_forward", "1")?;
    cluster.ip(&format!("route add {} via {address}", pod_range(number)))?;
    Ok(node)
}
