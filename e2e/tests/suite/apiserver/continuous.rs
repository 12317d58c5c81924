//! A run of window after window on a real API server: the faults that are there, those that are over, and what cannot be
//! said.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netdiag_agent::run::simulated::{Played, Simulation};
use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::process::Process;
use netdiag_e2e::{cluster, wait};
use serde_json::{Value, json};

use super::agents::{Agent, ending_after, evidence, healthy, locked};
use super::diagnosis;
use super::outages::{install_crds, start_controller};

const NAME: &str = "watch";
/// The node with the fault.
const FAULTY: &str = "faulty";
/// The node whose agent ends.
const LEAVING: &str = "leaving";
/// Seconds of the run's interval. Windows here are shorter; the time after which a silent agent is missed is not.
const INTERVAL: u64 = 60;

/// Longer than what is over is kept in a result.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// The evidence that the windows of a node see.
#[derive(Clone, Copy, Default)]
enum Scene {
    /// Nothing to act on.
    #[default]
    Healthy,
    /// A pod loses packets at a device with a smaller MTU.
    Faulty,
    /// Evidence that ends the thread of the window.
    Unbearable,
    /// As healthy, and two hours later by the node's clock.
    Later,
}

/// Windows of half a second each, which see the scene that is set.
#[derive(Clone, Default)]
struct Stage(Arc<Mutex<Scene>>);

impl Stage {
    /// Changes what windows see from now on.
    fn set(&self, scene: Scene) {
        *locked(&self.0) = scene;
    }

    /// The windows.
    fn windows(&self) -> Simulation {
        let (healthy, scene) = (healthy(), Arc::clone(&self.0));
        let faulty = evidence("link_mtu", "faults.veth_with_a_smaller_end");
        Simulation::played(move |_| {
            let (window, later) = match *locked(&scene) {
                Scene::Healthy => (&healthy, Duration::ZERO),
                Scene::Faulty => (&faulty, Duration::ZERO),
                Scene::Later => (&healthy, LONG),
                Scene::Unbearable => return Played::Panic,
            };
            Played::Evidence(Box::new(ending_after(window.clone(), later)))
        })
    }
}

/// A continuous run on two nodes.
struct Watched {
    // All programs end before the control plane does.
    controller: RefCell<Option<Process>>,
    agent: RefCell<Option<Agent>>,
    stage: Stage,
    kubectl: Kubectl,
    plane: ControlPlane,
}

impl Watched {
    fn begin() -> Self {
        let plane = ControlPlane::start().unwrap();
        let kubectl = plane.kubectl();
        install_crds(&kubectl);
        for node in [FAULTY, LEAVING] {
            kubectl.create_node(node, &json!({})).unwrap();
        }
        let watched = Self {
            controller: RefCell::default(),
            agent: RefCell::default(),
            stage: Stage::default(),
            kubectl,
            plane,
        };
        watched.start_both_programs();
        watched
    }

    /// Kills both programs if they run, and starts them.
    fn start_both_programs(&self) {
        if let Some(controller) = self.controller.take() {
            controller.kill().unwrap();
        }
        drop(self.agent.take());
        let kubeconfig = self.plane.kubeconfig();
        self.controller
            .replace(Some(start_controller(&kubeconfig, &[])));
        self.agent.replace(Some(Agent::start(
            &kubeconfig,
            FAULTY,
            self.stage.windows(),
        )));
    }

    fn start_other_agent(&self) -> Agent {
        Agent::start(
            &self.plane.kubeconfig(),
            LEAVING,
            Stage::default().windows(),
        )
    }

    /// The diagnosis as soon as this holds of it.
    #[track_caller]
    fn diagnosis(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, wait::LIMIT, || {
            let diagnosis = self.kubectl.get(&["nnd", NAME])?;
            Ok(holds(&diagnosis).then_some(diagnosis))
        })
        .unwrap()
    }

    /// The result of the node with the fault as soon as this holds of it.
    #[track_caller]
    fn result(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, wait::LIMIT, || {
            let result = cluster::result(&self.kubectl, NAME, FAULTY)?;
            Ok(holds(&result).then_some(result))
        })
        .unwrap()
    }
}

/// True if this is the status of the condition FindingsPresent.
fn has_findings(diagnosis: &Value, status: &str) -> bool {
    cluster::condition(diagnosis, "FindingsPresent") == Some(status)
}

fn is_found(result: &Value) -> bool {
    result["findings"][0]["check"] == "LinkMtu"
}

