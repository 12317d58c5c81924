//! Two NICs of the node in one broadcast domain, and a group that the node receives on one of them: every fragment of
//! its datagrams comes in twice.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::lab::{Container, Node, Segment, Switch, Wire};
use crate::process::Process;

const PORT: u16 = 7067;
/// Payload of a datagram; at an MTU of 1500 bytes it takes 6 fragments.
const SIZE: u32 = 8_000;
/// Seconds after which the node gives up a datagram: the kernel's 30 would make every window long.
const REASSEMBLY_SECONDS: u64 = 2;
/// What the last timer may lag, and what the last frame needs to get through an emulated NIC.
const LAG: Duration = Duration::from_millis(1_200);

/// An IP version with the addresses that a scenario uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The node's two NICs, and a host that sends to the group.
pub struct SharedDomain<'a> {
    node: &'a Node,
    family: Family,
    nics: [&'static str; 2],
    // Programs end before what they use.
    programs: Vec<Process>,
    reader: Container,
    lan: Lan<'a>,
}

/// What joins the NICs and the host.
enum Lan<'a> {
    Switch { host: Wire, _switch: Switch },
    Segment(Segment<'a>),
}

impl Lan<'_> {
    fn host(&self) -> &Wire {
        match self {
            Self::Switch { host, .. } => host,
            Self::Segment(segment) => &segment.wire,
        }
    }
}

/// What became of the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Datagrams that the node's programs have read.
    pub datagrams: u64,
    /// Increase of ReasmOKs: datagrams put together.
    pub reassembled: u64,
    /// Increase of ReasmFails: datagrams given up.
    pub failed: u64,
}

impl Family {
    /// The group that the host sends to.
    pub fn group(self) -> IpAddr {
        match self {
            Self::V4 => [239, 77, 0, 15].into(),
            Self::V6 => [0xff15, 0, 0, 0, 0, 0, 0, 0x15].into(),
        }
    }

    /// The host's address.
    pub fn source(self) -> IpAddr {
        match self {
            Self::V4 => [10, 84, 0, 73].into(),
            Self::V6 => [0xfd84, 0, 0, 0, 0, 0, 0, 0x73].into(),
        }
    }

    /// The addresses of the node's NICs, in one network each.
    fn addresses(self) -> [IpAddr; 2] {
        match self {
            Self::V4 => [[10, 84, 0, 42].into(), [192, 168, 84, 42].into()],
            Self::V6 => [
                [0xfd84, 0, 0, 0, 0, 0, 0, 0x42].into(),
                [0xfd85, 0, 0, 0, 0, 0, 0, 0x42].into(),
            ],
        }
    }

    fn prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }
}

impl<'a> SharedDomain<'a> {
    /// `lan0` and `lan1`, veths on one switch, which sends each frame to `lan1` first.
    pub fn on_veths(node: &'a Node, family: Family) -> Result<Self> {
        let switch = Switch::new(node.name())?;
        for device in ["lan0", "lan1"] {
            switch.plug_veth(node, device)?;
        }
        Self::on_switch(node, family, switch)
    }

    /// The same with NICs that filter by MAC address.
    pub fn on_filtering_nics(node: &'a Node, family: Family) -> Result<Self> {
        let switch = Switch::new(node.name())?;
        for device in ["lan0", "lan1"] {
            switch.plug_filtering_nic(node, device)?;
        }
        Self::on_switch(node, family, switch)
    }

    /// `eth1` and `eth2`, virtual NICs on a guest's segment.
    pub fn on_segment(node: &'a Node, family: Family) -> Result<Self> {
        let segment = Segment::new(node)?;
        for device in ["eth1", "eth2"] {
            segment.plug(device)?;
            node.namespace().ip(&format!("link set {device} up"))?;
        }
        Self::new(node, family, ["eth1", "eth2"], Lan::Segment(segment))
    }

    fn on_switch(node: &'a Node, family: Family, switch: Switch) -> Result<Self> {
        let host = switch.connect_host(&format!("{}-host", node.name()))?;
        let lan = Lan::Switch {
            host,
            _switch: switch,
        };
        Self::new(node, family, ["lan0", "lan1"], lan)
    }

