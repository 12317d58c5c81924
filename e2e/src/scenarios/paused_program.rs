//! A program that accepts at once gets no processor time for a while: connections that come in a burst meanwhile do not
//! fit.

use anyhow::Result;

use super::router::{Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::process::Process;
use crate::wait;

const PORT: u16 = 5001;
/// The backlog of the listeners, by somaxconn, and the connections to each: one more than the double of that holds.
const BACKLOG: u64 = 3;
const CONNECTIONS: u64 = 2 * BACKLOG + 1;

/// Pod `server` with a program that accepts connections over IPv4 and IPv6.
pub struct PausedProgram<'a> {
    node: &'a Node,
    // The program ends before its pod.
    program: Process,
    server: Pod,
    client: Container,
}

impl<'a> PausedProgram<'a> {
    /// Starts the program.
    pub fn new(node: &'a Node) -> Result<Self> {
        let server = Router::new(node)?.pod("server", 1)?;
        server
            .namespace()
            .sysctl("net.core.somaxconn", &BACKLOG.to_string())?;
        let client = node.start_host_pod("client", "requests")?;
        let program = start(node, &server)?;
        Ok(Self {
            node,
            program,
            server,
            client,
        })
    }

    /// Starts the program again: it calls listen() anew.
    pub fn restart(&mut self) -> Result<()> {
        self.program.kill()?;
        self.program = start(self.node, &self.server)?;
        Ok(())
    }

    /// Connections all at once while the program gets no processor time; then it accepts. The increase of
    /// TcpExt.ListenOverflows.
    pub fn connect(&self) -> Result<u64> {
        let before = self.overflows()?;
        self.program.pause();
        for address in addresses() {
            let connect = format!("tcp-connect {address} {PORT} {CONNECTIONS}");
            self.node.traffic(&self.client).run(&connect)?;
        }
        self.program.resume();
        let after = wait::until_quiet("the last connections", || self.overflows())?;
        Ok(after - before)
    }

    /// The value of a setting in the pod.
    pub fn setting(&self, name: &str) -> Result<String> {
        let value = self.server.namespace().run("sysctl", &["-n", name])?;
        Ok(value.trim().to_owned())
    }

    fn overflows(&self) -> Result<u64> {
        let server = self.server.namespace();
        server.protocol_counter("TcpExt", "ListenOverflows")
    }
}

fn addresses() -> [String; 2] {
    [v4(1, 1), v6(1, 1)]
}

fn start(node: &Node, server: &Pod) -> Result<Process> {
    let serve = format!("tcp-serve {} {PORT} --seconds 300", addresses().join(","));
    server.traffic(node.host()).start(&serve)
}
