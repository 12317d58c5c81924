//! A virtual machine that now and then gets no processor time: what comes in for it waits in the queue of its device,
//! which may be too short for that.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Family;
use crate::lab::{Container, Facts, Node, Pod, Traffic};
use crate::netns::Namespace;
use crate::process::{self, Process};
use crate::wait;

/// Longer than what any queue here holds, and shorter than a timeout of TCP.
const STALL_MS: u64 = 60;
const PORT: u16 = 5001;
/// Seconds after which the client looks whether it has asked enough.
const ROUND_SECONDS: u64 = 3;
/// Rounds after which it gives up.
const MOST_ROUNDS: u32 = 30;

/// The way in which the machine is plugged into the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plug {
    /// `macvtap0` above `veth-client`.
    Macvtap,
    /// `tap0`, a port of `br0` beside `veth-client`.
    BridgedTap,
}

impl Pace {
    fn arguments(self) -> &'static str {
        match self {
            Self::Full => "--connections 16",
            Self::Slow => "--connections 8 --gap-ms 125",
        }
    }
}

impl Plug {
    /// The device that the machine reads.
    pub fn device(self) -> &'static str {
        match self {
            Self::Macvtap => "macvtap0",
            Self::BridgedTap => "tap0",
        }
    }

    /// The counter that the device raises for a packet that found its queue full.
    pub fn counter(self) -> &'static str {
        match self {
            Self::Macvtap => "rx_dropped",
            Self::BridgedTap => "tx_dropped",
        }
    }
}

/// The client's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Many connections, each asks again as soon as it is answered.
    Full,
    /// At most 64 requests a second on any machine: at a loss of 4 % the drops stay below 10 a second, from which on
    /// netdiag calls the loss of a queueing discipline a warning. A connection asks again before the other end's
    /// acknowledgement is overdue (TCP_RTO_MIN, 200 ms).
    Slow,
}

/// Pod `client`, and the machine of pod `vm` with a server in it.
pub struct TapQueue<'a> {
    node: &'a Node,
    plug: Plug,
    family: Family,
    // The machine ends before what it is plugged into.
    machine: Option<Process>,
    _server: Option<Process>,
    client: Pod,
    guest: Namespace,
    _vm: Container,
}

/// The kernel's counts while the client asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    /// Requests that were answered.
    pub answers: u64,
    /// Of those, after 50 ms or more.
    pub delayed: u64,
    /// Of those, after 200 ms or more.
    pub slow: u64,
    /// Packets that came for the machine.
    pub arrived: u64,
    /// Increase of the counter of the machine's device.
    pub dropped: u64,
    /// Increase of Tcp.RetransSegs of the client and the machine.
    pub retransmitted: u64,
    /// Increase of TcpExt.TCPTimeouts of both.
    pub timeouts: u64,
}

impl<'a> TapQueue<'a> {
    /// Starts the pod and the machine, whose device holds `queue` packets.
    pub fn new(node: &'a Node, plug: Plug, family: Family, queue: u32) -> Result<Self> {
        Self::start(node, plug, family, queue, STALL_MS)
    }

    /// The same with a machine that always has processor time.
    pub fn without_stalls(node: &'a Node, plug: Plug, queue: u32) -> Result<Self> {
        Self::start(node, plug, Family::V4, queue, 0)
    }

    fn start(
        node: &'a Node,
        plug: Plug,
        family: Family,
        queue: u32,
        stall_ms: u64,
    ) -> Result<Self> {
        let client = node.start_pod("client", "10.83.0.1/24", "veth-client")?;
        let vm = node.start_host_pod("vm", "machine")?;
        let guest = Namespace::without_ipv6("guest")?;
        let device = plug.device();
        let inside = node.namespace();
        let file = match plug {
            Plug::Macvtap => {
                inside.ip("link add link veth-client name macvtap0 type macvtap mode bridge")?;
                format!("--macvtap {}", macvtap_file(node)?.display())
            }
            Plug::BridgedTap => {
                inside.add_bridge("br0", "", &["veth-client"])?;
                String::new()
            }
        };
        let machine = node.traffic(&vm).start(&format!(
            "guest {device} {file} --guest {} --stall-ms {stall_ms} --seconds 300",
            guest.path().display()
        ))?;
        if plug == Plug::BridgedTap {
            inside.ip("link set tap0 master br0")?;
        } else {
            // Frames for the machine are those for the address of its macvtap.
            let address = inside.run("cat", &["/sys/class/net/macvtap0/address"])?;
            guest.ip(&format!("link set eth0 address {}", address.trim()))?;
        }
        inside.ip(&format!("link set {device} txqueuelen {queue} up"))?;
        guest.ip("link set eth0 txqueuelen 1000 up")?;
        guest.ip("address add 10.83.0.2/24 dev eth0")?;
        if family == Family::V6 {
            client.add_ipv6("2001:db8:83::1/64")?;
            guest.sysctl("net.ipv6.conf.eth0.disable_ipv6", "0")?;
            guest.ip("address add 2001:db8:83::2/64 dev eth0 nodad")?;
        }
        let answer = format!("tcp-answer {} {PORT} --seconds 300", server(family));
        let server = Traffic::of(node.host(), &vm, &guest).start(&answer)?;
        let scenario = Self {
            node,
            plug,
            family,
            machine: Some(machine),
            _server: Some(server),
            client,
            guest,
            _vm: vm,
        };
        // Addresses of neighbours are asked for now, so that what follows is all TCP.
        scenario.client_asks("--connections 1", 1)?;
        Ok(scenario)
    }

