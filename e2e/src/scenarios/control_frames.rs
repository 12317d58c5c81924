//! Control frames of a link, such as LLDP, on NICs that filter by MAC address: by themselves, as ports of a bridge, and
//! below bonds, teams and VLAN devices.

use anyhow::{Context, Result};

use crate::lab::{Container, Node, Segment, Wire};
use crate::process::Process;
use crate::wait;

/// Frames of one kind as `netdiag-lab frames` knows it, such as `lldp --vlan 100`, and how many.
pub type Burst = (&'static str, u64);

/// A host that sends control frames, and the node's NICs that they reach.
pub struct ControlFrames<'a> {
    node: &'a Node,
    host: Host<'a>,
    tools: Container,
}

/// The place of the host.
enum Host<'a> {
    /// On the segment of a guest, with up to three NICs of the node.
    Segment(Segment<'a>),
    /// At the other end of a cable.
    Cable(Wire),
}

/// Increases of one device's counters.
#[derive(Debug, PartialEq, Eq)]
pub struct Increase {
    /// The device.
    pub device: &'static str,
    /// rx_dropped.
    pub dropped: u64,
    /// rx_nohandler, which the waiting port of a bond or team raises.
    pub no_handler: u64,
}

impl<'a> ControlFrames<'a> {
    /// `eth1`, a NIC by itself.
    pub fn on_nic(node: &'a Node) -> Result<Self> {
        let segment = Segment::new(node)?;
        segment.plug("eth1")?;
        node.namespace().ip("link set eth1 up")?;
        Self::with_host(node, Host::Segment(segment))
    }

    /// `nic0`, a macvlan device, which filters as a NIC does on machines without NICs to spare; a port of `br0`.
    pub fn on_bridged_macvlan(node: &'a Node) -> Result<Self> {
        let scenario = Self::with_host(node, Host::Cable(node.plug_filtering_nic("nic0")?))?;
        node.namespace().add_bridge("br0", "", &["nic0"])?;
        Ok(scenario)
    }

    /// `eth1`, the only port of `br0`.
    pub fn on_bridged_nic(
        node: &'a Node,
        bridge_options: &str,
        port_options: &str,
    ) -> Result<Self> {
        let scenario = Self::on_nic(node)?;
        node.namespace()
            .add_bridge("br0", bridge_options, &["eth1"])?;
        if !port_options.is_empty() {
            node.namespace()
                .ip(&format!("link set eth1 type bridge_slave {port_options}"))?;
        }
        Ok(scenario)
    }

    /// `bond0` of `eth1` and `eth2`, by itself, which takes every multicast frame since someone set it so.
    pub fn on_all_multicast_bond(node: &'a Node) -> Result<Self> {
        let scenario = Self::on_bond(node, "active-backup")?;
        node.namespace().ip("link set bond0 allmulticast on")?;
        Ok(scenario)
    }

    /// `bond0` of `eth1` and `eth2`, a port of `br0`.
    pub fn on_bridged_bond(node: &'a Node, mode: &str, bridge_options: &str) -> Result<Self> {
        let scenario = Self::on_bond(node, mode)?;
        node.namespace()
            .add_bridge("br0", bridge_options, &["bond0"])?;
        Ok(scenario)
    }

    /// `bond0.100`, VLAN 100 of a `bond0` as above, a port of `br0`.
    pub fn on_bridged_vlan(node: &'a Node) -> Result<Self> {
        let scenario = Self::on_bond(node, "active-backup")?;
        let inside = node.namespace();
        inside.ip("link add bond0.100 link bond0 type vlan id 100")?;
        inside.ip("link set bond0.100 up")?;
        node.namespace().add_bridge("br0", "", &["bond0.100"])?;
        Ok(scenario)
    }

    /// `team0` of `eth1`, which is active, and `eth2`, a port of `br0`.
    pub fn on_bridged_team(node: &'a Node) -> Result<Self> {
        let inside = node.namespace();
        inside.ip("link add team0 type team")?;
        let set = |option: &str, value: &str| {
            inside.run("teamnl", &["team0", "setoption", option, value])
        };
        set("mode", "activebackup")?;
        let scenario = Self::below(node, "team0")?;
        let index = inside.run("cat", &["/sys/class/net/eth1/ifindex"])?;
        set("activeport", index.trim())?;
        node.namespace().add_bridge("br0", "", &["team0"])?;
        Ok(scenario)
    }

