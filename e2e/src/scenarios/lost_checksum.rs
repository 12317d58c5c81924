//! A program between two pods reads frames from packet sockets and writes them out again: the note that a checksum is
//! unfinished gets lost, and the receiver drops what arrives.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::lab::{Container, Node, Pod};
use crate::netns::Namespace;
use crate::process::Process;
use crate::wait;

const CLIENT: &str = "10.77.0.1";
const SERVER: &str = "10.77.0.2";
const ROUTED_SERVER: &str = "10.77.1.2";

/// Longer than the pause before a retransmission, which begins at 200 ms.
const QUIET: Duration = Duration::from_millis(700);

/// What goes wrong between the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Half-made checksums arrive at the server.
    HalfMade,
    /// The same, with connection tracking and a rule against invalid packets in front of the server.
    HalfMadeBeforeFilter,
    /// The senders finish their checksums; the program breaks bytes.
    BrokenBytes,
}

/// Pod `client` and pod `server`, and pod `mesh` on the node's network with the program between them.
pub struct LostChecksum<'a> {
    node: &'a Node,
    fault: Fault,
    // Programs end before their pods.
    programs: Vec<Process>,
    client: Pod,
    server: Pod,
    mesh: Container,
}

/// What the kernel counted while the client tried.
#[derive(Debug)]
pub struct WrongChecksums {
    /// Increase of the server's Tcp.InCsumErrors.
    pub tcp: u64,
    /// Increase of the server's Udp.InCsumErrors.
    pub udp: u64,
    /// Packets that the rule against invalid ones dropped.
    pub filtered: u64,
    /// Connections that came about.
    pub connected: u64,
}

impl<'a> LostChecksum<'a> {
    /// Starts the pods and the program between them.
    pub fn new(node: &'a Node, fault: Fault) -> Result<Self> {
        let client = node.start_pod("client", &format!("{CLIENT}/24"), "veth-client")?;
        let address = if fault == Fault::HalfMadeBeforeFilter {
            ROUTED_SERVER
        } else {
            SERVER
        };
        let server = node.start_pod("server", &format!("{address}/24"), "veth-server")?;
        let mesh = node.start_host_pod("mesh", "forwarder")?;
        let mut scenario = Self {
            node,
            fault,
            programs: Vec::new(),
            client,
            server,
            mesh,
        };
        let (other_end, options) = match fault {
            Fault::HalfMade => ("veth-server", ""),
            Fault::HalfMadeBeforeFilter => (scenario.route_and_filter()?, ""),
            Fault::BrokenBytes => (scenario.finish_checksums()?, " --break-every 10"),
        };
        let forward = format!("forward veth-client {other_end} --seconds 300{options}");
        let forwarder = scenario.node.traffic(&scenario.mesh).start(&forward)?;
        scenario.programs.push(forwarder);
        for serve in [
            format!("tcp-serve {address} 5001 --seconds 300"),
            format!("udp-receive {address} 7001 --with recv --seconds 300"),
            format!("udp-receive {address} 7002 --with poll --seconds 300"),
        ] {
            let program = scenario.server.traffic(node.host()).start(&serve)?;
            scenario.programs.push(program);
        }
        Ok(scenario)
    }

    /// The process id of the program in between.
    pub fn forwarder(&self) -> u32 {
        self.programs[0].id()
    }

    /// Datagrams that are read at once and after a poll, and connections for `seconds`.
    ///
    /// The datagrams carry more than 76 bytes: shorter ones are verified on arrival, in another function.
    pub fn talk(&self, datagrams: u64, seconds: u64) -> Result<WrongChecksums> {
        let address = if self.fault == Fault::HalfMadeBeforeFilter {
            ROUTED_SERVER
        } else {
            SERVER
        };
        let before = self.wrong()?;
        let client = self.client.traffic(self.node.host());
        for port in [7001, 7002] {
            client.run(&format!("udp-send {address} {port} {datagrams} --size 400"))?;
        }
        let tcp = client.run(&format!(
            "tcp-load {address} 5001 --seconds {seconds} --bytes 200000"
        ))?;
        let after = self.wrong_when_quiet()?;
        Ok(WrongChecksums {
            tcp: after.0 - before.0,
            udp: after.1 - before.1,
            filtered: self.filtered()?,
            connected: tcp.get("connected")?,
        })
    }

    /// A closed connection still sends what it had left, so its last packets come after the client's end.
    fn wrong_when_quiet(&self) -> Result<(u64, u64)> {
        let mut last = self.wrong()?;
        wait::until("the last packets", Duration::from_secs(10), || {
            thread::sleep(QUIET);
            let now = self.wrong()?;
            let before = std::mem::replace(&mut last, now);
            Ok((before == now).then_some(now))
        })
    }

    fn wrong(&self) -> Result<(u64, u64)> {
        let server = self.server.namespace();
        let counter = |protocol| server.protocol_counter(protocol, "InCsumErrors");
        Ok((counter("Tcp")?, counter("Udp")?))
    }

    fn filtered(&self) -> Result<u64> {
        if self.fault != Fault::HalfMadeBeforeFilter {
            return Ok(0);
        }
        let rules = self
            .node
            .namespace()
            .run("nft", &["list", "chain", "ip", "filter", "forward"])?;
        let count = rules
            .split("counter packets ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        count
            .context("the rule has no counter")?
            .parse()
            .context("the counter is no number")
    }

    /// The program hands on to a veth of the node's, which routes to the server, past a rule as kube-proxy has it.
    fn route_and_filter(&self) -> Result<&'static str> {
        let node: &Namespace = self.node.namespace();
        node.ip("link add mesh0 type veth peer name mesh1")?;
        for device in ["mesh0", "mesh1"] {
            node.ip(&format!("link set {device} up"))?;
        }
        node.ip("address add 10.77.0.254/24 dev mesh1")?;
        node.ip("address add 10.77.1.254/24 dev veth-server")?;
        node.sysctl("net.ipv4.ip_forward", "1")?;
        // Else the node answers for its gateway address on veth-client too, and the client goes round the program.
        node.sysctl("net.ipv4.conf.all.arp_ignore", "1")?;
        self.client
            .namespace()
            .ip("route add default via 10.77.0.254")?;
        self.server
            .namespace()
            .ip("route add default via 10.77.1.254")?;
        let rules = "add table ip filter; \
            add chain ip filter forward { type filter hook forward priority 0; }; \
            add rule ip filter forward ct state invalid counter drop";
        node.run("nft", &[rules])?;
        Ok("mesh0")
    }

    fn finish_checksums(&self) -> Result<&'static str> {
        for pod in [&self.client, &self.server] {
            pod.namespace()
                .run("ethtool", &["-K", "eth0", "tx", "off"])?;
        }
        Ok("veth-server")
    }
}
