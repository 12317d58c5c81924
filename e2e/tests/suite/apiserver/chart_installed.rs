//! The chart's objects on a real API server with its controller at work: no permission is the test's own.

use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::{cluster, wait};
use serde_json::{Value, json};

use super::chart::{Installed, NAMESPACE};
use super::diagnosis;
use super::election::Replica;
use super::report_status::apply_status;

/// Agents on Linux nodes that are not virtual and have no taint.
const ON_SOME_NODES: &str = r#"{
    "tolerations": [],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]}]}
    ]}}}
}"#;

/// The nodes where the DaemonSet controller would put an agent, and the others.
const COVERED: &str = "linux";
const OTHERS: [&str; 3] = ["tainted", "virtual", "windows"];

/// The release with its controller, which is not run by a Deployment here.
struct AtWork {
    installed: Installed,
    _controller: Replica,
}

impl AtWork {
    fn new(values: &[&str]) -> Self {
        let installed = Installed::new(values);
        let account = "netdiag-controller";
        let token = installed.kubectl.token(NAMESPACE, account, None).unwrap();
        let kubeconfig = installed.plane.kubeconfig_with_token(account, &token);
        let agents = ["--agents", "netdiag-agent"];
        let controller = Replica::start(account, &kubeconfig.unwrap(), &agents);
        controller.wait_until_leading();
        wait::until("the kinds", wait::LIMIT, || {
            Ok(installed.kubectl.run(&["get", "nnd,nnr"]).ok())
        })
        .unwrap();
        Self {
            installed,
            _controller: controller,
        }
    }

    fn kubectl(&self) -> &Kubectl {
        &self.installed.kubectl
    }

    /// Writes what the agent of this node would, with these columns, for the assignment that it has.
    fn report(&self, node: &str, summary: &Value) {
        let report = wait::until("the assignment", wait::LIMIT, || {
            let report = self.kubectl().get(&["nnr", node]).unwrap_or_default();
            let is_assigned = !report["spec"]["assignments"][0].is_null();
            Ok(is_assigned.then_some(report))
        })
        .unwrap();
        let assignment = &report["spec"]["assignments"][0];
        let status = json!({
            "observedGeneration": report["metadata"]["generation"],
            "summary": summary,
            "results": [{
                "diagnosis": assignment["name"],
                "diagnosisUID": assignment["uid"],
                "runGeneration": assignment["runGeneration"],
                "state": "Finished",
            }],
        });
        apply_status(self.kubectl(), node, &status).unwrap();
    }
}

fn summary(harm: &str, severity: &str) -> Value {
    json!({ "probes": "8/8", "harm": harm, "severity": severity, "findings": 1, "unexplained": 0 })
}

