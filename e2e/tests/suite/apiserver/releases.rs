//! Programs of this release beside the definitions and the agents of the first one.

use std::fmt::Debug;
use std::process::Command;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use netdiag_client::Undeclared;
use netdiag_crds::testing::{RELEASE_0_1, REPORT_0_1_FRAGMENTS, sample, schema};
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport, schema::yaml};
use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::process::Process;
use netdiag_e2e::{cluster, programs, wait};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::diagnosis;
use super::report_status::{apply_status, create_report};

/// A node whose agent is of this release, and one whose agent is of the first.
const NEW: &str = "new-agent";
const OLD: &str = "old-agent";
const NAME: &str = "across-releases";

fn start_agent(plane: &ControlPlane) -> Process {
    let kubeconfig = plane.kubeconfig();
    let mut command = Command::new(programs::agent().unwrap());
    command.args(["run", "--node-name", NEW, "--listen", "127.0.0.1:0"]);
    command.arg("--kubeconfig").arg(&kubeconfig);
    let log = kubeconfig.with_extension("agent.log");
    Process::start("netdiag-agent", command, &log).unwrap()
}

/// Finishes the run on the old agent's node with what such an agent once found.
fn report_as_the_first_release(kubectl: &Kubectl) {
    let assignment = wait::until("the old agent's assignment", wait::LIMIT, || {
        let report = kubectl.get(&["nnr", OLD]).unwrap_or_default();
        let assignment = report["spec"]["assignments"][0].clone();
        Ok((!assignment.is_null()).then_some(assignment))
    })
    .unwrap();
    let recorded: Value = serde_json::from_str(REPORT_0_1_FRAGMENTS).unwrap();
    let mut status = recorded["status"].clone();
    status["observedGeneration"] = json!(1);
    let result = &mut status["results"][0];
    result["diagnosis"] = assignment["name"].clone();
    result["diagnosisUID"] = assignment["uid"].clone();
    result["runGeneration"] = assignment["runGeneration"].clone();
    apply_status(kubectl, OLD, &status).unwrap();
}

/// Waits until the new agent is ready for this reason and has finished; returns its status.
fn wait_until_ready(kubectl: &Kubectl, reason: &str) -> Value {
    wait::until(reason, wait::LIMIT, || {
        let status = kubectl.get(&["nnr", NEW])?["status"].clone();
        let is_finished = status["results"][0]["state"] == "Finished";
        let is_ready = status["conditions"][0]["reason"] == reason;
        Ok((is_finished && is_ready).then_some(status))
    })
    .unwrap()
}

fn lost_fragments(status: &Value) -> Value {
    let findings = status["findings"].as_array().unwrap().iter();
    let mut lost = findings.filter(|finding| finding["cause"] == "SharedBroadcastDomain");
    lost.next().unwrap().clone()
}

#[test]
#[ignore = "needs a control plane"]
fn under_the_first_definitions_a_run_ends_and_after_an_update_nothing_is_missing() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    kubectl.install_crds(RELEASE_0_1).unwrap();
    for node in [NEW, OLD] {
        kubectl.create_node(node, &json!({})).unwrap();
    }
    let controller = cluster::start_controller(&plane).unwrap();
    let agent = start_agent(&plane);
    let manifest = cluster::once(NAME, &[NEW, OLD], 1).to_string();
    kubectl.apply(&manifest).unwrap();
    report_as_the_first_release(&kubectl);

    let status = wait_until_ready(&kubectl, "SchemaOlder");
    let ready = &status["conditions"][0];
    assert_eq!(ready["status"], "True", "{ready}");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("apply those of version"), "{message}");
    assert!(message.contains("status.summary: "), "{message}");
    println!("the agent says: {message}");
    assert!(status["summary"].get("harm").is_none());
    let diagnosis = cluster::wait_until_complete(&kubectl, NAME, wait::LIMIT).unwrap();
    let status = &diagnosis["status"];
    assert_eq!(status["summary"]["nodes"], "2/2", "{status:#}");
    let finding = lost_fragments(status);
    assert_eq!(finding["severity"], "Critical");
    assert!(finding.get("harm").is_none() && status.get("members").is_none());
    assert!(
        controller
            .log_tail()
            .contains("apply the CRDs of its version")
    );

    kubectl.install_crds(&yaml().unwrap()).unwrap();
    let status = wait_until_ready(&kubectl, "AgentRunning");
    assert!(status["summary"]["harm"].is_string(), "{status:#}");
    let status = wait::until("the rest of the status", wait::LIMIT, || {
        let status = kubectl.get(&["nnd", NAME])?["status"].clone();
        Ok(status["members"].is_array().then_some(status))
    })
    .unwrap();
    assert_eq!(status["members"], json!([NEW, OLD]));
    assert_eq!(lost_fragments(&status)["harm"], "Loss");
    assert_eq!(status["summary"]["nodes"], "2/2");
    controller.check_running().unwrap();
    agent.check_running().unwrap();
}

/// Applies a status that has every field, and leaves out what the refusals name; returns what was stored, and after how
/// many refusals.
async fn apply_sample<K>(api: &Api<K>, name: &str, kind: &str, manager: &str) -> (Value, usize)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + serde::Serialize,
{
    let today = schema(&yaml().unwrap(), kind);
    let mut body = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": name },
        "status": sample(&today["properties"]["status"]),
    });
    let params = PatchParams::apply(manager).force();
    for refusals in 0..32 {
        match api.patch_status(name, &params, &Patch::Apply(&body)).await {
            Ok(stored) => {
                return (
                    serde_json::to_value(stored).unwrap()["status"].clone(),
                    refusals,
                );
            }
            Err(kube::Error::Api(refused)) => {
                let undeclared = Undeclared::of(&refused);
                assert!(!undeclared.is_empty(), "{}", refused.message);
                undeclared.take_from(&mut body);
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{kind} was refused too often");
}

#[tokio::test]
#[ignore = "needs a control plane"]
async fn what_the_first_definitions_lack_is_named_by_their_refusals() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    kubectl.install_crds(RELEASE_0_1).unwrap();
    create_report(&kubectl, "sampled");
    let wanted = diagnosis("sampled", &json!({ "nodes": { "all": true } }));
    kubectl.apply(&wanted).unwrap();
    let client = plane.client().await.unwrap();

    let reports = Api::<NodeNetReport>::all(client.clone());
    let (stored, refusals) = apply_sample(&reports, "sampled", "NodeNetReport", "agent").await;
    println!("a report with every field: {refusals} refusals");
    let finding = &stored["results"][0]["findings"][0];
    assert_eq!(finding["summary"], "x");
    assert_eq!(finding["remedies"][0]["command"], "x");
    assert!(finding.get("harm").is_none());
    let diagnoses = Api::<NodeNetDiagnosis>::all(client);
    let (stored, refusals) =
        apply_sample(&diagnoses, "sampled", "NodeNetDiagnosis", "controller").await;
    println!("a diagnosis with every field: {refusals} refusals");
    assert_eq!(stored["nodeFindings"][0]["findings"][0]["command"], "x");
    assert!(stored.get("members").is_none());
}
