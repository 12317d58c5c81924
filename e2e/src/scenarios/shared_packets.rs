//! A sender keeps a reference to what it sends: the kernel counts a drop and frees no packet, so no event tells of it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::lab::{Node, Pod};
use crate::process::{self, Process};
use crate::wait;

/// Packets that are lost before the generator stops.
const ENOUGH: u64 = 40;
/// Pod `generator`, MTU 9000, on `veth-generator`, MTU 1500: the kernel's packet generator runs on its eth0.
pub struct SharedPackets<'a> {
    node: &'a Node,
    pod: Pod,
}

impl<'a> SharedPackets<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        process::run(Command::new("modprobe").arg("pktgen"))?;
        let pod = node.start_pod("generator", "10.86.0.1/24", "veth-generator")?;
        pod.namespace().ip("link set eth0 mtu 9000")?;
        Ok(Self { node, pod })
    }

    /// Generates packets that are too large for the other end; the increase of the pod's tx_dropped and of the node's
    /// rx_dropped.
    pub fn generate(&self) -> Result<(u64, u64)> {
        let before = self.dropped()?;
        self.write("kpktgend_0", "add_device eth0")?;
        for setting in [
            // It does not count what is dropped, so it would never come to a count.
            "count 0",
            "pkt_size 4000",
            "delay 10000000",
            "dst 10.86.0.2",
            "dst_mac 02:00:00:00:00:01",
        ] {
            self.write("eth0", setting)?;
        }
        // The writer waits for the end, and its own end is one.
        let mut start = self.pod.namespace().command("sh");
        start.args(["-c", "echo start >/proc/net/pktgen/pgctrl"]);
        let log = self.node.host().path().join("pktgen.log");
        let generator = Process::start("pktgen", start, &log)?;
        wait::until("drops of generated packets", wait::LIMIT, || {
            Ok((self.dropped()?.0 - before.0 > ENOUGH).then_some(()))
        })?;
        drop(generator);
        self.write("kpktgend_0", "rem_device_all")?;
        let after = self.dropped()?;
        Ok((after.0 - before.0, after.1 - before.1))
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = format!("/proc/thread-self/net/pktgen/{file}");
        self.pod.namespace().enter(|| {
            // It takes the last byte for the end of the line.
            fs::write(&path, format!("{text}\n"))
                .with_context(|| format!("failed to write {text:?} to {path}"))
        })?
    }

    fn dropped(&self) -> Result<(u64, u64)> {
        let sender = self.pod.namespace().counter("eth0", "tx_dropped")?;
        let receiver = self
            .node
            .namespace()
            .counter("veth-generator", "rx_dropped")?;
        Ok((sender, receiver))
    }
}
