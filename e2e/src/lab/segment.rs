//! The network segment of a guest: its virtual NICs hang on one hub, and each filters by MAC address as real ones do.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::node::{Node, Wire};
use crate::netns::Namespace;
use crate::process;
use crate::wait;

/// The NIC that the host beyond sends from.
const FAR_NIC: &str = "eth0";

/// A host on the segment, and the node's NICs on it.
pub struct Segment<'a> {
    node: &'a Node,
    /// The host: what it sends, each NIC may receive.
    pub wire: Wire,
}

impl<'a> Segment<'a> {
    /// Takes the host's NIC.
    ///
    /// # Errors
    /// When this machine is no guest: elsewhere `eth0` is somebody's connection.
    pub fn new(node: &'a Node) -> Result<Self> {
        ensure!(
            env::var_os("NETDIAG_GUEST").is_some(),
            "segments are only in guests, which `cargo xtask test-vm` boots"
        );
        let wire = Wire::of_nic(&format!("{}-segment", node.name()), FAR_NIC)?;
        move_nic(FAR_NIC, wire.namespace())?;
        wire.namespace().ip(&format!("link set {FAR_NIC} up"))?;
        Ok(Self { node, wire })
    }

    /// Plugs one of `eth1` to `eth3` into the node. It is down.
    pub fn plug(&self, device: &str) -> Result<()> {
        move_nic(device, self.node.namespace())
    }
}

fn move_nic(device: &str, namespace: &Namespace) -> Result<()> {
    wait::until("a NIC to be free", wait::LIMIT, || {
        let here = Path::new("/sys/class/net").join(device);
        ensure!(here.exists(), "{device} is elsewhere");
        Ok(Some(()))
    })?;
    process::run(
        Command::new("ip")
            .args(["link", "set", device, "netns"])
            .arg(namespace.name()),
    )
    .map(drop)
}
