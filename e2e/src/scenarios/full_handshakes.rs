//! Clients that ask for connections and never answer fill the queue of a listener's handshakes.

use anyhow::Result;

use super::router::{GATEWAY, Router, v4, v6};
use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;
use crate::process::Process;
use crate::wait;

const PORT: u16 = 5001;
/// Bound of both queues, by somaxconn.
const BACKLOG: u64 = 16;
/// SYNs of one flood to each address: many more than the queue has room for.
const FLOOD: u64 = 100;
/// The network beyond the TUN device.
const OUTSIDE: u8 = 9;
/// Connections of an honest client to each address, each tried at once and after 1 s. A full queue keeps a handshake for
/// 7 s at least (`reqsk_timer_handler`).
const HONEST: u64 = 6;
const PATIENCE: &str = "--wait-ms 1500";

/// The place of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// In the pod `server`.
    InPod,
    /// On the node, on its addresses towards the pod `server`.
    OnNode,
}

/// A listener that accepts at once, an honest client, and hosts beyond `flood0` that never answer.
pub struct FullHandshakes<'a> {
    node: &'a Node,
    listens: Listens,
    // Programs end before their pods.
    _programs: Vec<Process>,
    server: Pod,
    client: Pod,
    tools: Container,
}

/// The connections of the honest client, and what the listener's namespace counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Handshakes {
    /// Connections that the honest client tried.
    pub tried: u64,
    /// Those that it got.
    pub connected: u64,
    /// Increase of TcpExt.ListenDrops.
    pub refused: u64,
    /// Increase of TcpExt.TCPReqQFullDrop.
    pub full: u64,
    /// Increase of TcpExt.TCPReqQFullDoCookies.
    pub by_cookies: u64,
    /// Increase of TcpExt.ListenOverflows.
    pub overflows: u64,
}

impl<'a> FullHandshakes<'a> {
    /// Starts the listener, where `syncookies` is the namespace's net.ipv4.tcp_syncookies.
    pub fn new(node: &'a Node, listens: Listens, syncookies: &str) -> Result<Self> {
        let router = Router::new(node)?;
        let (server, client) = (router.pod("server", 1)?, router.pod("client", 0)?);
        let tools = node.start_host_pod("tools", "tools")?;
        let inside = match listens {
            Listens::InPod => server.namespace(),
            Listens::OnNode => node.namespace(),
        };
        inside.sysctl("net.core.somaxconn", &BACKLOG.to_string())?;
        inside.sysctl("net.ipv4.tcp_syncookies", syncookies)?;
        let addresses = listens.addresses().join(",");
        let serve = format!("tcp-answer {addresses} {PORT} --seconds 300");
        let flood = format!("flood flood0 {addresses} {PORT} --count {FLOOD} --seconds 300");
        let host = node.traffic(&tools);
        let programs = vec![
            match listens {
                Listens::InPod => server.traffic(node.host()).start(&serve)?,
                Listens::OnNode => host.start(&serve)?,
            },
            host.start(&flood)?,
        ];
        let outside = node.namespace();
        outside.ip("link set flood0 up")?;
        outside.ip(&format!("route add {}/24 dev flood0", v4(OUTSIDE, 0)))?;
        outside.ip(&format!("-6 route add {}/64 dev flood0", v6(OUTSIDE, 0)))?;
        Ok(Self {
            node,
            listens,
            _programs: programs,
            server,
            client,
            tools,
        })
    }

    /// Floods the listener over IPv4 and over IPv6; after each an honest client comes over the same version.
    pub fn flood(&self) -> Result<Handshakes> {
        let before = self.counters()?;
        let mut connected = 0;
        let outside = [v4(OUTSIDE, 1), v6(OUTSIDE, 1)];
        for (to, address) in outside.iter().zip(self.listens.addresses()) {
            let order = format!("udp-send {to} 9 1");
            let begun = self.counters()?;
            self.node.traffic(&self.tools).run(&order)?;
            self.wait_for_flood(begun)?;
            connected += self.connect(&address)?;
        }
        let after = self.counters()?;
        let [refused, full, by_cookies, overflows] =
            std::array::from_fn(|at| after[at] - before[at]);
        Ok(Handshakes {
            tried: 2 * HONEST,
            connected,
            refused,
            full,
            by_cookies,
            overflows,
        })
    }

    fn connect(&self, address: &str) -> Result<u64> {
        let connect = format!("tcp-connect {address} {PORT} {HONEST} {PATIENCE}");
        let facts = self.client.traffic(self.node.host()).run(&connect)?;
        facts.get("connected")
    }

    /// The value of a setting where the listener is.
    pub fn setting(&self, name: &str) -> Result<String> {
        let value = self.inside().run("sysctl", &["-n", name])?;
        Ok(value.trim().to_owned())
    }

    /// Waits until the listener has seen the flood, of which it keeps as many as its queue has room for.
    fn wait_for_flood(&self, before: [u64; 4]) -> Result<()> {
        wait::until("a flood", wait::LIMIT, || {
            let now = self.counters()?;
            let seen = now[1] + now[2] - before[1] - before[2];
            Ok((seen >= FLOOD - BACKLOG - 1).then_some(()))
        })
    }

    fn inside(&self) -> &Namespace {
        match self.listens {
            Listens::InPod => self.server.namespace(),
            Listens::OnNode => self.node.namespace(),
        }
    }

    fn counters(&self) -> Result<[u64; 4]> {
        let of = |counter| self.inside().protocol_counter("TcpExt", counter);
        Ok([
            of("ListenDrops")?,
            of("TCPReqQFullDrop")?,
            of("TCPReqQFullDoCookies")?,
            of("ListenOverflows")?,
        ])
    }
}

impl Listens {
    fn addresses(self) -> [String; 2] {
        match self {
            Self::InPod => [v4(1, 1), v6(1, 1)],
            Self::OnNode => [v4(1, GATEWAY), v6(1, GATEWAY)],
        }
    }
}