    fn with_host(node: &'a Node, host: Host<'a>) -> Result<Self> {
        Ok(Self {
            node,
            host,
            tools: node.start_host_pod("tools", "listener")?,
        })
    }

    fn on_bond(node: &'a Node, mode: &str) -> Result<Self> {
        let inside = node.namespace();
        inside.ip(&format!("link add bond0 type bond mode {mode} miimon 100"))?;
        let scenario = Self::below(node, "bond0")?;
        if mode == "active-backup" {
            // Else the port whose carrier the bond sees first is the active one.
            inside.ip("link set bond0 type bond primary eth1")?;
        }
        // Until it has picked the active port, each port drops by itself. LACP waits some seconds for a partner first.
        let picked = wait::until("bond0's active port", wait::LIMIT, || {
            let states =
                ["eth1", "eth2"].map(|port| format!("/sys/class/net/{port}/bonding_slave/state"));
            let states = inside.run("cat", &states.each_ref().map(String::as_str))?;
            let carrier = inside.run("cat", &["/sys/class/net/bond0/carrier"])?;
            let is_picked = states.lines().eq(["active", "backup"]);
            Ok((carrier.trim() == "1" && is_picked).then_some(()))
        });
        picked.with_context(|| {
            let state = inside.run("cat", &["/proc/net/bonding/bond0"]);
            state.unwrap_or_else(|error| format!("{error:#}"))
        })?;
        Ok(scenario)
    }

    /// `eth1` and `eth2`, ports of this bond or team, which is set up.
    fn below(node: &'a Node, master: &str) -> Result<Self> {
        let segment = Segment::new(node)?;
        let inside = node.namespace();
        for port in ["eth1", "eth2"] {
            segment.plug(port)?;
            // An 802.3ad bond takes a port of unknown speed for down; a virtual NIC is as fast as it is told.
            inside.run("ethtool", &["-s", port, "speed", "1000", "duplex", "full"])?;
            inside.ip(&format!("link set {port} master {master}"))?;
        }
        inside.ip(&format!("link set {master} up"))?;
        Self::with_host(node, Host::Segment(segment))
    }

    /// Starts a program that receives one EtherType on a device without opening its filter, as a daemon does.
    pub fn listen(&self, device: &str, ethertype: &str) -> Result<Process> {
        let traffic = self.node.traffic(&self.tools);
        traffic.start(&format!(
            "capture {device} --ethertype {ethertype} --plain --seconds 300"
        ))
    }

    /// Takes the kernel's 802.2 code away, some moments after other scenarios' namespaces have gone, which bridges and
    /// VLANs load, and which receives 802.2 frames of any device.
    pub fn unload_802_2(&self) -> Result<()> {
        let inside = self.node.namespace();
        wait::until("the kernel's 802.2 code to go", wait::LIMIT, || {
            inside.run("modprobe", &["-r", "br_netfilter", "bridge", "8021q"])?;
            let receivers = inside.run("cat", &["/proc/net/ptype"])?;
            Ok((!receivers.contains("llc")).then_some(()))
        })
    }

    /// The host sends these frames; the increases of these devices' counters.
    pub fn send(&self, bursts: &[Burst], devices: &[&'static str]) -> Result<Vec<Increase>> {
        let before = self.counters(devices)?;
        for (frames, count) in bursts {
            let frames = format!("{frames} {count} --system leaf-7");
            match &self.host {
                Host::Segment(segment) => segment.wire.send_frames(&frames)?,
                Host::Cable(wire) => wire.send_frames(&frames)?,
            };
        }
        let after = wait::until_quiet("the last frame", || self.counters(devices))?;
        let pairs = before.into_iter().zip(after);
        Ok(pairs
            .map(|(before, after)| Increase {
                device: before.device,
                dropped: after.dropped - before.dropped,
                no_handler: after.no_handler - before.no_handler,
            })
            .collect())
    }

    fn counters(&self, devices: &[&'static str]) -> Result<Vec<Increase>> {
        let wanted: Vec<(&str, &str)> = devices
            .iter()
            .flat_map(|device| [(*device, "rx_dropped"), (*device, "rx_nohandler")])
            .collect();
        let values = self.node.namespace().counters(&wanted)?;
        let rows = devices.iter().zip(values.chunks_exact(2));
        Ok(rows
            .map(|(&device, row)| Increase {
                device,
                dropped: row[0],
                no_handler: row[1],
            })
            .collect())
    }
}
