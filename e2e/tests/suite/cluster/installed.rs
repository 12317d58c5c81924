//! A cluster of real nodes with the chart on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use netdiag_e2e::cleanup::TemporaryFolder;
use netdiag_e2e::helm::{CHART, Helm};
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::nodes::{Image, PAUSE_IMAGE, RealCluster};
use netdiag_e2e::programs;

pub const NAMESPACE: &str = "netdiag-system";
/// The image of the programs that make traffic.
pub const LAB_IMAGE: &str = "localhost/netdiag-lab:1";

pub struct Installed {
    pub cluster: RealCluster,
    pub kubectl: Kubectl,
    pub helm: Helm,
    _images: TemporaryFolder,
}

impl Installed {
    /// Two nodes, and the chart with its default values but for where its images are.
    pub fn on_two_nodes() -> Self {
        let folder = TemporaryFolder::new("images").unwrap();
        let images = images(folder.path());
        let cluster = RealCluster::start(2, &images).unwrap();
        let helm = cluster.helm(NAMESPACE);
        let began = Instant::now();
        let install = ["install", "netdiag", CHART, "--create-namespace"];
        let values = [
            "--set",
            "image.registry=localhost",
            "--wait",
            "--timeout=120s",
        ];
        helm.run(&[&install[..], &values].concat()).unwrap();
        println!(
            "installed and ready after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        Self {
            kubectl: cluster.kubectl(),
            helm,
            cluster,
            _images: folder,
        }
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
}

fn images(folder: &Path) -> Vec<PathBuf> {
    let agent = programs::agent().unwrap();
    let controller = programs::controller().unwrap();
    let lab = programs::lab().unwrap();
    let image = |name, program, arguments, user| Image {
        name,
        program,
        arguments,
        user,
    };
    [
        image("localhost/netdiag-agent:0.1.0", &agent, &[][..], 0),
        image(
            "localhost/netdiag-controller:0.1.0",
            &controller,
            &[],
            65532,
        ),
        image(LAB_IMAGE, &lab, &[], 0),
        image(PAUSE_IMAGE, Path::new("/usr/bin/sleep"), &["infinity"], 0),
    ]
    .iter()
    .map(|image| image.write(folder).unwrap())
    .collect()
}
