//! Against a real API server. All tests share one; each has object names of its own.

use std::sync::LazyLock;

use netdiag_e2e::control_plane::ControlPlane;
use serde_json::json;

static CONTROL_PLANE: LazyLock<ControlPlane> = LazyLock::new(|| ControlPlane::start().unwrap());

#[test]
#[ignore = "needs a control plane"]
fn nodes_are_ready_as_soon_as_they_are_made() {
    let kubectl = CONTROL_PLANE.kubectl();
    kubectl
        .create_node("made-ready", &json!({ "rack": "r1" }))
        .unwrap();
    let nodes = kubectl.run(&["get", "nodes", "-l", "rack=r1"]).unwrap();
    assert!(
        nodes.contains("made-ready") && nodes.contains(" Ready "),
        "{nodes}"
    );
}

#[test]
#[ignore = "needs a control plane"]
fn a_token_bound_to_a_pod_carries_its_node() {
    let kubectl = CONTROL_PLANE.kubectl();
    kubectl.create_node("token-node", &json!({})).unwrap();
    kubectl.run(&["create", "namespace", "tokens"]).unwrap();
    kubectl
        .run(&["create", "serviceaccount", "agent", "-n", "tokens"])
        .unwrap();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "agent", "namespace": "tokens" },
        "spec": {
            "nodeName": "token-node",
            "serviceAccountName": "agent",
            "containers": [{ "name": "agent", "image": "none" }],
        },
    });
    kubectl.apply(&pod.to_string()).unwrap();
    let token = kubectl.token("tokens", "agent", Some("agent")).unwrap();
    let kubeconfig = CONTROL_PLANE
        .kubeconfig_with_token("token-node", &token)
        .unwrap();
    let agent = netdiag_e2e::kubectl::Kubectl::new(&kubeconfig);
    let review = agent.run(&["auth", "whoami", "-o", "yaml"]).unwrap();
    assert!(
        review.contains("system:serviceaccount:tokens:agent"),
        "{review}"
    );
    assert!(review.contains("- token-node"), "{review}");
    assert!(
        agent.run(&["get", "nodes"]).is_err(),
        "it has no rights yet"
    );
}
