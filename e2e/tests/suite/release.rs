//! The files that `cargo xtask dist` made, used as somebody who has only them: the program on a node, the manifest, the
//! chart.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use netdiag_e2e::{cluster, process, wait};
use serde_json::Value;

use crate::cluster::faults::LostChecksum;
use crate::cluster::installed::{NAMESPACE, Nodes};
use crate::cluster::traces::Traces;

/// As Debian names the architecture of this machine.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};
const NODE: &str = "node-1";
/// As long as two of the faulty connection attempts, and some more.
const SECONDS: u64 = 15;

/// The folder, by `NETDIAG_RELEASE`.
struct Release {
    folder: PathBuf,
    version: String,
}

impl Release {
    fn read() -> Self {
        let folder = std::env::var_os("NETDIAG_RELEASE");
        let folder = folder.expect("`cargo xtask dist --try` sets NETDIAG_RELEASE");
        let release = Self {
            folder: folder.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut check = Command::new("sha256sum");
        check.args(["--check", "--strict", "SHA256SUMS"]);
        process::run(check.current_dir(&release.folder)).unwrap();
        release
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        assert!(path.is_file(), "the release has no {name}");
        path
    }

    fn program(&self, name: &str) -> String {
        let file = format!("{name}-{}-linux-{ARCHITECTURE}", self.version);
        self.file(&file).display().to_string()
    }

    fn image(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}-{}-image-{ARCHITECTURE}.tar", self.version))
    }

    fn chart(&self) -> String {
        let file = self.file(&format!("netdiag-{}.tgz", self.version));
        file.display().to_string()
    }

    /// The registry in the images' names.
    fn registry(&self) -> String {
        let manifest = fs::read_to_string(self.file("install.yaml")).unwrap();
        let image = format!("/netdiag-agent:{}", self.version);
        let line = manifest.lines().find(|line| line.contains(&image));
        let name = line
            .unwrap()
            .split(['"', ' '])
            .find(|word| word.contains(&image));
        name.unwrap().split(&image).next().unwrap().to_owned()
    }
}

#[test]
#[ignore = "needs the folder of a release and the programs of real nodes"]
fn its_program_its_manifest_and_its_chart_find_a_fault_and_leave_nothing() {
    let release = Release::read();
    let traces = Traces::of_this_machine();
    let agent = release.image("netdiag-agent");
    let controller = release.image("netdiag-controller");
    let nodes = Nodes::with(1, [agent, controller]);
    let fault = LostChecksum::new(&nodes);

    the_program_finds_it(&release, &nodes, &fault);
    the_manifest_finds_it(&release, &nodes, &fault);
    nodes.assert_nothing_left(&traces);
    the_chart_finds_it(&release, &nodes, &fault);
    nodes.assert_nothing_left(&traces);
}

fn the_program_finds_it(release: &Release, nodes: &Nodes, fault: &LostChecksum<'_>) {
    let controller = release.program("netdiag-controller");
    let version = process::run(Command::new(controller).arg("--version")).unwrap();
    assert_eq!(
        version.trim(),
        format!("netdiag-controller {}", release.version)
    );
    let agent = release.program("netdiag-agent");
    let window = format!("{SECONDS}s");
    let began = Instant::now();
    let said = fault.while_it_talks(|| {
        nodes
            .node(NODE)
            .run(&agent, &["diagnose", "--duration", &window])
            .unwrap()
    });
    println!(
        "> program: finding and answer after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert!(
        said.contains("ChecksumDrop/PartialChecksumLost  eth0  pod default/server"),
        "{said}"
    );
}

fn the_manifest_finds_it(release: &Release, nodes: &Nodes, fault: &LostChecksum<'_>) {
    let manifest = release.file("install.yaml").display().to_string();
    let began = Instant::now();
    let apply = ["apply", "--server-side", "-f", &manifest];
    nodes.kubectl.run(&apply).unwrap();
    nodes.wait_for_agents();
    let rollout = ["rollout", "status", "-n", NAMESPACE, "--timeout=90s"];
    let controllers = ["deployment/netdiag-controller"];
    nodes
        .kubectl
        .run(&[&rollout[..], &controllers].concat())
        .unwrap();
    let diagnosis = fs::read_to_string(release.file("diagnosis.yaml")).unwrap();
    diagnose(nodes, fault, &diagnosis, "rx-dropped");
    println!(
        "> manifest: finding {:.1} s after apply",
        began.elapsed().as_secs_f64()
    );
    let delete = ["delete", "--wait", "--timeout=90s", "-f", &manifest];
    nodes.kubectl.run(&delete).unwrap();
}

fn the_chart_finds_it(release: &Release, nodes: &Nodes, fault: &LostChecksum<'_>) {
    let helm = nodes.cluster.helm(NAMESPACE);
    let chart = release.chart();
    let registry = format!("image.registry={}", release.registry());
    let began = Instant::now();
    let install = ["install", "netdiag", &chart, "--create-namespace"];
    let values = ["--set", &registry, "--wait", "--timeout=120s"];
    helm.run(&[install, values].concat()).unwrap();
    let diagnosis = cluster::once("by-chart", &[NODE], SECONDS).to_string();
    diagnose(nodes, fault, &diagnosis, "by-chart");
    println!(
        "> chart: finding {:.1} s after install",
        began.elapsed().as_secs_f64()
    );
    let said = helm.run(&["test", "netdiag"]).unwrap();
    assert!(said.contains("Succeeded"), "{said}");
    helm.run(&["uninstall", "netdiag", "--wait"]).unwrap();
}

/// Applies a diagnosis of this name while the fault goes on, and asserts that it is found.
fn diagnose(nodes: &Nodes, fault: &LostChecksum<'_>, diagnosis: &str, name: &str) {
    let kubectl = &nodes.kubectl;
    kubectl.apply(diagnosis).unwrap();
    let diagnosis: Value =
        fault.while_it_talks(|| cluster::wait_until_complete(kubectl, name, wait::LIMIT).unwrap());
    let top = diagnosis["status"]["summary"]["topFinding"].to_string();
    assert!(
        top.contains("ChecksumDrop/PartialChecksumLost"),
        "{diagnosis:#}"
    );
}
