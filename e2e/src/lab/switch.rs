//! A switch beyond the node, which floods what is sent to a group.

use anyhow::Result;

use super::node::{Node, Wire};
use crate::netns::Namespace;

/// A switch with wires to the node's NICs and to hosts.
///
/// It sends a frame to its ports in the reverse order of their plugging (`br_add_if` puts a port at the list's head).
pub struct Switch {
    namespace: Namespace,
    cables: Vec<Namespace>,
}

impl Switch {
    /// A switch without wires.
    pub fn new(label: &str) -> Result<Self> {
        let namespace = Namespace::new(&format!("{label}-switch"))?;
        namespace.sysctl("net.ipv6.conf.all.disable_ipv6", "1")?;
        namespace.sysctl("net.ipv6.conf.default.disable_ipv6", "1")?;
        namespace.ip("link add br0 type bridge mcast_snooping 0")?;
        namespace.ip("link set br0 up")?;
        Ok(Self {
            namespace,
            cables: Vec::new(),
        })
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

    /// Plugs in a NIC that filters by MAC address, as real ones do: a macvlan device over a cable of its own.
    pub fn plug_filtering_nic(&mut self, node: &Node, device: &str) -> Result<()> {
        let cable = Namespace::new(&format!("{}-{device}", node.name()))?;
        cable.ip("link add far0 type veth peer name near0")?;
        let port = format!("port-{device}");
        cable.ip(&format!(
            "link set near0 name {port} netns {}",
            self.namespace.name()
        ))?;
        self.connect(&port)?;
        cable.ip("link set far0 up")?;
        cable.ip(&format!(
            "link add {device} link far0 netns {} type macvlan mode private",
            node.namespace().name()
        ))?;
        self.cables.push(cable);
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
