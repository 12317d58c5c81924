//! Two controllers, one lease: with the permissions of the chart and nothing more.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::process::Process;
use netdiag_e2e::{cluster, helm, http, programs, wait};
use serde_json::{Value, json};

use crate::CONTROL_PLANE;

const NAMESPACE: &str = "netdiag-system";
/// The objects that the chart gives a controller: an account with its permissions.
const GRANTED: [&str; 5] = [
    "--name-template=netdiag",
    "--namespace",
    NAMESPACE,
    "--show-only",
    "templates/controller/access.yaml",
];
/// The time for which a lease holds that nobody renews.
const LEASE: Duration = Duration::from_secs(15);

/// A controller that takes part in the election.
pub struct Replica {
    pub process: Process,
    address: SocketAddr,
}

impl Replica {
    /// Starts one with these arguments besides.
    pub fn start(name: &str, kubeconfig: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(programs::controller().unwrap());
        command.args(["run", "--lease-namespace", NAMESPACE, "--kubeconfig"]);
        command.arg(kubeconfig).args(["--listen", "127.0.0.1:0"]);
        command.args(more);
        let log = kubeconfig.with_extension(format!("{name}.log"));
        let process = Process::start(name, command, &log).unwrap();
        let address = wait::until("the port", wait::LIMIT, || {
            process.check_running()?;
            let said = process.log_tail();
            let address = said.split("address=").nth(1);
            Ok(address.and_then(|rest| rest.split_whitespace().next()?.parse().ok()))
        });
        Self {
            process,
            address: address.unwrap(),
        }
    }

    fn get(&self, path: &str) -> String {
        http::get(self.address, path).unwrap()
    }

    fn leads(&self) -> bool {
        let metrics = self.get("/metrics");
        metrics
            .lines()
            .any(|line| line == "netdiag_controller_leader 1")
    }

    pub fn wait_until_leading(&self) {
        wait::until("a leader", wait::LIMIT, || {
            self.process.check_running()?;
            Ok(self.leads().then_some(()))
        })
        .unwrap();
    }
}

#[test]
#[ignore = "needs a control plane"]
fn the_second_replica_takes_over_when_the_first_dies_or_resigns() {
    let kubectl = CONTROL_PLANE.kubectl();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
    });
    kubectl.apply(&namespace.to_string()).unwrap();
    let granted = helm::about_chart("template", &GRANTED).unwrap();
    kubectl.apply(&granted).unwrap();
    let token = kubectl
        .token(NAMESPACE, "netdiag-controller", None)
        .unwrap();
    let kubeconfig = CONTROL_PLANE
        .kubeconfig_with_token("replicas", &token)
        .unwrap();

    let first = Replica::start("first", &kubeconfig, &[]);
    first.wait_until_leading();
    let account = kubectl
        .get(&["serviceaccount", "netdiag-controller", "-n", NAMESPACE])
        .unwrap();
    assert_eq!(
        lease(&kubectl)["metadata"]["ownerReferences"][0]["uid"],
        account["metadata"]["uid"],
        "it goes with the account"
    );
    let second = Replica::start("second", &kubeconfig, &[]);
    assert_work_is_done(&kubectl, "with-the-first");
    assert!(!second.leads(), "one at a time");
    assert_a_deleted_lease_comes_back(&kubectl, &first);
    // It can take over at any moment, so it is ready.
    assert!(second.get("/readyz").starts_with("HTTP/1.1 200"));

    begin_run(&kubectl);
    first.process.kill().unwrap();
    let killed = Instant::now();
    // Lost while nobody is there to see it.
    kubectl.run(&["delete", "nnr", MEMBERS[1]]).unwrap();
    second.wait_until_leading();
    println!("taken over {} s after a crash", killed.elapsed().as_secs());
    assert_work_is_done(&kubectl, "with-the-second");
    assert_run_goes_on(&kubectl);
    let passes = second.get("/metrics");
    assert!(
        passes.contains(
            r#"netdiag_controller_reconcile_total{controller="diagnosis",result="failed"} 0"#
        ),
        "{passes}"
    );
    assert!(
        passes.contains(r#"netdiag_controller_diagnoses{state="Degraded"}"#),
        "{passes}"
    );

    // One that ends in order gives the lease up, so the next need not wait until it runs out.
    let third = Replica::start("third", &kubeconfig, &[]);
    let ended = Instant::now();
    second.process.terminate();
    third.wait_until_leading();
    let took = ended.elapsed();
    assert!(took < LEASE, "{took:?}");
    for name in ["with-the-first", "with-the-second", ACROSS] {
        kubectl.run(&["delete", "nnd", name]).unwrap();
    }
}

