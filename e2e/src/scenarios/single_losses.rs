//! Devices on which hardly anything happens lose one packet each, each for another reason.

use anyhow::{Context, Result, ensure};

use super::reassembly::Family;
use super::router::{GATEWAY, Router, v4, v6};
use super::{BadCable, Trouble};
use crate::lab::{Container, Node, Pod, Wire};
use crate::process::Process;

/// More than a socket's receive buffer holds.
const TO_FILL: u64 = 600;

/// Pods `sums` and `full`, a host on `stray0` and one on a cable that loses a fragment.
pub struct SingleLosses<'a> {
    node: &'a Node,
    // Programs end before their pods.
    _programs: Vec<Process>,
    sums: Pod,
    full: Pod,
    stray: Wire,
    cable: BadCable<'a>,
    monitor: Container,
}

/// Increases of the kernel's counters.
#[derive(Debug, PartialEq, Eq)]
pub struct Lost {
    /// Udp.InCsumErrors of the pod `sums`.
    pub wrong_sum: u64,
    /// Udp6InCsumErrors of the pod `sums`.
    pub wrong_sum_v6: u64,
    /// Udp.InCsumErrors of the node.
    pub wrong_sum_in_node: u64,
    /// Udp.RcvbufErrors of the pod `full`.
    pub no_room: u64,
    /// rx_dropped of `stray0`.
    pub stray: u64,
    /// Ip.ReasmFails of the node.
    pub incomplete: u64,
}

impl<'a> SingleLosses<'a> {
    /// Starts the pods, and fills the receive buffer of the pod `full`.
    pub fn new(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let [sums, full] = [router.pod("sums", 0)?, router.pod("full", 1)?];
        let monitor = node.start_host_pod("monitor", "monitor")?;
        let read = |addresses: &str| format!("udp-receive {addresses} 5000 --seconds 300");
        let in_pod = read(&format!("{},{}", v4(0, 1), v6(0, 1)));
        let hang = format!("hang {} 5000 --seconds 300", v4(1, 1));
        let programs = vec![
            sums.traffic(node.host()).start(&in_pod)?,
            node.traffic(&monitor).start(&read(&v4(0, GATEWAY)))?,
            full.traffic(node.host()).start(&hang)?,
        ];
        let stray = node.plug_veth("stray0")?;
        let cable = BadCable::new(node, Family::V4, Trouble::Loss)?;
        let this = Self {
            node,
            _programs: programs,
            sums,
            full,
            stray,
            cable,
            monitor,
        };
        let before = this.so_far()?.no_room;
        this.send_to_full(TO_FILL)?;
        ensure!(this.so_far()?.no_room > before, "the buffer is not full");
        Ok(this)
    }

    /// Sends what gets lost: one packet on each device.
    pub fn lose(&self) -> Result<Lost> {
        let before = self.so_far()?;
        let node = self.node.traffic(&self.monitor);
        node.run(&format!("wrong-sums {} 5000 1", v4(0, 1)))?;
        node.run(&format!("wrong-sums {} 5000 1", v6(0, 1)))?;
        let pod = self.sums.traffic(self.node.host());
        pod.run(&format!("wrong-sums {} 5000 1", v4(0, GATEWAY)))?;
        self.send_to_full(1)?;
        let address = mac(self.node, "stray0")?;
        self.stray
            .send_frames(&format!("other 1 --destination {address}"))?;
        // Two datagrams have twelve fragments, of which the seventh is lost.
        let cable = self.cable.send(2)?;
        let after = self.so_far()?;
        Ok(Lost {
            wrong_sum: after.wrong_sum - before.wrong_sum,
            wrong_sum_v6: after.wrong_sum_v6 - before.wrong_sum_v6,
            wrong_sum_in_node: after.wrong_sum_in_node - before.wrong_sum_in_node,
            no_room: after.no_room - before.no_room,
            stray: after.stray - before.stray,
            incomplete: cable.failed,
        })
    }

    fn send_to_full(&self, count: u64) -> Result<()> {
        let send = format!("udp-send {} 5000 {count} --size 1000 --gap-ms 0", v4(1, 1));
        self.node.traffic(&self.monitor).run(&send).map(drop)
    }

    fn so_far(&self) -> Result<Lost> {
        let [node, sums] = [self.node.namespace(), self.sums.namespace()];
        let full = self.full.namespace();
        Ok(Lost {
            wrong_sum: sums.protocol_counter("Udp", "InCsumErrors")?,
            wrong_sum_v6: sums.protocol_counter("Udp6", "InCsumErrors")?,
            wrong_sum_in_node: node.protocol_counter("Udp", "InCsumErrors")?,
            no_room: full.protocol_counter("Udp", "RcvbufErrors")?,
            stray: node.counter("stray0", "rx_dropped")?,
            incomplete: 0,
        })
    }
}

/// The MAC address of a device of the node.
fn mac(node: &Node, device: &str) -> Result<String> {
    let file = format!("/sys/class/net/{device}/address");
    let text = node.namespace().run("cat", &[&file])?;
    let address = text.lines().next().context("a device has an address")?;
    Ok(address.to_owned())
}
