//! A pod with NET_RAW that makes as many kinds of drops as it can, beside a fault of another pod.

use anyhow::Result;

use super::UnequalMtu;
use crate::lab::{Node, Pod};

/// As many EtherTypes as the drop probe has numbers for keys.
const KINDS: u64 = 4_095;
/// The first of them; neither it nor those behind it have a receiver.
const FIRST_KIND: &str = "9000";
/// Datagrams of the fault.
const REFUSED: u64 = 50;

/// Pod `noisy` on `veth-noisy`, and the fault of [`UnequalMtu`].
pub struct FloodOfKeys<'a> {
    node: &'a Node,
    noisy: Pod,
    loud: u64,
    fault: UnequalMtu<'a>,
}

/// The packets that were sent and those that the kernel counted as dropped.
#[derive(Debug)]
pub struct Flooded {
    /// Frames that `noisy` sent.
    pub sent: u64,
    /// Increase of rx_dropped of `veth-noisy`.
    pub dropped: u64,
    /// Increases of the fault's counters: its sender's and its receiver's.
    pub refused: (u64, u64),
}

impl<'a> FloodOfKeys<'a> {
    /// Starts the pods. A flood has `loud` frames of one kind beside those of all kinds.
    pub fn new(node: &'a Node, loud: u64) -> Result<Self> {
        Ok(Self {
            node,
            loud,
            noisy: node.start_pod("noisy", "10.79.0.1/24", "veth-noisy")?,
            fault: UnequalMtu::new(node)?,
        })
    }

    /// Floods with kinds and with one kind, makes the fault, and floods again.
    pub fn attack(&self) -> Result<Flooded> {
        let before = self.dropped()?;
        let mut sent = self.flood()?;
        let refused = self.fault.send_large(REFUSED)?;
        sent += self.flood()?;
        Ok(Flooded {
            sent,
            dropped: self.dropped()? - before,
            refused,
        })
    }

    fn flood(&self) -> Result<u64> {
        let noisy = self.noisy.traffic(self.node.host());
        let kinds = format!("frames eth0 other {KINDS} --gap-ms 0 --ethertype {FIRST_KIND} --next");
        let loud = format!("frames eth0 lldp {} --gap-ms 0", self.loud);
        Ok(noisy.run(&kinds)?.get("sent")? + noisy.run(&loud)?.get("sent")?)
    }

    fn dropped(&self) -> Result<u64> {
        self.node.namespace().counter("veth-noisy", "rx_dropped")
    }
}
