//! A program between two pods reads frames and writes them out again: the note that a checksum is unfinished gets lost,
//! and the receiver drops what arrives. And programs that lose nothing, or break bytes.

mod way;

use std::thread;

use anyhow::{Result, anyhow};

use crate::lab::{Container, Facts, Node, Pod};
use crate::process::Process;
use crate::wait;
use way::{Counters, Way};

/// The fault between the pods. All over IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The program passes frames on by packet sockets: half-made checksums arrive at the server.
    HalfMade,
    /// The same by TUN devices that packets are routed through.
    HalfMadeByTuns,
    /// The program passes frames on by TAP devices, and those in order that fit the wire. Frames that the sender leaves
    /// to the device to cut into segments arrive whole, their checksum half-made.
    SuperFrames,
    /// The same by packet sockets.
    SuperFramesBySockets,
    /// Connection tracking is in front of the server: a rule drops what it calls invalid, and what should get another
    /// destination address does not.
    HalfMadeBeforeFilter,
    /// Connection tracking is told to ignore checksums, so addresses are translated after the loss; by it, and by a
    /// rule without it.
    HalfMadeBeforeTranslation,
    /// The senders finish their checksums; the program breaks bytes.
    BrokenBytes,
    /// The program passes the note on, and the client's own device flips bits, of frames that it has finished before
    /// (`netem_enqueue`). For kernels with netem.
    FlippedBits,
    /// None: the program passes the note on.
    NoteKept,
}

/// Pod `client` and pod `server`, and pod `mesh` on the node's network with the program between them.
pub struct LostChecksum<'a> {
    node: &'a Node,
    fault: Fault,
    // Programs end before their pods.
    programs: Vec<Process>,
    client: Pod,
    server: Pod,
    _mesh: Container,
}

/// The kernel's counts while the client tried.
#[derive(Debug)]
pub struct WrongChecksums {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Increase of the server's Tcp.InCsumErrors.
    pub tcp: u64,
    /// Increase of the server's Udp.InCsumErrors.
    pub udp: u64,
    /// Increase of the server's Udp6InCsumErrors.
    pub udp6: u64,
    /// Increase of the server's Udp.InDatagrams and Udp6InDatagrams: what its programs read.
    pub read: u64,
    /// Packets that the rule against invalid ones dropped.
    pub filtered: u64,
    /// Packets for which the node had no route (IpExt.InNoRoutes, Ip6InNoRoutes).
    pub unrouted: u64,
    /// Connections that came about.
    pub connected: u64,
    /// Bytes that they took.
    pub sent: u64,
}

impl<'a> LostChecksum<'a> {
    /// Starts the pods and the program between them.
    pub fn new(node: &'a Node, fault: Fault) -> Result<Self> {
        let way = Way::of(fault);
        let client = node.start_pod("client", way::CLIENT.0, "veth-client")?;
        client.add_ipv6(way::CLIENT.1)?;
        let server = node.start_pod("server", &format!("{}/24", way.server.0), "veth-server")?;
        server.add_ipv6(&format!("{}/64", way.server.1))?;
        way.prepare(node, &client, &server)?;
        let mesh = node.start_host_pod("mesh", "forwarder")?;
        let forward = format!("forward {} --seconds 300", way.program);
        let forwarder = node.traffic(&mesh).start(&forward)?;
        way.connect(node, &client, &server)?;
        let mut programs = vec![forwarder];
        let addresses = format!("{},{}", way.server.0, way.server.1);
        for serve in [
            format!("tcp-serve {addresses} 5001 --seconds 300"),
            format!("udp-receive {addresses} 7001 --with recv --seconds 300"),
            format!("udp-receive {addresses} 7002 --with poll --seconds 300"),
        ] {
            programs.push(server.traffic(node.host()).start(&serve)?);
        }
        Ok(Self {
            node,
            fault,
            programs,
            client,
            server,
            _mesh: mesh,
        })
    }

    /// The process id of the program in between.
    pub fn forwarder(&self) -> u32 {
        self.programs[0].id()
    }

    /// Datagrams that are read at once and after a poll, long and short ones, that many of each; and connections. To
    /// each address by which the client knows the server.
    ///
    /// Datagrams of up to 76 bytes are verified on arrival, longer ones when a program asks for them
    /// (CHECKSUM_BREAK in `__skb_checksum_validate_complete`).
    pub fn talk(&self, datagrams: u64) -> Result<WrongChecksums> {
        let targets = Way::of(self.fault).targets;
        let before = self.counters()?;
        let (connected, sent, datagrams) = thread::scope(|scope| {
            let loads: Vec<_> = targets
                .iter()
                .map(|address| scope.spawn(move || self.connect(address)))
                .collect();
            let mut datagrams_sent = 0;
            for address in targets {
                let send = format!("udp-send {address} 7001,7002 {datagrams} --size 400,40");
                let send = send + " --gap-ms 5";
                datagrams_sent += self.traffic(&send)?.get("sent")?;
            }
            let (mut connected, mut sent) = (0, 0);
            for load in loads {
                let facts = load.join().map_err(|_| anyhow!("a load ended early"))??;
                connected += facts.get("connected")?;
                sent += facts.get("sent")?;
            }
            anyhow::Ok((connected, sent, datagrams_sent))
        })?;
        let after = wait::until_quiet("the last packets", || self.counters())?;
        Ok(WrongChecksums {
            datagrams,
            tcp: after.tcp - before.tcp,
            udp: after.udp - before.udp,
            udp6: after.udp6 - before.udp6,
            read: after.read - before.read,
            filtered: after.filtered - before.filtered,
            unrouted: after.unrouted - before.unrouted,
            connected,
            sent,
        })
    }

    fn connect(&self, address: &str) -> Result<Facts> {
        let load = match self.fault {
            // Where connections come about, broken bytes show in many that begin and end.
            Fault::BrokenBytes | Fault::FlippedBits | Fault::NoteKept => {
                "--seconds 100 --total 200000 --bytes 40000"
            }
            // Bulk shows in one, which crawls; in others nobody answers the three SYNs of this time.
            _ => "--seconds 4",
        };
        self.traffic(&format!("tcp-load {address} 5001 {load}"))
    }

    fn traffic(&self, arguments: &str) -> Result<Facts> {
        self.client.traffic(self.node.host()).run(arguments)
    }

    fn counters(&self) -> Result<Counters> {
        Counters::read(self.node, &self.server, self.fault)
    }
}
