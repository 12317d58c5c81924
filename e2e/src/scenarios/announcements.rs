//! LLDP on NICs that filter by MAC address: alone, as ports of a bridge, and under a bond in a bridge.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::lab::{Node, Segment};
use crate::wait;

/// What the last frame needs to get through an emulated NIC.
const QUIET: Duration = Duration::from_millis(500);

/// LACP waits some seconds for a partner before it picks a port without one.
const BOND_LIMIT: Duration = Duration::from_secs(30);

/// A host that announces itself on the segment, and the NICs of the node there.
pub struct SegmentAnnouncements<'a> {
    node: &'a Node,
    segment: Segment<'a>,
}

/// Increases of one device's counters.
#[derive(Debug, PartialEq, Eq)]
pub struct Increase {
    /// The device.
    pub device: &'static str,
    /// rx_dropped.
    pub dropped: u64,
    /// rx_nohandler, which a bond's inactive port raises.
    pub no_handler: u64,
}

impl<'a> SegmentAnnouncements<'a> {
    /// `eth1`, a NIC by itself.
    pub fn on_nic(node: &'a Node) -> Result<Self> {
        let scenario = Self::new(node)?;
        scenario.segment.plug("eth1")?;
        node.namespace().ip("link set eth1 up")?;
        Ok(scenario)
    }

    /// `eth1`, the only port of `br0`.
    pub fn on_bridged_nic(node: &'a Node, bridge_options: &str) -> Result<Self> {
        let scenario = Self::on_nic(node)?;
        scenario.add_bridge("eth1", bridge_options)?;
        Ok(scenario)
    }

    /// `bond0` of `eth1` and `eth2`, a port of `br0`.
    pub fn on_bridged_bond(node: &'a Node, mode: &str, bridge_options: &str) -> Result<Self> {
        let scenario = Self::new(node)?;
        let inside = node.namespace();
        inside.ip(&format!("link add bond0 type bond mode {mode} miimon 100"))?;
        for port in ["eth1", "eth2"] {
            scenario.segment.plug(port)?;
            inside.ip(&format!("link set {port} master bond0"))?;
        }
        inside.ip("link set bond0 up")?;
        scenario.add_bridge("bond0", bridge_options)?;
        // Until its monitor has picked the active port, each port drops by itself.
        wait::until("bond0's active port", BOND_LIMIT, || {
            let carrier = inside.run("cat", &["/sys/class/net/bond0/carrier"])?;
            Ok((carrier.trim() == "1").then_some(()))
        })?;
        Ok(scenario)
    }

    fn new(node: &'a Node) -> Result<Self> {
        let segment = Segment::new(node)?;
        Ok(Self { node, segment })
    }

    fn add_bridge(&self, port: &str, options: &str) -> Result<()> {
        let inside = self.node.namespace();
        inside.ip(&format!("link add br0 type bridge {options}"))?;
        inside.ip("link set br0 up")?;
        inside.ip(&format!("link set {port} master br0")).map(drop)
    }

    /// The host announces itself that many times; the increases of these devices' counters.
    pub fn announce(&self, frames: u64, devices: &[&'static str]) -> Result<Vec<Increase>> {
        let before = self.counters(devices)?;
        self.segment
            .wire
            .send_frames(&format!("lldp {frames} --system leaf-7"))?;
        thread::sleep(QUIET);
        let after = self.counters(devices)?;
        let pairs = before.into_iter().zip(after);
        Ok(pairs
            .map(|(before, after)| Increase {
                device: before.device,
                dropped: after.dropped - before.dropped,
                no_handler: after.no_handler - before.no_handler,
            })
            .collect())
    }

    fn counters(&self, devices: &[&'static str]) -> Result<Vec<Increase>> {
        let inside = self.node.namespace();
        devices
            .iter()
            .map(|&device| {
                Ok(Increase {
                    device,
                    dropped: inside.counter(device, "rx_dropped")?,
                    no_handler: inside.counter(device, "rx_nohandler")?,
                })
            })
            .collect()
    }
}
