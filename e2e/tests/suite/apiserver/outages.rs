//! Control planes that fail while runs go on: no result is lost, and no node is blamed for what could not be seen.
//!
//! A window ends when the test says so, therefore each is surely under way, or surely over, while nobody can be told.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::process::Process;
use netdiag_e2e::{cluster, programs, wait};
use serde_json::{Value, json};

use super::agents::{Agent, Gate};
use super::chart::{Installed, NAMESPACE};
use super::election::Replica;

const NODE: &str = "outlives";
/// Longer than a node may take for a window of a second, so that a deadline which went on meanwhile would be over.
const OUTAGE: Duration = Duration::from_secs(64);
/// Longer than the pauses with which both programs open refused watches again at first.
const MOMENT: Duration = Duration::from_secs(15);
/// The kinds of netdiag.
const CRDS: [&str; 2] = ["nodenetdiagnoses.netdiag.dev", "nodenetreports.netdiag.dev"];
/// A window that ends when nobody takes its result, and one that ends later. Each with its seconds.
const AT_THE_REPORT: (&str, u64) = ("at-the-report", 1);
const MID_WINDOW: (&str, u64) = ("mid-window", 120);

/// A control plane with a controller, and one node with an agent.
struct Cluster {
    // Both programs end before the control plane does.
    controller: Process,
    _agent: Agent,
    gate: Gate,
    kubectl: Kubectl,
    plane: ControlPlane,
}

impl Cluster {
    /// Starts all of it; the controller with these flags besides.
    fn start(flags: &[&str]) -> Self {
        let plane = ControlPlane::start().unwrap();
        let kubectl = plane.kubectl();
        install_crds(&kubectl);
        kubectl.create_node(NODE, &json!({})).unwrap();
        let gate = Gate::default();
        Self {
            controller: start_controller(&plane.kubeconfig(), flags),
            _agent: Agent::start(&plane.kubeconfig(), NODE, gate.windows()),
            gate,
            kubectl,
            plane,
        }
    }

    /// Applies a diagnosis and waits until its window has begun.
    fn begin(&self, (name, seconds): (&str, u64)) {
        begin(&self.kubectl, name, seconds);
    }

    fn begin_both(&self) {
        self.begin(AT_THE_REPORT);
        self.begin(MID_WINDOW);
    }

    #[track_caller]
    fn assert_both_end(&self) {
        assert_result_came(&self.kubectl, AT_THE_REPORT.0);
        self.gate.open(MID_WINDOW.0);
        assert_result_came(&self.kubectl, MID_WINDOW.0);
    }

    /// Asserts that a window which is still under way gives the run its result.
    #[track_caller]
    fn assert_ends(&self, name: &str) {
        self.gate.open(name);
        assert_result_came(&self.kubectl, name);
        self.controller.check_running().unwrap();
    }
}

pub fn install_crds(kubectl: &Kubectl) {
    let crds = netdiag_crds::schema::yaml().unwrap();
    kubectl.install_crds(&crds).unwrap();
}

pub fn start_controller(kubeconfig: &Path, flags: &[&str]) -> Process {
    let mut command = Command::new(programs::controller().unwrap());
    command.args(["run", "--listen", "127.0.0.1:0", "--kubeconfig"]);
    command.arg(kubeconfig).args(flags);
    let log = kubeconfig.with_extension("controller.log");
    Process::start("netdiag-controller", command, &log).unwrap()
}

fn begin(kubectl: &Kubectl, name: &str, seconds: u64) {
    let manifest = cluster::once(name, &[NODE], seconds).to_string();
    // Discovery may take a moment to know a kind that was deleted.
    wait::until("the kind", wait::LIMIT, || {
        kubectl.apply(&manifest).map(Some)
    })
    .unwrap();
    cluster::wait_until_running(kubectl, name, NODE).unwrap();
}

/// Asserts that a run ended with its node's first window, and that nothing else was said in between.
#[track_caller]
fn assert_result_came(kubectl: &Kubectl, name: &str) {
    let diagnosis = cluster::wait_until_complete(kubectl, name, wait::LIMIT).unwrap();
    let status = &diagnosis["status"];
    let counts = &status["nodes"];
    for (count, expected) in [("selected", 1), ("reported", 1), ("unreachable", 0)] {
        assert_eq!(counts[count], expected, "{count}: {status:#}");
    }
    let result = cluster::result(kubectl, name, NODE).unwrap();
    assert_eq!(result["state"], "Finished", "{result:#}");
    assert_eq!(result["window"]["attempts"], 1, "{result:#}");
    let described = kubectl.run(&["describe", "nnd", name]).unwrap();
    for blame in ["silent", "no agent", "not assigned", "NotReady"] {
        assert!(!described.contains(blame), "{blame}: {described}");
    }
}

#[track_caller]
fn assert_lost_its_lease(controller: &Process) {
    let end = wait::until("the end of the leader", wait::LIMIT, || {
        Ok(controller.check_running().err())
    });
    let end = end.unwrap().to_string();
    assert!(end.contains("failed to renew the lease in time"), "{end}");
}

