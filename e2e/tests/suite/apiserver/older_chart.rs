//! Upgrades from the chart 0.1, and the way back, while a continuous diagnosis runs.

use std::path::Path;
use std::process::Command;

use netdiag_e2e::cleanup::TemporaryFolder;
use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::helm::{CHART, Helm, IMAGES};
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::process::{self, Process};
use netdiag_e2e::{cluster, programs, wait};
use serde_json::{Value, json};

use super::chart::{Installed, NAMESPACE};
use super::diagnosis;
use super::election::Replica;

/// The last commit of release 0.1.
const RELEASE_0_1: &str = "891dcd0";
const NODE: &str = "upgraded";
const NAME: &str = "continuous";
const LEASE: [&str; 4] = ["lease", "netdiag-controller", "-n", NAMESPACE];

/// The chart of release 0.1; `None` in a copy of the sources that has no history.
fn first_chart(folder: &Path) -> Option<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let archive = folder.join("chart.tar");
    let mut git = Command::new("git");
    git.args(["-C", root, "archive", "--output"]).arg(&archive);
    process::run(git.args([RELEASE_0_1, "charts/netdiag"])).ok()?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(&archive).arg("-C").arg(folder);
    process::run(&mut tar).unwrap();
    Some(folder.join("charts/netdiag").to_str().unwrap().to_owned())
}

fn start_agent(plane: &ControlPlane) -> Process {
    let kubeconfig = plane.kubeconfig();
    let mut command = Command::new(programs::agent().unwrap());
    command.args(["run", "--node-name", NODE, "--listen", "127.0.0.1:0"]);
    command.arg("--kubeconfig").arg(&kubeconfig);
    let log = kubeconfig.with_extension("agent.log");
    Process::start("netdiag-agent", command, &log).unwrap()
}

fn lease_uid(kubectl: &Kubectl) -> Value {
    kubectl.get(&LEASE).unwrap()["metadata"]["uid"].clone()
}

/// The run as both sides know it: its number, its begin, and the node's part in it.
fn run(kubectl: &Kubectl) -> Value {
    let status = kubectl.get(&["nnd", NAME]).unwrap()["status"].clone();
    let report = kubectl.get(&["nnr", NODE]).unwrap();
    let assignment = &report["spec"]["assignments"][0];
    json!([
        status["runGeneration"],
        status["runInputs"],
        status["startTime"],
        assignment["uid"],
        assignment["runGeneration"],
    ])
}

fn window(kubectl: &Kubectl) -> Value {
    let result = cluster::result(kubectl, NAME, NODE).unwrap();
    result["window"].clone()
}

#[test]
#[ignore = "needs a control plane"]
fn a_continuous_diagnosis_goes_on_through_an_upgrade_of_the_first_chart_and_a_rollback() {
    let folder = TemporaryFolder::new("first-chart").unwrap();
    let Some(first) = first_chart(folder.path()) else {
        println!("SKIP {NAME}: commit {RELEASE_0_1} is not in this copy of the sources");
        return;
    };
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    let program = Helm::new(&plane.kubeconfig(), NAMESPACE);
    let helm = |verb: &[&str]| program.run(&[verb, &IMAGES].concat()).unwrap();
    helm(&["install", "netdiag", &first, "--create-namespace"]);
    let node = json!({ "kubernetes.io/os": "linux" });
    kubectl.create_node(NODE, &node).unwrap();
    let arguments = ["--agents=netdiag-agent", "--helm-release=netdiag"];
    let controller = Replica::start("upgraded", &plane.kubeconfig(), &arguments);
    let agent = start_agent(&plane);
    let spec = json!({ "nodes": { "all": true }, "continuous": { "intervalSeconds": 60 } });
    let manifest = diagnosis(NAME, &spec);
    wait::until("the kind", wait::LIMIT, || {
        Ok(kubectl.apply(&manifest).ok())
    })
    .unwrap();
    wait::until("the first window", wait::LIMIT, || {
        let result = cluster::result(&kubectl, NAME, NODE).unwrap_or_default();
        Ok((result["state"] == "Running").then_some(()))
    })
    .unwrap();
    let (before, first_window, lease) = (run(&kubectl), window(&kubectl), lease_uid(&kubectl));
    assert_eq!(before[0], 1, "{before:#}");

    let goes_on = |when: &str| {
        controller.process.check_running().unwrap();
        agent.check_running().unwrap();
        assert_eq!(run(&kubectl), before, "{when}");
        assert_eq!(lease_uid(&kubectl), lease, "{when}: nobody else led");
        let attempts = window(&kubectl)["attempts"].clone();
        assert_eq!(attempts, 1, "{when}: no window was begun anew");
    };
    helm(&["upgrade", "netdiag", CHART]);
    goes_on("after the upgrade");
    program.run(&["rollback", "netdiag", "1"]).unwrap();
    goes_on("after the rollback");
    helm(&["upgrade", "netdiag", CHART]);
    goes_on("after the second upgrade");

    let ended = wait::until("the end of the first window", wait::LIMIT, || {
        let window = window(&kubectl);
        Ok((!window["endTime"].is_null()).then_some(window))
    })
    .unwrap();
    assert_eq!(ended["startTime"], first_window["startTime"], "{ended:#}");
    goes_on("after the first window");
    let status = wait::until("the first window's result", wait::LIMIT, || {
        let status = kubectl.get(&["nnd", NAME])?["status"].clone();
        Ok((status["summary"]["nodes"] == "1/1").then_some(status))
    })
    .unwrap();
    assert_eq!(status["runGeneration"], 1, "{status:#}");
}

#[test]
#[ignore = "needs a control plane"]
fn an_upgrade_takes_over_the_lease_that_the_controller_made_and_a_rollback_leaves_it_to_it() {
    let installed = Installed::new(&[]);
    let kubectl = &installed.kubectl;
    kubectl.get(&LEASE).unwrap_err();
    let account = "netdiag-controller";
    let token = kubectl.token(NAMESPACE, account, None).unwrap();
    let kubeconfig = installed.plane.kubeconfig_with_token(account, &token);
    let arguments = ["--helm-release=netdiag"];
    let controller = Replica::start(account, &kubeconfig.unwrap(), &arguments);
    controller.wait_until_leading();
    let made = lease_uid(kubectl);

    let upgrade = ["upgrade", "netdiag", CHART, "--set=controller.replicas=3"];
    for _ in 0..2 {
        let upgrade = [&upgrade, &IMAGES[..]].concat();
        installed.helm.run(&upgrade).unwrap();
        assert_eq!(lease_uid(kubectl), made);
    }
    // The first revision had none: Helm deletes it, and who leads makes it again.
    let rollback = ["rollback", "netdiag", "1"];
    installed.helm.run(&rollback).unwrap();
    let again = wait::until("the lease", wait::LIMIT, || Ok(kubectl.get(&LEASE).ok())).unwrap();
    assert_ne!(again["metadata"]["uid"], made);
    controller.process.check_running().unwrap();
    let upgrade = [&upgrade, &IMAGES[..]].concat();
    installed.helm.run(&upgrade).unwrap();
}
