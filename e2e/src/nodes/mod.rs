//! A cluster of real nodes on this machine: containerd, runc, kubelet and kube-proxy, each node with its own network,
//! mounts and process table, and a whole control plane.
//!
//! Nodes share the machine's kernel, so the eBPF programs of each agent see the events of all.
//!
//! It is made from programs and packages, because it must run on a machine that reaches no image registry: containers'
//! images are packed here, and no tool such as kind is at hand. Nothing outside the suite `cluster` and `cargo xtask
//! cluster` asks you to know how.

mod groups;
mod host_settings;
mod image;
mod local_images;
mod network;
mod node;
mod remains;
mod settings;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

pub use host_settings::{restore_settings, settings_of_host};
pub use local_images::{LAB_IMAGE, images_of_tests, local_images};
pub use node::RealNode;
pub use remains::Remains;

use crate::control_plane::{ControlPlane, Who};
use crate::helm::Helm;
use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::{programs, wait};
use host_settings::HostSettings;
use network::Network;

/// A running cluster. All of it goes with this value.
pub struct RealCluster {
    // Fields drop in this order.
    nodes: Vec<RealNode>,
    _controllers: Vec<Process>,
    plane: ControlPlane,
    network: Network,
    _settings: HostSettings,
}

impl RealCluster {
    /// Starts so many nodes with these images (docker archives), and waits until they are Ready.
    pub fn start(count: u8, images: &[PathBuf]) -> Result<Self> {
        let settings = HostSettings::remember()?;
        let network = Network::new(count)?;
        let plane = ControlPlane::start_in(network.cluster(), network::API_ADDRESS)?;
        let controllers = start_controllers(&plane, &network)?;
        let kubectl = plane.kubectl();
        kubectl.run(&[
            "create",
            "clusterrolebinding",
            "kube-proxy",
            "--clusterrole=system:node-proxier",
            "--user=system:kube-proxy",
        ])?;
        let nodes = network
            .nodes()
            .iter()
            .zip(1..)
            .map(|(namespace, number)| RealNode::start(&plane, namespace, number, images))
            .collect::<Result<Vec<_>>>()?;
        let cluster = Self {
            nodes,
            _controllers: controllers,
            plane,
            network,
            _settings: settings,
        };
        wait::until("the nodes", wait::LIMIT, || {
            cluster.check_running()?;
            let ready = [
                "wait",
                "--for=condition=Ready",
                "nodes",
                "--all",
                "--timeout=1s",
            ];
            let said = cluster.kubectl().run(&ready)?;
            Ok((said.lines().count() == usize::from(count)).then_some(()))
        })?;
        Ok(cluster)
    }

    /// An administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// The name of the network namespace between the nodes, where the API server is.
    pub fn network(&self) -> &str {
        self.network.cluster().name()
    }

    /// kubectl as administrator.
    pub fn kubectl(&self) -> Kubectl {
        self.plane.kubectl()
    }

    /// helm as administrator, in a namespace.
    pub fn helm(&self, namespace: &'static str) -> Helm {
        Helm::new(&self.kubeconfig(), namespace).inside(Some(self.network()))
    }

    /// The nodes.
    pub fn nodes(&self) -> &[RealNode] {
        &self.nodes
    }

    /// A command in the network between the nodes.
    pub fn command_beyond(&self, program: &str) -> Command {
        programs::inside(self.network(), program)
    }

    /// Fails if a daemon of a node has ended.
    pub fn check_running(&self) -> Result<()> {
        self.nodes.iter().try_for_each(RealNode::check_running)
    }
}

/// Starts the programs that make pods of deployments, put them on nodes, and collect the children of deleted owners.
fn start_controllers(plane: &ControlPlane, network: &Network) -> Result<Vec<Process>> {
    let accounts = plane.certificates();
    let file = |path: &PathBuf| path.display().to_string();
    let manager = [
        "--use-service-account-credentials".to_owned(),
        format!(
            "--service-account-private-key-file={}",
            file(&accounts.accounts_private)
        ),
        format!("--root-ca-file={}", file(&accounts.authority)),
    ];
    let start = |program: &str, flags: &[String]| {
        let user = format!("system:{program}");
        let holder = accounts.issue(program, Who::Client(&user, None))?;
        let kubeconfig = plane.kubeconfig_of(program, &holder)?;
        let mut command = programs::inside(network.cluster().name(), programs::node(program)?);
        command.arg("--kubeconfig").arg(kubeconfig);
        command.args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
        command.args(flags);
        let log = plane.folder().join(format!("{program}.log"));
        Process::start(program, command, &log)
    };
    Ok(vec![
        start("kube-controller-manager", &manager)?,
        start("kube-scheduler", &[])?,
    ])
}