#[test]
#[ignore = "needs a control plane"]
fn a_continuous_run_tells_what_is_and_what_is_over_after_each_restart() {
    let watched = Watched::begin();
    let other = watched.start_other_agent();
    let spec = json!({
        "nodes": { "names": [FAULTY, LEAVING] }, "continuous": { "intervalSeconds": INTERVAL },
    });
    watched.kubectl.apply(&diagnosis(NAME, &spec)).unwrap();
    let begun = watched.diagnosis("both nodes", |it| {
        it["status"]["summary"]["nodes"] == "2/2" && has_findings(it, "False")
    });
    // From here on its heartbeat is missing.
    drop(other);

    let finding = assert_fault_is_shown(&watched);
    assert_restarts_lose_nothing(&watched, &finding);
    let resolved = assert_end_of_fault_is_told(&watched, &finding);
    assert_failed_window_costs_itself_only(&watched, &resolved);
    watched.stage.set(Scene::Later);
    watched.result("what is over to be forgotten", |result| {
        result["resolved"].is_null()
    });
    assert_silent_agent_is_missed(&watched);

    let _other = watched.start_other_agent();
    let back = watched.diagnosis("the agent to be back", |it| {
        it["status"]["nodes"]["unreachable"] == 0 && has_findings(it, "False")
    });
    for part in ["runGeneration", "startTime"] {
        let (then, now) = (&begun["status"][part], &back["status"][part]);
        assert_eq!(then, now, "{part}: it is still the same run");
    }
}

/// The finding.
fn assert_fault_is_shown(watched: &Watched) -> Value {
    watched.stage.set(Scene::Faulty);
    let found = watched.result("the fault", is_found);
    let shown = watched.diagnosis("the fault to be shown", |it| has_findings(it, "True"));
    assert_eq!(shown["status"]["nodes"]["affected"], 1, "{shown:#}");
    found["findings"][0].clone()
}

fn assert_restarts_lose_nothing(watched: &Watched, finding: &Value) {
    watched.start_both_programs();
    let again = watched.result("another window", |result| {
        is_found(result) && result["findings"][0]["lastSeen"] != finding["lastSeen"]
    });
    let again = &again["findings"][0];
    assert_eq!(again["firstSeen"], finding["firstSeen"], "{again:#}");
    watched.diagnosis("the fault to be shown still", |it| has_findings(it, "True"));
}

/// The entry of what is over.
fn assert_end_of_fault_is_told(watched: &Watched, finding: &Value) -> Value {
    watched.stage.set(Scene::Healthy);
    let over = watched.result("the end of the fault", |result| {
        result["resolved"][0]["id"] == finding["id"]
    });
    assert!(!is_found(&over), "{over:#}");
    let resolved = over["resolved"][0].clone();
    assert_eq!(resolved["firstSeen"], finding["firstSeen"], "{over:#}");
    let time = |time: &Value| time.as_str().unwrap().to_owned();
    let end = time(&resolved["resolvedTime"]);
    assert!(end >= time(&resolved["lastSeen"]), "{over:#}");
    assert!(end <= time(&over["window"]["endTime"]), "{over:#}");
    watched.diagnosis("no fault to be shown", |it| !has_findings(it, "True"));
    resolved
}

/// The node keeps what is known, and its next window begins an interval later.
fn assert_failed_window_costs_itself_only(watched: &Watched, resolved: &Value) {
    watched.stage.set(Scene::Unbearable);
    let failed = watched.result("a window that fails", |result| result["state"] == "Failed");
    watched.stage.set(Scene::Healthy);
    assert_eq!(failed["resolved"][0], *resolved, "{failed:#}");
    watched.diagnosis("the failure to be told", |it| {
        let conditions = it["status"]["conditions"].to_string();
        !has_findings(it, "False") && conditions.contains(&format!("1 failed ({FAULTY}"))
    });
    let after = watched.result("the window after it", |result| result["state"] != "Failed");
    assert_eq!(after["resolved"][0], *resolved, "{after:#}");
}

fn assert_silent_agent_is_missed(watched: &Watched) {
    let missed = watched.diagnosis("the agent to be missed", |it| {
        it["status"]["nodes"]["unreachable"] == 1
    });
    let conditions = missed["status"]["conditions"].to_string();
    let blame = format!("{LEAVING} agent silent");
    assert!(conditions.contains(&blame), "{missed:#}");
    assert!(
        !has_findings(&missed, "False"),
        "half of the nodes say nothing: {missed:#}"
    );
}
