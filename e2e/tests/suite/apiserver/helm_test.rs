//! The reading by `helm test`, on a real API server where the parts of an installation are played.

use std::path::Path;
use std::process::Command;

use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::{helm, programs, wait};
use serde_json::{Value, json};

use super::chart::{Installed, NAMESPACE};

const ACCOUNT: &str = "netdiag-test";

#[test]
#[ignore = "needs a control plane"]
fn the_test_may_read_what_it_needs_and_nothing_else() {
    let installed = Installed::new(&[]);
    let kubectl = &installed.kubectl;
    let access = [
        "--name-template=netdiag",
        "--namespace",
        NAMESPACE,
        "--show-only=templates/tests/access.yaml",
    ];
    kubectl
        .apply(&helm::about_chart("template", &access).unwrap())
        .unwrap();
    let token = kubectl.token(NAMESPACE, ACCOUNT, None).unwrap();
    let kubeconfig = installed
        .plane
        .kubeconfig_with_token("helm-test", &token)
        .unwrap();

    let said = check(&kubeconfig);
    for sentence in [
        "ok     The API server serves NodeNetDiagnosis and NodeNetReport.",
        "WRONG  No replica of the controller is ready",
        "WRONG  No node is to have an agent",
    ] {
        assert!(said.contains(sentence), "{sentence:?} is not in {said}");
    }
    play_a_healthy_installation(kubectl);
    let said = check(&kubeconfig);
    assert!(said.ends_with("netdiag works.\n"), "{said}");

    let test = Kubectl::new(&kubeconfig);
    for forbidden in [
        &["get", "secrets", "-n", NAMESPACE][..],
        &["get", "configmaps", "-n", NAMESPACE],
        &["get", "pods", "-n", "default"],
        &["get", "namespace", "default"],
        &["get", "node", "a"],
        &["get", "nnr", "a"],
        &["get", "daemonset", "other", "-n", NAMESPACE],
        &["get", "deployments", "-n", NAMESPACE],
        &["delete", "pods", "--all", "-n", NAMESPACE],
        &["delete", "nnr", "a"],
        &["cordon", "a"],
    ] {
        let refused = test.run(forbidden).unwrap_err().to_string();
        assert!(refused.contains("forbidden"), "{forbidden:?}: {refused}");
    }
}

/// Returns the program's output, once it may read: the API server takes a moment to apply new rights.
fn check(kubeconfig: &Path) -> String {
    wait::until("the new rights", wait::LIMIT, || {
        let mut check = Command::new(programs::controller()?);
        check.arg("check-installation");
        let output = check.arg("--kubeconfig").arg(kubeconfig).output()?;
        let said = String::from_utf8(output.stdout)?;
        assert_eq!(
            output.status.success(),
            said.ends_with("works.\n"),
            "{said}"
        );
        anyhow::ensure!(!said.contains("cannot be read"), "{said}");
        Ok(Some(said))
    })
    .unwrap()
}

/// One node, whose parts say what kubelet, agent and kube-controller-manager would.
fn play_a_healthy_installation(kubectl: &Kubectl) {
    let os = json!({ "kubernetes.io/os": "linux" });
    kubectl.create_node("a", &os).unwrap();
    let write_status = |object: &str, status: &Value| {
        let patch = json!({ "status": status }).to_string();
        let arguments = ["patch", "-n", NAMESPACE, object, "--subresource=status"];
        let patch = ["--type=merge", "-p", &patch];
        kubectl.run(&[&arguments[..], &patch].concat()).unwrap();
    };
    let replicas = json!({ "replicas": 2, "readyReplicas": 2 });
    write_status("deployment/netdiag-controller", &replicas);
    let scheduled = json!({
        "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "numberMisscheduled": 0, "numberReady": 1,
    });
    write_status("daemonset/netdiag-agent", &scheduled);
    let agents = kubectl
        .get(&["daemonset", "netdiag-agent", "-n", NAMESPACE])
        .unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "agent", "namespace": NAMESPACE, "labels": agents["spec"]["selector"]["matchLabels"],
        },
        "spec": {
            "nodeName": "a", "automountServiceAccountToken": false,
            "serviceAccountName": "netdiag-agent", "containers": [{ "name": "agent", "image": "none" }],
        },
    });
    kubectl.apply(&pod.to_string()).unwrap();
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    write_status("pod/agent", &json!({ "conditions": ready }));
    let report = json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
        "metadata": { "name": "a" }, "spec": { "assignments": [] },
    });
    kubectl.apply(&report.to_string()).unwrap();
    let running = json!([{
        "type": "Ready", "status": "True", "reason": "AgentRunning", "message": "at work",
        "lastTransitionTime": "2026-03-02T03:04:10Z",
    }]);
    let status = json!({ "observedGeneration": 1, "conditions": running });
    write_status("nodenetreport/a", &status);
}
