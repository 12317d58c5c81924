//! A program that listens on loopback only, beside one that listens on the pod's addresses and ports without a program.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::process::Process;

/// The ports of the program on loopback, of the one on the pod's addresses, and one that nobody has.
const HIDDEN: u16 = 5001;
const OPEN: u16 = 5002;
const CLOSED: u16 = 5003;
/// Connections over each IP version.
const CONNECTIONS: u64 = 20;

/// Pod `server` with both programs.
pub struct OtherAddress<'a> {
    node: &'a Node,
    // The programs end before their pod.
    _programs: [Process; 2],
    server: Pod,
    client: Container,
}

/// The connections that were tried, and their ends.
#[derive(Debug)]
pub struct Tried {
    /// To each of the three ports.
    pub asked: u64,
    /// Those to the program on loopback that came about; to the open port; to the closed one.
    pub connected: [u64; 3],
    /// Increase of Tcp.OutRsts of the pod.
    pub resets: u64,
}

impl<'a> OtherAddress<'a> {
    /// Starts the programs.
    pub fn new(node: &'a Node) -> Result<Self> {
        let server = Router::new(node)?.pod("server", 1)?;
        let serve = |addresses: &str, port: u16| {
            let serve = format!("tcp-serve {addresses} {port} --seconds 300");
            server.traffic(node.host()).start(&serve)
        };
        let programs = [
            serve("127.0.0.1,::1", HIDDEN)?,
            serve(&format!("{},{}", v4(1, 1), v6(1, 1)), OPEN)?,
        ];
        Ok(Self {
            node,
            _programs: programs,
            server,
            client: node.start_host_pod("client", "requests")?,
        })
    }

    /// Connects from the node to each port, over IPv4 and IPv6.
    pub fn connect(&self) -> Result<Tried> {
        let before = self.resets()?;
        let mut connected = [0; 3];
        for (port, connected) in [HIDDEN, OPEN, CLOSED].into_iter().zip(&mut connected) {
            for address in [v4(1, 1), v6(1, 1)] {
                let connect = format!("tcp-connect {address} {port} {CONNECTIONS}");
                let facts = self.node.traffic(&self.client).run(&connect)?;
                *connected += facts.get("connected")?;
            }
        }
        Ok(Tried {
            asked: 2 * CONNECTIONS,
            connected,
            resets: self.resets()? - before,
        })
    }

    fn resets(&self) -> Result<u64> {
        self.server.namespace().protocol_counter("Tcp", "OutRsts")
    }
}
