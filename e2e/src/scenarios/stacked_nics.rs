//! NICs in one broadcast domain, below devices that bundle or divide them: what comes in on each of a bond's ports came
//! in on the bond once.

use anyhow::Result;

use super::reassembly::{Family, PORT, SIZE};
use crate::lab::{Node, Switch, Wire};

/// VLAN of the tagged frames.
const VLAN: u16 = 100;

/// The node's NICs, and the switches that they are plugged into, with a host on each.
pub struct StackedNics<'a> {
    node: &'a Node,
    lans: Vec<Lan>,
}

struct Lan {
    host: Wire,
    /// The host's device that the group is sent out of.
    out: &'static str,
    _switch: Switch,
}

impl<'a> StackedNics<'a> {
    /// `bond0` of `lan0` and `lan1` on one switch, and `team0` of `lan2` and `lan3` on another; both promiscuous.
    pub fn in_bundles(node: &'a Node) -> Result<Self> {
        let mut scenario = Self::new(node);
        scenario.plug(&["lan0", "lan1"], "wire0")?;
        scenario.plug(&["lan2", "lan3"], "wire0")?;
        scenario.bundle(
            "bond0",
            "bond mode active-backup miimon 100",
            &["lan0", "lan1"],
        )?;
        scenario.bundle("team0", "team", &["lan2", "lan3"])?;
        scenario.make_promiscuous(&["bond0", "team0"])?;
        Ok(scenario)
    }

    /// `bond0` of `lan0` and `lan1`, and `lan2`, all on one switch; `bond0.100` and `lan2.100` over them, both
    /// promiscuous. The host's frames are tagged.
    pub fn in_one_vlan(node: &'a Node) -> Result<Self> {
        let mut scenario = Self::new(node);
        scenario.plug(&["lan0", "lan1", "lan2"], "wire0.100")?;
        scenario.bundle(
            "bond0",
            "bond mode active-backup miimon 100",
            &["lan0", "lan1"],
        )?;
        let inside = node.namespace();
        for lower in ["bond0", "lan2"] {
            inside.ip(&format!(
                "link add {lower}.{VLAN} link {lower} type vlan id {VLAN}"
            ))?;
            inside.ip(&format!("link set {lower}.{VLAN} up"))?;
        }
        scenario.make_promiscuous(&["bond0.100", "lan2.100"])?;
        Ok(scenario)
    }

    fn new(node: &'a Node) -> Self {
        Self {
            node,
            lans: Vec::new(),
        }
    }

    /// Plugs NICs into a switch with a host, which sends the group out of `out`.
    fn plug(&mut self, nics: &[&str], out: &'static str) -> Result<()> {
        let label = format!("{}-{}", self.node.name(), self.lans.len());
        let switch = Switch::new(&label)?;
        for nic in nics {
            switch.plug_veth(self.node, nic)?;
        }
        let host = switch.connect_host(&format!("{label}-host"))?;
        let inside = host.namespace();
        if out != host.device {
            inside.ip(&format!(
                "link add {out} link {} type vlan id {VLAN}",
                host.device
            ))?;
            inside.ip(&format!("link set {out} up"))?;
        }
        // The same address in each: a host that sends a group into two networks.
        Family::V4.assign(inside, out, Family::V4.source())?;
        inside.ip(&format!("route add 239.0.0.0/8 dev {out}"))?;
        self.lans.push(Lan {
            host,
            out,
            _switch: switch,
        });
        Ok(())
    }

    fn bundle(&self, name: &str, kind: &str, ports: &[&str]) -> Result<()> {
        let inside = self.node.namespace();
        inside.ip(&format!("link add {name} type {kind}"))?;
        for port in ports {
            // A bond and a team take only ports that are down.
            inside.ip(&format!("link set {port} down"))?;
            inside.ip(&format!("link set {port} master {name}"))?;
        }
        inside.ip(&format!("link set {name} up")).map(drop)
    }

    fn make_promiscuous(&self, devices: &[&str]) -> Result<()> {
        for device in devices {
            self.node
                .namespace()
                .ip(&format!("link set {device} promisc on"))?;
        }
        Ok(())
    }

    /// Each host sends that many datagrams of 6 fragments; returns how many packets its device has sent.
    pub fn send(&self, datagrams: u64) -> Result<u64> {
        let group = Family::V4.group();
        let mut packets = 0;
        for lan in &self.lans {
            let sent = || lan.host.namespace().counter(lan.out, "tx_packets");
            let before = sent()?;
            lan.host.run(&format!(
                "udp-send {group} {PORT} {datagrams} --size {SIZE} --gap-ms 50"
            ))?;
            packets += sent()? - before;
        }
        Ok(packets)
    }
}
