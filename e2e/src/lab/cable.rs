//! A cable with a program in it, which passes frames on as it likes.

use anyhow::Result;

use super::node::{Node, Wire};
use super::{Container, Traffic};
use crate::netns::Namespace;
use crate::process::Process;

/// A cable from a host to a veth of the node's.
pub struct Cable {
    // The program's container goes before its namespace.
    container: Container,
    namespace: Namespace,
    /// The host at the other end.
    pub host: Wire,
}

impl Cable {
    /// Lays a cable to a new device of the node. Nothing passes before [`Cable::pass_on`].
    pub fn new(node: &Node, device: &str) -> Result<Self> {
        let label = node.name();
        let host = Wire::of_nic(&format!("{label}-host"), "wire0")?;
        let namespace = Namespace::without_ipv6(&format!("{label}-cable"))?;
        for (end, other, to) in [
            ("near0", device, node.namespace()),
            ("far0", "wire0", host.namespace()),
        ] {
            let to_name = to.name();
            namespace.ip(&format!(
                "link add {end} type veth peer name {other} netns {to_name}"
            ))?;
            namespace.ip(&format!("link set {end} up"))?;
            to.ip(&format!("link set {other} up"))?;
        }
        let container = node.start_host_pod("cable", "forwarder")?;
        Ok(Self {
            container,
            namespace,
            host,
        })
    }

    /// Starts the program, with options of `netdiag-lab forward`.
    pub fn pass_on(&self, node: &Node, options: &str) -> Result<Process> {
        let traffic = Traffic::of(node.host(), &self.container, &self.namespace);
        traffic.start(&format!("forward far0 near0 --seconds 300 {options}"))
    }
}
