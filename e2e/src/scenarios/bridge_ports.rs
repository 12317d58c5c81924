//! A bridge whose ports do not let frames pass: for their state, a flag, or their MTU.

use anyhow::Result;

use crate::lab::{Node, Pod};

const DATAGRAMS: u64 = 30;
const CLIENT: &str = "10.90.0.1";
const SERVER: &str = "10.90.0.2";

/// Pod `client` and pod `server` on `br0`, who know each other's link layer address.
pub struct BridgePorts<'a> {
    node: &'a Node,
    client: Pod,
    server: Pod,
}

impl<'a> BridgePorts<'a> {
    /// Starts the pods; `options` are those of the bridge.
    pub fn new(node: &'a Node, options: &str) -> Result<Self> {
        let client = node.start_pod("client", &format!("{CLIENT}/24"), "veth-client")?;
        let server = node.start_pod("server", &format!("{SERVER}/24"), "veth-server")?;
        let ports = ["veth-client", "veth-server"];
        node.namespace().add_bridge("br0", options, &ports)?;
        let bridge = Self {
            node,
            client,
            server,
        };
        // No neighbour has to be asked, so that a broadcast is none of what is dropped.
        for (pod, other, address) in [
            (&bridge.client, &bridge.server, SERVER),
            (&bridge.server, &bridge.client, CLIENT),
        ] {
            let mac = mac(other)?;
            let neighbour = format!("neighbour replace {address} lladdr {mac} dev eth0");
            pod.namespace().ip(&neighbour)?;
        }
        Ok(bridge)
    }

    /// Sets a flag of both ports, such as `isolated on`.
    pub fn set(&self, flag: &str) -> Result<()> {
        ["veth-client", "veth-server"]
            .iter()
            .try_for_each(|port| self.set_port(port, flag))
    }

    /// Sets a flag of one port.
    pub fn set_port(&self, port: &str, flag: &str) -> Result<()> {
        let mut words = vec!["link", "set", "dev", port];
        words.extend(flag.split(' '));
        self.node.namespace().run("bridge", &words).map(drop)
    }

    /// Locks the client's port, behind which the bridge then knows nobody.
    pub fn lock(&self) -> Result<()> {
        self.set_port("veth-client", "locked on")?;
        let flush = "link set dev br0 type bridge fdb_flush";
        self.node.namespace().ip(flush).map(drop)
    }

    /// Gives the server's port and the server a smaller MTU.
    pub fn shrink(&self, mtu: u32) -> Result<()> {
        let set = format!("link set dev veth-server mtu {mtu}");
        self.node.namespace().ip(&set)?;
        let set = format!("link set dev eth0 mtu {mtu}");
        self.server.namespace().ip(&set).map(drop)
    }

    /// The client sends datagrams of this size; how many, and how many of them the server got.
    pub fn send(&self, size: u32) -> Result<(u64, u64)> {
        let received = || self.server.namespace().protocol_counter("Ip", "InReceives");
        let before = received()?;
        let send = format!("udp-send {SERVER} 5000 {DATAGRAMS} --size {size}");
        let facts = self.client.traffic(self.node.host()).run(&send)?;
        Ok((facts.get("sent")?, received()? - before))
    }

    /// The client sends frames that its port is to give back to it: their receiver has the client's own address.
    pub fn send_back(&self) -> Result<u64> {
        let own = mac(&self.client)?;
        let neighbour = format!("neighbour replace {SERVER} lladdr {own} dev eth0");
        self.client.namespace().ip(&neighbour)?;
        let (sent, _) = self.send(200)?;
        Ok(sent)
    }
}

/// The link layer address of a pod.
fn mac(pod: &Pod) -> Result<String> {
    let address = pod
        .namespace()
        .run("cat", &["/sys/class/net/eth0/address"])?;
    Ok(address.trim().to_owned())
}
