//! The refusals of platforms, made on a real API server, and the values that answer them.

use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::helm::{self, CHART};
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::wait;
use serde_json::{Value, json};

use super::chart::NAMESPACE;

/// GKE's setting: pods of these classes need a quota that names them.
const CLASSES_NEED_A_QUOTA: &str = r#"
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: ResourceQuota
    configuration:
      apiVersion: apiserver.config.k8s.io/v1
      kind: ResourceQuotaConfiguration
      limitedResources:
        - resource: pods
          matchScopes:
            - scopeName: PriorityClass
              operator: In
              values: [system-node-critical, system-cluster-critical]
"#;

/// The platform's refusal, as its users report it.
const REFUSED: &str = "insufficient quota to match these scopes";

/// The pod that the DaemonSet or Deployment makes.
fn pod_of(objects: &[Value], kind: &str) -> String {
    let found = objects.iter().find(|object| object["kind"] == kind);
    let mut pod = found.unwrap()["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(kind.to_lowercase());
    pod["metadata"]["namespace"] = json!(NAMESPACE);
    // Its account is made with the release.
    pod["spec"]["serviceAccountName"] = Value::Null;
    pod["spec"]["automountServiceAccountToken"] = json!(false);
    pod.to_string()
}

fn admits(kubectl: &Kubectl, pod: &str) -> Result<(), String> {
    let create = ["create", "--dry-run=server", "-f", "-"];
    let said = kubectl.run_with_input(&create, pod);
    said.map(drop).map_err(|error| error.to_string())
}

#[test]
#[ignore = "needs a control plane"]
fn where_system_classes_need_a_quota_the_chart_brings_it() {
    let plane = ControlPlane::start_with_admission(CLASSES_NEED_A_QUOTA).unwrap();
    let kubectl = plane.kubectl();
    for object in [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "default", "namespace": NAMESPACE },
        }),
    ] {
        kubectl.apply(&object.to_string()).unwrap();
    }
    let values = "{image: {registry: r}, resourceQuota: {enabled: true, pods: 9}}";
    let objects = helm::objects(CHART, values).unwrap();
    let pods = ["DaemonSet", "Deployment"].map(|kind| pod_of(&objects, kind));
    for pod in &pods {
        let refused = wait::until("the priority classes", wait::LIMIT, || {
            // The classes are made a moment after the API server is ready.
            let refused = admits(&kubectl, pod).unwrap_err();
            Ok((!refused.contains("no PriorityClass")).then_some(refused))
        });
        let refused = refused.unwrap();
        assert!(refused.contains(REFUSED), "{refused}");
    }

    let quota = objects.iter().find(|object| object["kind"] == "ResourceQuota");
    let quota = quota.unwrap();
    kubectl.apply(&quota.to_string()).unwrap();
    // kube-controller-manager would.
    let status = json!({ "status": { "hard": quota["spec"]["hard"], "used": { "pods": "0" } } });
    let name = quota["metadata"]["name"].as_str().unwrap();
    let patch = ["patch", "resourcequota", name, "-n", NAMESPACE];
    let status = ["--subresource=status", "--type=merge", "-p", &status.to_string()];
    kubectl.run(&[&patch[..], &status].concat()).unwrap();
    for pod in &pods {
        wait::until("the quota to count", wait::LIMIT, || {
            admits(&kubectl, pod).map(Some).map_err(anyhow::Error::msg)
        })
        .unwrap();
    }
}