    /// The process that plays the machine.
    pub fn machine(&self) -> Option<u32> {
        self.machine.as_ref().map(Process::id)
    }

    /// Ends the machine; its device stays where it is a macvtap.
    pub fn stop_machine(&mut self) {
        self.machine = None;
    }

    /// The machine gets no processor time any more.
    pub fn pause_machine(&self) {
        self.machine.iter().for_each(Process::pause);
    }

    /// It gets some again.
    pub fn resume_machine(&self) {
        self.machine.iter().for_each(Process::resume);
    }

    /// The client's device loses what its queueing discipline refuses.
    pub fn limit_client(&self, discipline: &str) -> Result<()> {
        let arguments = format!("qdisc add dev eth0 root {discipline}");
        let words: Vec<&str> = arguments.split(' ').collect();
        self.client.namespace().run("tc", &words).map(drop)
    }

    /// The client asks at full pace for that long.
    pub fn ask(&self, seconds: u64) -> Result<Requests> {
        let begin = self.counters()?;
        self.ask_once(Pace::Full, seconds, begin, Requests::default())
    }

    /// The client asks at full pace until that is enough.
    pub fn ask_until(&self, is_enough: impl Fn(&Requests) -> bool) -> Result<Requests> {
        let begin = self.counters()?;
        let mut made = Requests::default();
        for _ in 0..MOST_ROUNDS {
            made = self.ask_once(Pace::Full, ROUND_SECONDS, begin, made)?;
            if is_enough(&made) {
                return Ok(made);
            }
        }
        bail!("that was not enough: {made:?}")
    }

    /// The client asks until that many segments were sent again which a probe could see: netdiag attaches it some time
    /// after the first retransmission.
    pub fn ask_until_seen(
        &self,
        pace: Pace,
        enough: u64,
        is_seen: impl Fn() -> bool,
    ) -> Result<Requests> {
        let begin = self.counters()?;
        let mut made = Requests::default();
        let mut unseen = None;
        for _ in 0..MOST_ROUNDS {
            made = self.ask_once(pace, ROUND_SECONDS, begin, made)?;
            if unseen.is_none() && is_seen() {
                unseen = Some(made.retransmitted);
            }
            if unseen.is_some_and(|unseen| made.retransmitted >= unseen + enough) {
                return Ok(made);
            }
        }
        bail!("no probe saw enough: {made:?}")
    }

    /// Asks after those requests that were made since the counters had the values of `begin`.
    fn ask_once(
        &self,
        pace: Pace,
        seconds: u64,
        begin: [u64; 4],
        made: Requests,
    ) -> Result<Requests> {
        let facts = self.client_asks(pace.arguments(), seconds)?;
        // Retransmissions whose connections are closing come after the client's end.
        let now = wait::until_quiet("the last packets", || self.counters())?;
        let rose = |index: usize| now[index] - begin[index];
        Ok(Requests {
            answers: made.answers + facts.get("answers")?,
            delayed: made.delayed + facts.get("delayed")?,
            slow: made.slow + facts.get("slow")?,
            arrived: rose(0),
            dropped: rose(1),
            retransmitted: rose(2),
            timeouts: rose(3),
        })
    }

    fn client_asks(&self, pace: &str, seconds: u64) -> Result<Facts> {
        self.client.traffic(self.node.host()).run(&format!(
            "tcp-ask {} {PORT} {pace} --seconds {seconds}",
            server(self.family)
        ))
    }

    fn counters(&self) -> Result<[u64; 4]> {
        let (client, guest) = (self.client.namespace(), &self.guest);
        let of_both = |protocol, counter| -> Result<u64> {
            let of_client = client.protocol_counter(protocol, counter)?;
            Ok(of_client + guest.protocol_counter(protocol, counter)?)
        };
        let node = self.node.namespace();
        let arrived = match self.plug {
            Plug::Macvtap => "rx_packets",
            Plug::BridgedTap => "tx_packets",
        };
        Ok([
            node.counter(self.plug.device(), arrived)?,
            node.counter(self.plug.device(), self.plug.counter())?,
            of_both("Tcp", "RetransSegs")?,
            of_both("TcpExt", "TCPTimeouts")?,
        ])
    }
}

fn server(family: Family) -> &'static str {
    match family {
        Family::V4 => "10.83.0.2",
        Family::V6 => "2001:db8:83::2",
    }
}

/// A file for `macvtap0`, named as the kernel would name it: its own /dev may lie in another namespace.
fn macvtap_file(node: &Node) -> Result<PathBuf> {
    let inside = node.namespace();
    let index = inside.run("cat", &["/sys/class/net/macvtap0/ifindex"])?;
    let name = format!("tap{}", index.trim());
    let device = inside.run("cat", &[&format!("/sys/class/net/macvtap0/{name}/dev")])?;
    let (major, minor) = device
        .trim()
        .split_once(':')
        .with_context(|| format!("{name} has the device number {device:?}"))?;
    let file = node.host().path().join(&name);
    ensure!(!file.exists(), "{} is there already", file.display());
    process::run(Command::new("mknod").arg(&file).args(["c", major, minor]))?;
    Ok(file)
}