    fn new(node: &'a Node, family: Family, nics: [&'static str; 2], lan: Lan<'a>) -> Result<Self> {
        let scenario = Self {
            node,
            family,
            nics,
            programs: Vec::new(),
            reader: node.start_host_pod("feed", "reader")?,
            lan,
        };
        scenario.configure()?;
        Ok(scenario)
    }

    /// Gives everybody addresses, and the sender a route to the group.
    fn configure(&self) -> Result<()> {
        let (node, family) = (self.node.namespace(), self.family);
        let (host, wire) = (self.lan.host().namespace(), self.lan.host().device);
        match family {
            Family::V4 => {
                node.sysctl("net.ipv4.ipfrag_time", &REASSEMBLY_SECONDS.to_string())?;
                for place in ["all", self.nics[0], self.nics[1]] {
                    node.sysctl(&format!("net.ipv4.conf.{place}.rp_filter"), "0")?;
                }
            }
            Family::V6 => {
                node.sysctl("net.ipv6.ip6frag_time", &REASSEMBLY_SECONDS.to_string())?;
                for (namespace, device) in
                    [(host, wire), (node, self.nics[0]), (node, self.nics[1])]
                {
                    namespace.sysctl(&format!("net.ipv6.conf.{device}.disable_ipv6"), "0")?;
                }
            }
        }
        let prefix = family.prefix();
        let places = self.nics.iter().zip(family.addresses());
        for (namespace, device, address) in places
            .map(|(device, address)| (node, *device, address))
            .chain([(host, wire, family.source())])
        {
            // Without duplicate address detection an IPv6 address can be used at once.
            let at_once = if address.is_ipv6() { " nodad" } else { "" };
            namespace.ip(&format!(
                "address add {address}/{prefix} dev {device}{at_once}"
            ))?;
        }
        if family == Family::V4 {
            host.ip(&format!("route add 239.0.0.0/8 dev {wire}"))?;
        }
        Ok(())
    }

    /// Has the node track connections, so that it puts datagrams together before it looks who wants them.
    pub fn track_connections(&self) -> Result<()> {
        let rules = "add table inet filter; \
            add chain inet filter input { type filter hook input priority 0; }; \
            add rule inet filter input ct state invalid counter";
        self.node.namespace().run("nft", &[rules]).map(drop)
    }

    /// A program of the node joins the group on these NICs.
    pub fn join(&mut self, nics: &[&str]) -> Result<()> {
        let mut receive = format!(
            "multicast-receive {} {PORT} --seconds 300",
            self.family.group()
        );
        for nic in nics {
            let place = match self.family {
                Family::V4 => {
                    let number = usize::from(*nic == self.nics[1]);
                    self.family.addresses()[number].to_string()
                }
                Family::V6 => self.index_of(nic)?,
            };
            receive.push_str(&format!(" --on {place}"));
        }
        let program = self.node.traffic(&self.reader).start(&receive)?;
        self.programs.push(program);
        Ok(())
    }

    fn index_of(&self, nic: &str) -> Result<String> {
        let file = format!("/sys/class/net/{nic}/ifindex");
        Ok(self
            .node
            .namespace()
            .run("cat", &[&file])?
            .trim()
            .to_owned())
    }

    /// An administrator switches a NIC to promiscuous mode.
    pub fn make_promiscuous(&self, nic: &str) -> Result<()> {
        self.node
            .namespace()
            .ip(&format!("link set {nic} promisc on"))
            .map(drop)
    }

    /// The host sends that many datagrams, 50 ms apart; returns when the node has given up what stayed incomplete.
    pub fn send(&self, datagrams: u64) -> Result<Received> {
        let before = self.counted()?;
        let group = self.family.group();
        self.lan.host().run(&format!(
            "udp-send {group} {PORT} {datagrams} --size {SIZE} --gap-ms 50"
        ))?;
        thread::sleep(Duration::from_secs(REASSEMBLY_SECONDS) + LAG);
        let after = self.counted()?;
        Ok(Received {
            datagrams: after.datagrams - before.datagrams,
            reassembled: after.reassembled - before.reassembled,
            failed: after.failed - before.failed,
        })
    }

    fn counted(&self) -> Result<Received> {
        let (ip, udp) = match self.family {
            Family::V4 => ("Ip", "Udp"),
            Family::V6 => ("Ip6", "Udp6"),
        };
        let count = |protocol, name| self.node.namespace().protocol_counter(protocol, name);
        Ok(Received {
            datagrams: count(udp, "InDatagrams")?,
            reassembled: count(ip, "ReasmOKs")?,
            failed: count(ip, "ReasmFails")?,
        })
    }
}