fn degraded(diagnosis: &Value) -> String {
    let conditions = diagnosis["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|it| it["type"] == "Degraded");
    found.unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a control plane"]
fn all_nodes_are_those_where_the_daemon_set_puts_an_agent() {
    let at_work = AtWork::new(&["--set-json", &format!("agent={ON_SOME_NODES}")]);
    let kubectl = at_work.kubectl();
    let linux = json!({ "kubernetes.io/os": "linux" });
    for (node, labels) in [
        (COVERED, &linux),
        ("tainted", &linux),
        (
            "virtual",
            &json!({ "kubernetes.io/os": "linux", "type": "virtual-kubelet" }),
        ),
        ("windows", &json!({ "kubernetes.io/os": "windows" })),
    ] {
        kubectl.create_node(node, labels).unwrap();
    }
    let taint = ["taint", "node", "tainted", "dedicated=gpu:NoExecute"];
    kubectl.run(&taint).unwrap();

    let all = json!({ "nodes": { "all": true }, "once": { "durationSeconds": 1 } });
    kubectl.apply(&diagnosis("fleet", &all)).unwrap();
    at_work.report(COVERED, &summary("", ""));
    let complete = cluster::wait_until_complete(kubectl, "fleet", wait::LIMIT).unwrap();
    let status = &complete["status"];
    assert_eq!(status["summary"]["nodes"], "1/1", "{status:#}");
    assert_eq!(status["summary"]["state"], "Complete");
    assert_eq!(status["nodes"]["notCovered"], 3);
    assert_eq!(status["coverage"]["notCovered"], json!(OTHERS));
    assert_eq!(
        degraded(&complete),
        "every check was made on every node; 3 nodes not selected, because no agent can be there \
         (tainted, virtual, windows)"
    );

    // Named by a person, such a node is waited for.
    let named = json!({ "nodes": { "names": ["virtual"] } });
    kubectl.apply(&diagnosis("named", &named)).unwrap();
    wait::until("its assignment", wait::LIMIT, || {
        let report = kubectl.get(&["nnr", "virtual"]).unwrap_or_default();
        Ok((report["spec"]["assignments"][0]["name"] == "named").then_some(()))
    })
    .unwrap();

    // The role without the rule about the DaemonSet.
    let role = kubectl
        .get(&["role", "netdiag-controller", "-n", NAMESPACE])
        .unwrap();
    let mut rules = role["rules"].clone();
    let rules = rules.as_array_mut().unwrap();
    rules.retain(|rule| rule["resources"] != json!(["daemonsets"]));
    let patch = json!({ "rules": rules }).to_string();
    let role = ["patch", "role", "netdiag-controller", "-n", NAMESPACE];
    let patch = ["--type=merge", "-p", &patch];
    kubectl.run(&[&role[..], &patch].concat()).unwrap();
    // The authorizer reads roles from a cache.
    let account = format!("--as=system:serviceaccount:{NAMESPACE}:netdiag-controller");
    let may = ["auth", "can-i", "get", "daemonsets/netdiag-agent"];
    let may = [&may[..], &["-n", NAMESPACE, &account]].concat();
    wait::until("the role", wait::LIMIT, || {
        Ok(kubectl.run(&may).err().map(drop))
    })
    .unwrap();
    let again = ["annotate", "nnd", "fleet", "netdiag.dev/rerun=again"];
    kubectl.run(&again).unwrap();
    let told = wait::until("the second run", wait::LIMIT, || {
        let diagnosis = kubectl.get(&["nnd", "fleet"])?;
        let is_second = diagnosis["status"]["runGeneration"] == 2;
        Ok(is_second.then_some(diagnosis))
    })
    .unwrap();
    assert_eq!(told["status"]["nodes"]["selected"], 3);
    assert_eq!(told["status"]["coverage"]["notCovered"], json!(["windows"]));
    let why =
        "every Linux node was selected, because the DaemonSet netdiag-agent could not be read: ";
    let said = degraded(&told);
    assert!(said.contains(why) && said.contains("forbidden"), "{said}");
}

#[test]
#[ignore = "needs a control plane"]
fn reports_are_selected_by_label_as_long_as_they_are_as_bad() {
    let at_work = AtWork::new(&[]);
    let kubectl = at_work.kubectl();
    let linux = json!({ "kubernetes.io/os": "linux" });
    for node in ["a", "b"] {
        kubectl.create_node(node, &linux).unwrap();
    }
    let all = json!({ "nodes": { "all": true }, "once": { "durationSeconds": 1 } });
    kubectl.apply(&diagnosis("fleet", &all)).unwrap();
    let selected = |selector: &str| {
        let get = ["get", "nnr", "-l", selector, "-o", "name"];
        let said = kubectl.run(&get).unwrap();
        said.replace("nodenetreport.netdiag.dev/", "")
            .replace('\n', " ")
    };
    let becomes = |selector: &str, nodes: &str| {
        wait::until(selector, wait::LIMIT, || {
            Ok((selected(selector) == nodes).then_some(()))
        })
        .unwrap();
    };
    at_work.report("a", &summary("Outage", "Critical"));
    at_work.report("b", &summary("Loss", "Warning"));
    becomes("netdiag.dev/severity=Critical", "a ");
    becomes("netdiag.dev/severity in (Warning, Critical)", "a b ");
    becomes("netdiag.dev/harm=Loss", "b ");
    let generation = || kubectl.get(&["nnr", "a"]).unwrap()["metadata"]["generation"].clone();
    let before = generation();

    at_work.report("a", &summary("Loss", "Warning"));
    becomes("netdiag.dev/severity=Critical", "");
    becomes("netdiag.dev/harm=Loss", "a b ");
    // What nobody finds any more has no label; the node's work is as it was.
    at_work.report("b", &summary("", ""));
    becomes("netdiag.dev/severity", "a ");
    becomes("!netdiag.dev/harm", "b ");
    assert_eq!(generation(), before);
    let report = kubectl.get(&["nnr", "b"]).unwrap();
    assert_eq!(report["spec"]["assignments"][0]["name"], "fleet");
}

fn wait_for_run(kubectl: &Kubectl, name: &str, number: u32) {
    wait::until(&format!("run {number}"), wait::LIMIT, || {
        let diagnosis = kubectl.get(&["nnd", name])?;
        Ok((diagnosis["status"]["runGeneration"] == number).then_some(()))
    })
    .unwrap();
}

#[test]
#[ignore = "needs a control plane"]
fn under_gitops_a_rerun_by_annotation_stays_and_one_by_the_spec_is_reverted() {
    let at_work = AtWork::new(&[]);
    let kubectl = at_work.kubectl();
    let spec = json!({
        "nodes": { "names": ["a"] }, "once": { "durationSeconds": 1 }, "rerun": "first",
    });
    let git = diagnosis("fleet", &spec);
    kubectl.apply_as_argocd(&git).unwrap();
    wait_for_run(kubectl, "fleet", 1);

    let annotate = ["annotate", "nnd", "fleet", "netdiag.dev/rerun=by-hand"];
    kubectl.run(&annotate).unwrap();
    wait_for_run(kubectl, "fleet", 2);
    kubectl.apply_as_argocd(&git).unwrap();
    let healed = kubectl.get(&["nnd", "fleet"]).unwrap();
    let annotation = &healed["metadata"]["annotations"]["netdiag.dev/rerun"];
    assert_eq!(annotation, "by-hand", "{healed:#}");

    let patch = json!({ "spec": { "rerun": "by-hand" } }).to_string();
    let patch = ["patch", "nnd", "fleet", "--type=merge", "-p", &patch];
    kubectl.run(&patch).unwrap();
    wait_for_run(kubectl, "fleet", 3);
    // Self-heal: the spec is Git's again, which is one more edit.
    kubectl.apply_as_argocd(&git).unwrap();
    let healed = kubectl.get(&["nnd", "fleet"]).unwrap();
    assert_eq!(healed["spec"]["rerun"], "first");
    wait_for_run(kubectl, "fleet", 4);
}

#[test]
#[ignore = "needs a control plane"]
fn a_diagnosis_in_git_that_deletes_itself_runs_again_and_again() {
    let at_work = AtWork::new(&[]);
    let kubectl = at_work.kubectl();
    let linux = json!({ "kubernetes.io/os": "linux" });
    kubectl.create_node("a", &linux).unwrap();
    let spec = json!({
        "nodes": { "all": true }, "once": { "durationSeconds": 1 }, "ttlSecondsAfterFinished": 1,
    });
    let git = diagnosis("fleet", &spec);
    let mut uids = Vec::new();
    for _ in 0..2 {
        kubectl.apply_as_argocd(&git).unwrap();
        uids.push(kubectl.get(&["nnd", "fleet"]).unwrap()["metadata"]["uid"].clone());
        at_work.report("a", &summary("", ""));
        wait::until("its end", wait::LIMIT, || {
            Ok(kubectl.get(&["nnd", "fleet"]).err().map(drop))
        })
        .unwrap();
        wait::until("the end of its assignment", wait::LIMIT, || {
            let report = kubectl.get(&["nnr", "a"])?;
            Ok(report["spec"]["assignments"][0].is_null().then_some(()))
        })
        .unwrap();
    }
    assert_ne!(uids[0], uids[1]);
}
