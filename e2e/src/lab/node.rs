//! The namespace that plays a node, with its agent, its NICs and its pods' wires.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::watch::{self, Watch};
use super::{Container, Facts, HostRoot, KernelLog, Pod, Traffic, relay, traffic};
use crate::control_plane::ControlPlane;
use crate::http;
use crate::netns::Namespace;
use crate::process::{self, Process};
use crate::programs;

/// The address on which an agent serves health and metrics: on the loopback device of its node.
const AGENT_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// A node: its network namespace, its file system, its name in the cluster.
pub struct Node {
    name: String,
    // Programs of its containers end with the namespace, before the control groups go.
    namespace: Namespace,
    agent_container: Container,
    host: HostRoot,
    agents: AtomicU32,
}

/// A host beyond the node's NIC: whatever it sends on `device` arrives at the NIC.
pub struct Wire {
    namespace: Namespace,
    /// Its device.
    pub device: &'static str,
}

impl Node {
    /// An idle node.
    pub fn new(name: &str) -> Result<Self> {
        let host = HostRoot::new()?;
        let namespace = Namespace::without_ipv6(name)?;
        let agent_container = Container::on_host_network(&host, "netdiag-agent", "agent")?;
        Ok(Self {
            name: name.to_owned(),
            namespace,
            agent_container,
            host,
            agents: AtomicU32::new(0),
        })
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its file system.
    pub fn host(&self) -> &HostRoot {
        &self.host
    }

    /// Plugs in a NIC that filters by MAC address, as real ones do: a macvlan device over a cable of its own.
    pub fn plug_filtering_nic(&self, device: &str) -> Result<Wire> {
        let wire = Wire::new(&format!("{}-{device}", self.name))?;
        wire.namespace
            .ip("link add wire0 type veth peer name far0")?;
        wire.namespace.ip("link set wire0 up")?;
        wire.namespace.ip("link set far0 up")?;
        let node = self.namespace.name();
        wire.namespace.ip(&format!(
            "link add {device} link far0 netns {node} type macvlan mode private"
        ))?;
        self.namespace.ip(&format!("link set {device} up"))?;
        Ok(wire)
    }

    /// Plugs in a veth, which takes every frame.
    pub fn plug_veth(&self, device: &str) -> Result<Wire> {
        self.plug_veth_into(&self.namespace, device)
    }

    /// Plugs a veth into the namespace of a pod that forwards for a host.
    pub fn plug_veth_into(&self, namespace: &Namespace, device: &str) -> Result<Wire> {
        let wire = Wire::new(&format!("{}-{device}", self.name))?;
        let to = namespace.name();
        wire.namespace.ip(&format!(
            "link add wire0 type veth peer name {device} netns {to}"
        ))?;
        wire.namespace.ip("link set wire0 up")?;
        namespace.ip(&format!("link set {device} up"))?;
        Ok(wire)
    }

    /// Starts a pod with a veth `eth0` whose end on the node is `host_end`.
    pub fn start_pod(&self, name: &str, address: &str, host_end: &str) -> Result<Pod> {
        let pod = Pod::new(&self.host, name)?;
        let node = self.namespace.name();
        let inside = pod.namespace();
        inside.ip(&format!(
            "link add eth0 type veth peer name {host_end} netns {node}"
        ))?;
        inside.ip(&format!("address add {address} dev eth0"))?;
        inside.ip("link set eth0 up")?;
        self.namespace.ip(&format!("link set {host_end} up"))?;
        Ok(pod)
    }

    /// A container on the node's own network.
    pub fn start_host_pod(&self, name: &str, container: &str) -> Result<Container> {
        Container::on_host_network(&self.host, name, container)
    }

    /// Traffic of such a container.
    pub fn traffic<'a>(&'a self, container: &'a Container) -> Traffic<'a> {
        Traffic::of(&self.host, container, &self.namespace)
    }

    /// Starts `netdiag-agent diagnose` with the capabilities and the locked memory of the chart's container; returns
    /// when its window counts, which lasts that many seconds at least.
    pub fn watch(&self, seconds: u64) -> Result<Watch> {
        self.watch_under(&[], None, seconds)
    }

    /// The same without one of the capabilities.
    pub fn watch_without(&self, capability: &str, seconds: u64) -> Result<Watch> {
        self.watch_under(&[], Some(capability), seconds)
    }

    /// The same with this log in the place of the kernel's.
    pub fn watch_log(&self, log: &KernelLog, seconds: u64) -> Result<Watch> {
        let file = log.path().to_string_lossy();
        // `ip netns exec` has made a mount namespace by then.
        let stand_in = "mount --bind \"$0\" /dev/kmsg && exec \"$@\"";
        self.watch_under(&["sh", "-c", stand_in, &file], None, seconds)
    }

    fn watch_under(&self, wrapper: &[&str], without: Option<&str>, seconds: u64) -> Result<Watch> {
        let mut words: Vec<String> = wrapper.iter().map(|word| (*word).to_owned()).collect();
        words.extend(watch::privileges(without));
        let mut command = self.agent_under(&words)?;
        command.args(["diagnose", "--output", "json"]);
        command.arg("--host-root").arg(self.host.path());
        Watch::start(command, &self.host, seconds)
    }

    /// Starts `netdiag-agent run`.
    pub fn start_agent(&self, plane: &ControlPlane) -> Result<Process> {
        let container = &self.agent_container;
        self.start(
            container.command(&self.namespace, &programs::agent()?),
            plane,
        )
    }

    /// The same with the capabilities of the chart's container without this one.
    pub fn start_agent_without(&self, capability: &str, plane: &ControlPlane) -> Result<Process> {
        let command = self.agent_under(&watch::privileges(Some(capability)))?;
        self.start(command, plane)
    }

    /// Reads the agent's answer on its port for health and metrics.
    pub fn ask_agent(&self, path: &str) -> Result<String> {
        self.namespace.enter(|| http::get(AGENT_PORT, path))?
    }

    fn start(&self, mut command: Command, plane: &ControlPlane) -> Result<Process> {
        if self.agents.load(Ordering::Relaxed) == 0 {
            relay::open(&self.namespace, plane.port())?;
        }
        command.args(["run", "--node-name", &self.name]);
        command.arg("--host-root").arg(self.host.path());
        command.arg("--kubeconfig").arg(plane.kubeconfig());
        command.arg("--listen").arg(AGENT_PORT.to_string());
        let number = self.agents.fetch_add(1, Ordering::Relaxed);
        let log = self.host.path().join(format!("agent-{number}.log"));
        Process::start("netdiag-agent", command, &log).context("failed to start the agent")
    }

    /// The agent in its container, run by the first of these words.
    fn agent_under(&self, words: &[String]) -> Result<Command> {
        let (first, rest) = words.split_first().context("no program to run it by")?;
        let container = &self.agent_container;
        let mut command = container.command(&self.namespace, Path::new(first));
        command.args(rest).arg(programs::agent()?);
        Ok(command)
    }
}

impl Wire {
    fn new(label: &str) -> Result<Self> {
        Self::of_nic(label, "wire0")
    }

    /// A host that will have this device.
    pub(super) fn of_nic(label: &str, device: &'static str) -> Result<Self> {
        let namespace = Namespace::without_ipv6(label)?;
        Ok(Self { namespace, device })
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Runs a traffic program there to its end.
    pub fn run(&self, arguments: &str) -> Result<Facts> {
        let said = process::run(&mut self.command(arguments)?)?;
        Ok(Facts::read(&said))
    }

    /// Starts a traffic program there and waits until it is ready; its output is kept beside the node's.
    pub fn start(&self, node: &Node, arguments: &str) -> Result<Process> {
        traffic::start(&node.host, arguments, self.command(arguments)?)
    }

    fn command(&self, arguments: &str) -> Result<Command> {
        let mut command = self.namespace.command(&programs::lab()?.to_string_lossy());
        command.args(arguments.split_whitespace());
        Ok(command)
    }

    /// Sends link layer frames: `lldp 20`, `cdp 3`, ..
    pub fn send_frames(&self, what: &str) -> Result<u64> {
        self.run(&format!("frames {} {what}", self.device))?
            .get("sent")
    }
}
