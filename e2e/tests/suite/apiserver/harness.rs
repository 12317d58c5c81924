//! The harness itself.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use netdiag_e2e::kubectl::Kubectl;
use serde_json::json;

use crate::CONTROL_PLANE;

#[test]
#[ignore = "needs a control plane"]
fn nodes_are_ready_as_soon_as_they_are_made() {
    let kubectl = CONTROL_PLANE.kubectl();
    let labels = json!({ "rack": "r1" });
    kubectl.create_node("made-ready", &labels).unwrap();
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
    let account = ["create", "serviceaccount", "agent", "-n", "tokens"];
    kubectl.run(&account).unwrap();
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
    let agent = Kubectl::new(&kubeconfig);
    let review = agent.run(&["auth", "whoami", "-o", "yaml"]).unwrap();
    assert!(
        review.contains("system:serviceaccount:tokens:agent"),
        "{review}"
    );
    assert!(review.contains("- token-node"), "{review}");
    let refused = agent.run(&["get", "nodes"]).unwrap_err().to_string();
    assert!(refused.contains("forbidden"), "{refused}");
}

#[tokio::test]
#[ignore = "needs a control plane"]
async fn the_client_has_the_rights_of_an_administrator() {
    let client = CONTROL_PLANE.client().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    let namespace = namespaces.get("kube-system").await.unwrap();
    assert!(namespace.metadata.uid.is_some());
}
