//! Devices that are promiscuous for every reason there is, several at once included, and sockets that ask for nothing.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::lab::{Container, Node, Wire};
use crate::process::Process;

/// The devices of the node, by why they are promiscuous.
pub struct PromiscuousDevices<'a> {
    node: &'a Node,
    tools: Container,
    captures: Vec<Process>,
    _wires: Vec<Wire>,
}

impl<'a> PromiscuousDevices<'a> {
    /// Makes the devices that every kernel can have:
    ///
    /// - `nic0`, a NIC that filters: port of `br0`, set so by a person, and with two captures on it;
    /// - `lower0` with `passthru0` on it, a macvtap device in passthru mode;
    /// - `shared0`, a veth without a filter, with the macvlan device `guest0` on it;
    /// - `quiet0` with a daemon's socket on it, beside a capture on any device: neither opens a filter.
    pub fn new(node: &'a Node) -> Result<Self> {
        let mut wires = vec![node.plug_filtering_nic("nic0")?];
        for device in ["lower0", "shared0", "quiet0"] {
            wires.push(node.plug_veth(device)?);
        }
        let mut scenario = Self {
            node,
            tools: node.start_host_pod("tools", "capture")?,
            captures: Vec::new(),
            _wires: wires,
        };
        node.namespace().add_bridge("br0", "", &["nic0"])?;
        scenario.ip(&[
            "link set nic0 promisc on",
            "link add passthru0 link lower0 type macvtap mode passthru",
            "link set passthru0 up",
            "link add guest0 link shared0 type macvlan mode bridge",
            "link set guest0 up",
        ])?;
        for socket in ["nic0", "nic0", "quiet0 --plain", "any --plain"] {
            scenario.capture(socket)?;
        }
        Ok(scenario)
    }

    /// Adds the devices that take modules of the kernel:
    ///
    /// - `port0`, a NIC that filters, in the Open vSwitch datapath of `dp0`;
    /// - `dummy0`, a dummy with an address of its own in its forwarding table;
    /// - `bond1` of two dummies, set so by a person, and a capture on its VLAN device `bond1.100`.
    pub fn add_modular(&mut self) -> Result<()> {
        self._wires.push(self.node.plug_filtering_nic("port0")?);
        let inside = self.node.namespace();
        inside.run("ovs-dpctl", &["add-dp", "dp0"])?;
        inside.run("ovs-dpctl", &["add-if", "dp0", "port0"])?;
        self.ip(&[
            "link add dummy0 type dummy",
            "link set dummy0 up",
            "link add bond1 type bond mode active-backup",
            "link add dummy1 type dummy",
            "link add dummy2 type dummy",
            "link set dummy1 master bond1",
            "link set dummy2 master bond1",
            "link set bond1 up promisc on",
            "link add bond1.100 link bond1 type vlan id 100",
            "link set bond1.100 up",
        ])?;
        inside.run(
            "bridge",
            &["fdb", "add", "02:4e:44:00:00:77", "dev", "dummy0", "self"],
        )?;
        self.capture("bond1.100")
    }

    fn ip(&self, commands: &[&str]) -> Result<()> {
        let inside = self.node.namespace();
        commands
            .iter()
            .try_for_each(|command| inside.ip(command).map(drop))
    }

    fn capture(&mut self, arguments: &str) -> Result<()> {
        let traffic = self.node.traffic(&self.tools);
        let capture = traffic.start(&format!("capture {arguments} --seconds 300"))?;
        self.captures.push(capture);
        Ok(())
    }

    /// The processes of the captures on `nic0`.
    pub fn captures_on_nic(&self) -> [u32; 2] {
        [self.captures[0].id(), self.captures[1].id()]
    }
}

/// The kernel's count of who wants each device promiscuous, of those where it is not 0.
pub fn promiscuity(node: &Node) -> Result<BTreeMap<String, u64>> {
    let links: Value = serde_json::from_str(&node.namespace().ip("-j -d link")?)?;
    let count = |link: &Value| {
        let name = link["ifname"].as_str()?.to_owned();
        let count = link["promiscuity"].as_u64().filter(|count| *count > 0)?;
        Some((name, count))
    };
    let links = links.as_array().into_iter().flatten();
    Ok(links.filter_map(count).collect())
}

/// `nic0`, a NIC that filters, promiscuous for a socket that is on its way between two processes: none has it open.
pub struct HiddenListener {
    _tools: Container,
    _wire: Wire,
    _program: Process,
}

impl HiddenListener {
    /// Starts it.
    pub fn new(node: &Node) -> Result<Self> {
        let wire = node.plug_filtering_nic("nic0")?;
        let tools = node.start_host_pod("tools", "listener")?;
        let program = node
            .traffic(&tools)
            .start("capture nic0 --hidden --seconds 300")?;
        Ok(Self {
            _tools: tools,
            _wire: wire,
            _program: program,
        })
    }
}
