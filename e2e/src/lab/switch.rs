//! A switch beyond the node, which floods what is sent to a group.

use anyhow::Result;

use super::node::{Node, Wire};
use crate::netns::Namespace;

/// A switch with wires to the node's NICs and to hosts.
///
/// It sends a frame to its ports in the reverse order of their plugging (`br_add_if` puts a port at the list's head).
pub struct Switch {
    namespace: Namespace,
}

impl Switch {
    /// A switch without wires.
    pub fn new(label: &str) -> Result<Self> {
        let namespace = Namespace::without_ipv6(&format!("{label}-switch"))?;
        namespace.add_bridge("br0", "mcast_snooping 0", &[])?;
        Ok(Self { namespace })
    }

    /// Plugs in a veth of the node's, which takes every frame.
    pub fn plug_veth(&self, node: &Node, device: &str) -> Result<()> {
        let to = node.namespace().name();
        self.namespace.ip(&format!(
            "link add port-{device} type veth peer name {device} netns {to}"
        ))?;
        self.connect(&format!("port-{device}"))?;
        node.namespace()
            .ip(&format!("link set {device} up"))
            .map(drop)
    }

    /// A host on the switch.
    pub fn connect_host(&self, label: &str) -> Result<Wire> {
        let wire = Wire::of_nic(label, "wire0")?;
        let to = wire.namespace().name();
        self.namespace.ip(&format!(
            "link add port-host type veth peer name wire0 netns {to}"
        ))?;
        self.connect("port-host")?;
        wire.namespace().ip("link set wire0 up")?;
        Ok(wire)
    }

    fn connect(&self, port: &str) -> Result<()> {
        self.namespace
            .ip(&format!("link set {port} master br0 up"))
            .map(drop)
    }
}
