//! A pod's program hangs: datagrams fill its socket, connections the queue of its listener.

use anyhow::Result;

use crate::lab::{Container, Node, Pod};
use crate::process::Process;

const SERVER: &str = "10.82.0.2";
/// Many more than a socket's receive buffer holds, of 208 KiB by default.
const DATAGRAMS: u64 = 600;
const SIZE: u64 = 1000;
/// Many more than the listener's backlog.
const CONNECTIONS: u64 = 20;

/// Pod `server`, whose program opens its sockets and hangs, on `veth-server` of the node.
pub struct HungProgram<'a> {
    node: &'a Node,
    _program: Process,
    server: Pod,
    client: Container,
}

/// The counts of the pod's namespace.
#[derive(Debug)]
pub struct Overflowed {
    /// Increase of Udp.RcvbufErrors.
    pub datagrams: u64,
    /// Increase of TcpExt.ListenOverflows.
    pub connections: u64,
}

impl<'a> HungProgram<'a> {
    /// Starts the pod.
    pub fn new(node: &'a Node) -> Result<Self> {
        let server = node.start_pod("server", &format!("{SERVER}/24"), "veth-server")?;
        server.namespace().sysctl("net.core.somaxconn", "3")?;
        node.namespace()
            .ip("address add 10.82.0.1/24 dev veth-server")?;
        let client = node.start_host_pod("client", "requests")?;
        let hang = format!("hang {SERVER} 5000 --seconds 300");
        let program = server.traffic(node.host()).start(&hang)?;
        Ok(Self {
            node,
            _program: program,
            server,
            client,
        })
    }

    /// A program on the node sends datagrams and opens connections.
    pub fn send(&self) -> Result<Overflowed> {
        let before = self.counters()?;
        let client = self.node.traffic(&self.client);
        client.run(&format!(
            "udp-send {SERVER} 5000 {DATAGRAMS} --size {SIZE} --gap-ms 0"
        ))?;
        client.run(&format!("tcp-connect {SERVER} 5000 {CONNECTIONS}"))?;
        let after = self.counters()?;
        Ok(Overflowed {
            datagrams: after.0 - before.0,
            connections: after.1 - before.1,
        })
    }

    fn counters(&self) -> Result<(u64, u64)> {
        let server = self.server.namespace();
        Ok((
            server.protocol_counter("Udp", "RcvbufErrors")?,
            server.protocol_counter("TcpExt", "ListenOverflows")?,
        ))
    }
}
