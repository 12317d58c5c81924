//! A program holds its sockets in a read that waits for memory: what arrives meanwhile is more than their backlogs hold.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::process::Process;
use crate::wait;

const PORT: u16 = 5001;
/// The network beyond the TUN device.
const OUTSIDE: u8 = 9;

/// Pod `server` with the program, and a host beyond `burst0` with a connection over each IP version.
pub struct HeldSockets<'a> {
    node: &'a Node,
    // Programs end before their pod.
    programs: [Process; 2],
    server: Pod,
    tools: Container,
}

/// Counts of the pod's namespace.
#[derive(Debug)]
pub struct Held {
    /// Segments that were sent while the sockets were held.
    pub sent: u64,
    /// Increase of Tcp.InSegs.
    pub arrived: u64,
    /// Increase of TcpExt.TCPBacklogDrop.
    pub dropped: u64,
}

impl<'a> HeldSockets<'a> {
    /// Starts both programs and connects; a burst will have so many segments.
    pub fn new(node: &'a Node, segments: u64) -> Result<Self> {
        let server = Router::new(node)?.pod("server", 1)?;
        let tools = node.start_host_pod("tools", "tools")?;
        let addresses = [v4(1, 1), v6(1, 1)].join(",");
        let hold = format!("hold {addresses} {PORT} --seconds 300");
        let burst = format!("burst burst0 {addresses} {PORT} --count {segments} --seconds 300");
        let programs = [
            server.traffic(node.host()).start(&hold)?,
            node.traffic(&tools).start(&burst)?,
        ];
        let outside = node.namespace();
        outside.ip("link set burst0 up")?;
        outside.ip(&format!("route add {}/24 dev burst0", v4(OUTSIDE, 0)))?;
        outside.ip(&format!("-6 route add {}/64 dev burst0", v6(OUTSIDE, 0)))?;
        let this = Self {
            node,
            programs,
            server,
            tools,
        };
        this.order([v4(OUTSIDE, 1), v6(OUTSIDE, 1)])?;
        wait::until("held sockets", wait::LIMIT, || {
            this.programs[0].check_running()?;
            let said = this.programs[0].log_tail();
            Ok((said.contains("held-v4=1") && said.contains("held-v6=1")).then_some(()))
        })?;
        Ok(this)
    }

    /// A burst to each of the sockets; then the program goes on.
    pub fn send(&self, segments: u64) -> Result<Held> {
        let before = self.counters()?;
        self.order([v4(OUTSIDE, 1), v6(OUTSIDE, 1)])?;
        wait::until("both bursts", wait::LIMIT, || {
            let now = self.counters()?;
            Ok((now[0] - before[0] >= 2 * segments).then_some(()))
        })?;
        let after = self.counters()?;
        self.order([v4(1, 1), v6(1, 1)])?;
        wait::until_quiet("the last segments", || self.counters())?;
        Ok(Held {
            sent: 2 * segments,
            arrived: after[0] - before[0],
            dropped: after[1] - before[1],
        })
    }

    /// A datagram to each of them: an order.
    fn order(&self, to: [String; 2]) -> Result<()> {
        for to in to {
            let order = format!("udp-send {to} {PORT} 1");
            self.node.traffic(&self.tools).run(&order)?;
        }
        Ok(())
    }

    fn counters(&self) -> Result<[u64; 2]> {
        let server = self.server.namespace();
        Ok([
            server.protocol_counter("Tcp", "InSegs")?,
            server.protocol_counter("TcpExt", "TCPBacklogDrop")?,
        ])
    }
}
