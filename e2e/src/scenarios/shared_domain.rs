//! Two NICs of the node in one broadcast domain, and a group that the node receives on one of them: every fragment of
//! its datagrams comes in twice.

use anyhow::Result;

use super::reassembly::{Family, PORT, Received, SIZE};
use crate::lab::{Container, Node, Segment, Switch, Wire};
use crate::process::Process;

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

/// The device that joins the NICs and the host.
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

impl<'a> SharedDomain<'a> {
    /// `lan0` and `lan1`, veths on one switch, which sends each frame to `lan1` first.
    pub fn on_veths(node: &'a Node, family: Family) -> Result<Self> {
        let switch = Switch::new(node.name())?;
        for device in ["lan0", "lan1"] {
            switch.plug_veth(node, device)?;
        }
        let host = switch.connect_host(&format!("{}-host", node.name()))?;
        let lan = Lan::Switch {
            host,
            _switch: switch,
        };
        Self::new(node, family, ["lan0", "lan1"], lan)
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
        family.hurry(node)?;
        for (nic, address) in self.nics.iter().zip(family.addresses()) {
            family.assign(node, nic, address)?;
        }
        family.assign(host, wire, family.source())?;
        if family == Family::V4 {
            // Else a sender that is not in an interface's own network is taken for forged there.
            for place in self.nics.iter().chain(&["all"]) {
                node.sysctl(&format!("net.ipv4.conf.{place}.rp_filter"), "0")?;
            }
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
                    let number = usize::from(*nic != self.nics[0]);
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

    /// An administrator switches the NICs to promiscuous mode. Not for a guest's own: the flag would go with them into
    /// the next scenario.
    pub fn make_promiscuous(&self) -> Result<()> {
        for nic in &self.nics {
            self.node
                .namespace()
                .ip(&format!("link set {nic} promisc on"))?;
        }
        Ok(())
    }

    /// A program listens promiscuously on a NIC.
    pub fn capture(&mut self, nic: &str) -> Result<()> {
        let capture = format!("capture {nic} --seconds 300");
        let program = self.node.traffic(&self.reader).start(&capture)?;
        self.programs.push(program);
        Ok(())
    }

    /// Switches a NIC off.
    pub fn switch_off(&self, nic: &str) -> Result<()> {
        let command = format!("link set {nic} down");
        self.node.namespace().ip(&command).map(drop)
    }

    /// The host sends that many datagrams, 20 ms apart; returns when the node has given up what stayed incomplete.
    pub fn send(&self, datagrams: u64) -> Result<Received> {
        let group = self.family.group();
        let send = format!("udp-send {group} {PORT} {datagrams} --size {SIZE} --gap-ms 20");
        Received::of(self.node, self.family, || self.lan.host().run(&send))
    }
}