/// The API server accepts connections and answers nothing. The leader loses its lease, and its pod starts it anew.
fn api_server_hangs() {
    let lease = ["--lease-namespace", "default"];
    let mut cluster = Cluster::start(&lease);
    cluster.begin_both();
    cluster.plane.apiserver().freeze();
    cluster.gate.open(AT_THE_REPORT.0);
    thread::sleep(OUTAGE);
    assert_lost_its_lease(&cluster.controller);
    cluster.plane.apiserver().thaw();
    cluster.controller = start_controller(&cluster.plane.kubeconfig(), &lease);
    cluster.assert_both_end();
}

/// The same with a controller that holds no lease, so that it sees the whole outage.
fn api_server_stops() {
    let mut cluster = Cluster::start(&[]);
    cluster.begin_both();
    cluster.gate.open(AT_THE_REPORT.0);
    cluster.plane.restart_apiserver(OUTAGE).unwrap();
    cluster.assert_both_end();
    cluster.controller.check_running().unwrap();
}

/// The API server answers, with errors.
fn store_is_killed() {
    let mut cluster = Cluster::start(&[]);
    cluster.begin_both();
    cluster.gate.open(AT_THE_REPORT.0);
    cluster.plane.restart_etcd(OUTAGE).unwrap();
    cluster.assert_both_end();
    cluster.controller.check_running().unwrap();
}

#[test]
#[ignore = "needs a control plane"]
fn a_minute_without_api_server_or_store_costs_no_run_its_result() {
    // Side by side: all three do little more than wait.
    thread::scope(|scope| {
        let outages = [api_server_hangs, api_server_stops, store_is_killed];
        let threads = outages.map(|outage| scope.spawn(outage));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
#[ignore = "needs a control plane"]
fn a_run_outlives_its_report_and_a_controller_its_kinds() {
    let cluster = Cluster::start(&[]);
    let kubectl = &cluster.kubectl;
    cluster.begin(("report-deleted", 60));
    let uid = || {
        let report = kubectl.get(&["nnr", NODE]);
        report.map(|report| report["metadata"]["uid"].clone())
    };
    let lost = uid().unwrap();
    kubectl.run(&["delete", "nnr", NODE]).unwrap();
    wait::until("another report", wait::LIMIT, || {
        Ok(uid().ok().filter(|uid| *uid != lost))
    })
    .unwrap();
    cluster.assert_ends("report-deleted");

    cluster.begin(("kinds-deleted", 60));
    kubectl
        .run(&[&["delete", "crd"], &CRDS[..]].concat())
        .unwrap();
    // Watches of both programs end, and are refused for a while.
    thread::sleep(MOMENT);
    install_crds(kubectl);
    cluster.begin(("kinds-are-back", 60));
    cluster.assert_ends("kinds-are-back");
    kubectl.get(&["nnd", "kinds-deleted"]).unwrap_err();
    // Nobody asks for the former results any more.
    let report = kubectl.get(&["nnr", NODE]).unwrap();
    let results = report["status"]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{results:#?}");
}

/// A leader that the kernel gives no time for a while, and an agent whose token is taken no more.
#[test]
#[ignore = "needs a control plane"]
fn a_run_outlives_a_frozen_leader_and_the_end_of_its_agents_token() {
    let installed = Installed::new(&[]);
    let (kubectl, plane) = (&installed.kubectl, &installed.plane);
    let account = "netdiag-controller";
    let token = kubectl.token(NAMESPACE, account, None).unwrap();
    let kubeconfig = plane.kubeconfig_with_token(account, &token).unwrap();
    let first = Replica::start("frozen", &kubeconfig, &[]);
    first.wait_until_leading();
    let second = Replica::start("awake", &kubeconfig, &[]);

    let file = plane.folder().join("token");
    let token = installed.agent_token(NODE, "before");
    fs::write(&file, &token).unwrap();
    let kubeconfig = plane.kubeconfig_with_token_file("agent", &file).unwrap();
    let gate = Gate::default();
    let _agent = Agent::start(&kubeconfig, NODE, gate.windows());
    let name = "across-a-freeze";
    begin(kubectl, name, 300);

    first.process.freeze();
    // As an expired one: its holder is nobody any more.
    installed.delete_pod("before");
    second.wait_until_leading();
    let lease = || kubectl.get(&["lease", account, "-n", NAMESPACE]).unwrap();
    let holder = |lease: &Value| {
        let spec = &lease["spec"];
        [
            spec["holderIdentity"].clone(),
            spec["leaseTransitions"].clone(),
        ]
    };
    let leads = holder(&lease());
    first.process.thaw();
    assert_lost_its_lease(&first.process);
    assert_eq!(holder(&lease()), leads);

    let with_it = plane.kubeconfig_with_token("before", &token).unwrap();
    let with_it = Kubectl::new(&with_it);
    // The API server remembers for some seconds whose token it was.
    wait::until("the end of the token", wait::LIMIT, || {
        let answer = with_it.run(&["get", "nnr", NODE]).err();
        Ok(answer.filter(|error| error.to_string().contains("must be logged in")))
    })
    .unwrap();
    gate.open(name);
    thread::sleep(MOMENT);
    let running = kubectl.get(&["nnd", name]).unwrap();
    let completion = &running["status"]["completionTime"];
    assert_eq!(*completion, Value::Null, "{running:#}");
    fs::write(&file, installed.agent_token(NODE, "after")).unwrap();
    assert_result_came(kubectl, name);
    second.process.check_running().unwrap();
}
