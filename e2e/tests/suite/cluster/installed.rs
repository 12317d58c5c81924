//! A cluster of real nodes with the chart on it.

use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use netdiag_e2e::cleanup::TemporaryFolder;
use netdiag_e2e::helm::{CHART, Helm};
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::nodes::{RealCluster, RealNode, images_of_tests, local_images};
use netdiag_e2e::{process, wait};
use serde_json::{Value, json};

use super::traces::Traces;

pub const NAMESPACE: &str = "netdiag-system";

/// The default values, except where the images are.
const VALUES: [&str; 4] = [
    "--set",
    "image.registry=localhost",
    "--wait",
    "--timeout=120s",
];

/// A cluster of real nodes with images of netdiag, and nothing of netdiag in it.
pub struct Nodes {
    pub cluster: RealCluster,
    pub kubectl: Kubectl,
    _images: TemporaryFolder,
}

/// Two nodes with the chart on them.
pub struct Installed {
    nodes: Nodes,
    pub helm: Helm,
}

impl Deref for Installed {
    type Target = Nodes;

    fn deref(&self) -> &Nodes {
        &self.nodes
    }
}

impl Installed {
    /// The chart with its default values except where its images are.
    pub fn on_two_nodes() -> Self {
        let nodes = Nodes::start(2);
        let helm = nodes.cluster.helm(NAMESPACE);
        let began = Instant::now();
        let install = ["install", "netdiag", CHART, "--create-namespace"];
        helm.run(&[&install[..], &VALUES].concat()).unwrap();
        println!(
            "installed and ready after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        Self { nodes, helm }
    }

    /// Upgrades the release with these values besides.
    pub fn upgrade(&self, values: &[&str]) {
        let upgrade = ["upgrade", "netdiag", CHART];
        self.helm
            .run(&[&upgrade[..], &VALUES, values].concat())
            .unwrap();
    }
}

impl Nodes {
    /// So many nodes.
    pub fn start(count: u8) -> Self {
        Self::with(count, local_images().unwrap())
    }

    /// So many nodes with these images of netdiag.
    pub fn with(count: u8, images: [PathBuf; 2]) -> Self {
        let folder = TemporaryFolder::new("images").unwrap();
        let tests = images_of_tests(folder.path()).unwrap();
        let images = [images, tests].concat();
        let cluster = RealCluster::start(count, &images).unwrap();
        Self {
            kubectl: cluster.kubectl(),
            cluster,
            _images: folder,
        }
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> &RealNode {
        self.cluster
            .nodes()
            .iter()
            .find(|node| node.name() == name)
            .unwrap()
    }

    /// Runs a program in the network between the nodes.
    pub fn beyond(&self, program: &str, arguments: &str) {
        let mut command = self.cluster.command_beyond(program);
        process::run(command.args(arguments.split(' '))).unwrap();
    }

    /// Names of the veths in the node's own network.
    pub fn veths(&self, node: &str) -> Vec<String> {
        let said = self
            .node(node)
            .run("ip", &["-o", "link", "show", "type", "veth"])
            .unwrap();
        let name = |line: &str| {
            let (name, _) = line.split_once(": ")?.1.split_once('@')?;
            Some(name.to_owned())
        };
        said.lines().filter_map(name).collect()
    }

    /// Starts a pod in the namespace `default` and waits until its container runs.
    pub fn start_pod(&self, name: &str, node: &str, mut spec: Value) {
        spec["nodeName"] = json!(node);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": "default" }, "spec": spec,
        });
        // The namespace's service account is made a moment after the cluster.
        wait::until("the pod to be accepted", wait::LIMIT, || {
            self.kubectl.apply(&pod.to_string()).map(Some)
        })
        .unwrap();
        let ready = format!("pod/{name}");
        self.kubectl
            .run(&["wait", "--for=condition=Ready", &ready, "--timeout=60s"])
            .unwrap();
    }

    /// Waits until the DaemonSet's pods are those of its present template, and ready.
    pub fn wait_for_agents(&self) {
        let limit = format!("--timeout={}s", Duration::from_secs(90).as_secs());
        let agents = [
            "rollout",
            "status",
            "-n",
            NAMESPACE,
            "daemonset/netdiag-agent",
            &limit,
        ];
        self.kubectl.run(&agents).unwrap();
    }

    /// Asserts that the cluster has no object of netdiag, and this machine nothing that an agent left.
    pub fn assert_nothing_left(&self, traces: &Traces) {
        let kubectl = &self.kubectl;
        wait::until("the pods' end", wait::LIMIT, || {
            let left = kubectl.run(&["get", "pods,leases", "-n", NAMESPACE, "-o", "name"])?;
            Ok(left.trim().is_empty().then_some(()))
        })
        .unwrap();
        let kinds = "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,role,rolebinding,daemonset,deployment";
        let left = kubectl.run(&["get", kinds, "-A", "-o", "name"]).unwrap();
        let ours: Vec<_> = left
            .lines()
            .filter(|name| name.contains("netdiag"))
            .collect();
        assert!(ours.is_empty(), "{ours:?}");
        traces.assert_nothing_new();
    }
}
