//! A pod's veth with a larger MTU than its end on the node: what is larger than the smaller one vanishes.

use anyhow::Result;

use crate::lab::{Node, Pod};

/// Pod `jumbo`, MTU 9000, on `veth-jumbo`, MTU 1500.
pub struct UnequalMtu<'a> {
    node: &'a Node,
    pod: Pod,
}

impl<'a> UnequalMtu<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        let pod = node.start_pod("jumbo", "10.78.0.1/24", "veth-jumbo")?;
        pod.namespace().ip("link set eth0 mtu 9000")?;
        node.namespace()
            .ip("address add 10.78.0.2/24 dev veth-jumbo")?;
        Ok(Self { node, pod })
    }

    /// Gives the pod's end the MTU of the node's.
    pub fn fix(&self) -> Result<()> {
        self.pod.namespace().ip("link set eth0 mtu 1500").map(drop)
    }

    /// Sends that many datagrams that fit the pod's MTU and not the node's; returns the increase of the pod's
    /// tx_dropped and of the node's rx_dropped.
    pub fn send_large(&self, datagrams: u64) -> Result<(u64, u64)> {
        let before = self.dropped()?;
        let send = format!("udp-send 10.78.0.2 9 {datagrams} --size 4000");
        self.pod.traffic(self.node.host()).run(&send)?;
        let after = self.dropped()?;
        Ok((after.0 - before.0, after.1 - before.1))
    }

    fn dropped(&self) -> Result<(u64, u64)> {
        let sender = self.pod.namespace().counter("eth0", "tx_dropped")?;
        Ok((
            sender,
            self.node.namespace().counter("veth-jumbo", "rx_dropped")?,
        ))
    }
}
