//! The cluster that `cargo xtask cluster` leaves running: it goes when it is told to, with all that it made.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netdiag_e2e::cleanup::{TemporaryFolder, Undo};
use netdiag_e2e::nodes::{Remains, settings_of_host};
use netdiag_e2e::{process, wait};
use serde_json::Value;

#[test]
#[ignore = "needs root and the programs of real nodes"]
fn a_cluster_for_people_leaves_nothing_though_its_process_is_killed() {
    let before = (settings_of_host().unwrap(), links());
    let cluster = Cluster::new();
    assert_eq!(cluster.run(&["down"]), "No cluster is up.\n");

    let said = cluster.run(&["up"]);
    assert!(said.contains("helm install netdiag"), "{said}");
    cluster.has_two_nodes();
    let said = cluster.run(&["up"]);
    assert!(said.starts_with("The cluster is already up."), "{said}");

    let killed = cluster.process();
    process::run(Command::new("kill").args(["-KILL", &killed.to_string()])).unwrap();
    wait::until("its end", wait::LIMIT, || {
        Ok(cluster.try_run(&["shell", "true"]).is_err().then_some(()))
    })
    .unwrap();
    let said = cluster.run(&["up"]);
    assert!(
        said.contains(&format!("folder /tmp/netdiag-{killed}-")),
        "what the killed one left is removed first: {said}"
    );
    assert_nothing_of(killed);
    cluster.has_two_nodes();

    let second = cluster.process();
    let said = cluster.run(&["down"]);
    assert!(
        said.contains(&format!("network namespace netdiag-{second}-")),
        "{said}"
    );
    assert_nothing_of(second);
    assert_eq!((settings_of_host().unwrap(), links()), before);
}

/// Runs the program with a folder of its own, so that a developer's cluster is another one.
struct Cluster {
    folder: PathBuf,
    // In the order of their end: the cluster, then the folder where it is noted.
    _down: Undo,
    _folder: TemporaryFolder,
}

impl Cluster {
    fn new() -> Self {
        let folder = TemporaryFolder::new("cluster-for-people").unwrap();
        let path = folder.path().to_path_buf();
        let doomed = path.clone();
        let down = Undo::register(move || {
            // A failed test shows its own error.
            let _ = program(&doomed).arg("down").output();
        });
        Self {
            folder: path,
            _down: down,
            _folder: folder,
        }
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments).unwrap()
    }

    fn try_run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        process::run(program(&self.folder).args(arguments))
    }

    fn has_two_nodes(&self) {
        let nodes = self.run(&["shell", "kubectl", "get", "nodes", "--no-headers"]);
        let ready = nodes.lines().filter(|node| node.contains(" Ready "));
        assert_eq!(ready.count(), 2, "{nodes}");
    }

    /// The process that holds it.
    fn process(&self) -> u32 {
        let noted = fs::read(self.folder.join("cluster.json")).unwrap();
        let noted: Value = serde_json::from_slice(&noted).unwrap();
        u32::try_from(noted["process"].as_u64().unwrap()).unwrap()
    }
}

fn program(folder: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_netdiag-cluster"));
    program.arg("--folder").arg(folder);
    program
}

/// Names of the links in this machine's own network.
fn links() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.map(|name| name.display().to_string()).collect()
}

/// Asserts that nothing is left of a cluster, whose parts have the number of its process in their names.
#[track_caller]
fn assert_nothing_of(process: u32) {
    let remains = Remains::of(process);
    assert!(remains.is_empty(), "{remains}");
    let name = format!("netdiag-{process}-");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&name), "{mounts}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    for process in processes.map(|entry| entry.path()) {
        for file in ["cmdline", "cgroup"] {
            // A process may end meanwhile.
            let text = fs::read(process.join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(&name), "{}: {text}", process.display());
        }
    }
}