fn lease(kubectl: &Kubectl) -> Value {
    kubectl
        .get(&["lease", "netdiag-controller", "-n", NAMESPACE])
        .unwrap()
}

/// As Helm deletes the Lease that an older chart made.
fn assert_a_deleted_lease_comes_back(kubectl: &Kubectl, leader: &Replica) {
    let before = lease(kubectl);
    kubectl
        .run(&["delete", "lease", "netdiag-controller", "-n", NAMESPACE])
        .unwrap();
    wait::until("the lease", wait::LIMIT, || {
        let get = ["lease", "netdiag-controller", "-n", NAMESPACE];
        Ok(kubectl.get(&get).ok())
    })
    .unwrap();
    let holder = |lease: &Value| lease["spec"]["holderIdentity"].clone();
    assert_eq!(holder(&lease(kubectl)), holder(&before));
    assert!(leader.leads());
}

/// A diagnosis of a node that is not there completes, which takes a controller.
fn assert_work_is_done(kubectl: &Kubectl, name: &str) {
    let manifest = cluster::once(name, &["no-such-node"], 1).to_string();
    kubectl.apply(&manifest).unwrap();
    cluster::wait_until_complete(kubectl, name, wait::LIMIT).unwrap();
    // Events follow the status that they tell of.
    let events = wait::until("the events", wait::LIMIT, || {
        let described = kubectl.run(&["describe", "nnd", name])?;
        let events = described.split("Events:").nth(1).unwrap_or_default();
        Ok(events
            .contains("netdiag-controller")
            .then(|| events.to_owned()))
    });
    let events = events.unwrap();
    let told = |word: &str| events.lines().filter(|line| line.contains(word)).count();
    assert_eq!(told("Warning  Degraded"), 1, "{events}");
}

/// A run that begins under one leader and ends under the next.
const ACROSS: &str = "across-leaders";
const MEMBERS: [&str; 2] = ["member-1", "member-2"];

/// The assignment of [`ACROSS`] on a node.
fn assignment(kubectl: &Kubectl, node: &str) -> Value {
    wait::until(&format!("the assignment of {node}"), wait::LIMIT, || {
        let Ok(report) = kubectl.get(&["nnr", node]) else {
            return Ok(None);
        };
        let assignments = report["spec"]["assignments"].as_array();
        let own = assignments
            .into_iter()
            .flatten()
            .find(|assignment| assignment["name"] == ACROSS);
        Ok(own.cloned())
    })
    .unwrap()
}

fn begin_run(kubectl: &Kubectl) {
    for node in MEMBERS {
        kubectl.create_node(node, &json!({})).unwrap();
    }
    let manifest = cluster::once(ACROSS, &MEMBERS, 1).to_string();
    kubectl.apply(&manifest).unwrap();
    for node in MEMBERS {
        assignment(kubectl, node);
    }
}

/// The next leader knows who takes part, gives a node that lost its report its part again, and blames nobody for the
/// time in which there was no leader.
fn assert_run_goes_on(kubectl: &Kubectl) {
    let status = || kubectl.get(&["nnd", ACROSS]).unwrap()["status"].clone();
    for node in MEMBERS {
        let assignment = assignment(kubectl, node);
        let running = status();
        assert_eq!(running["members"], json!(MEMBERS));
        assert_eq!(running["nodes"]["selected"], 2, "{running:#}");
        assert_eq!(running["nodes"]["unreachable"], 0, "{running:#}");
        let report = json!({ "status": { "results": [{
            "diagnosis": ACROSS,
            "diagnosisUID": assignment["uid"],
            "runGeneration": assignment["runGeneration"],
            "state": "Finished",
        }] } });
        let report = report.to_string();
        let patch = ["patch", "nnr", node, "--subresource=status", "--type=merge"];
        kubectl
            .run(&[&patch[..], &["-p", &report]].concat())
            .unwrap();
    }
    cluster::wait_until_complete(kubectl, ACROSS, wait::LIMIT).unwrap();
    let ended = status();
    assert_eq!(ended["summary"]["nodes"], "2/2", "{ended:#}");
    assert_eq!(ended["summary"]["state"], "Complete", "{ended:#}");
}
