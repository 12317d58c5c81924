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

/// The namespace, with the account that kube-controller-manager would make.
fn make_namespace(kubectl: &Kubectl) {
    for object in [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "default", "namespace": NAMESPACE },
        }),
    ] {
        kubectl.apply(&object.to_string()).unwrap();
    }
}

#[test]
#[ignore = "needs a control plane"]
fn where_system_classes_need_a_quota_the_chart_brings_it() {
    let plane = ControlPlane::start_with_admission(CLASSES_NEED_A_QUOTA).unwrap();
    let kubectl = plane.kubectl();
    make_namespace(&kubectl);
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

    let quota = objects
        .iter()
        .find(|object| object["kind"] == "ResourceQuota");
    let quota = quota.unwrap();
    kubectl.apply(&quota.to_string()).unwrap();
    // kube-controller-manager would.
    let status = json!({ "status": { "hard": quota["spec"]["hard"], "used": { "pods": "0" } } });
    let name = quota["metadata"]["name"].as_str().unwrap();
    let patch = ["patch", "resourcequota", name, "-n", NAMESPACE];
    let status = [
        "--subresource=status",
        "--type=merge",
        "-p",
        &status.to_string(),
    ];
    kubectl.run(&[&patch[..], &status].concat()).unwrap();
    for pod in &pods {
        wait::until("the quota to count", wait::LIMIT, || {
            admits(&kubectl, pod).map(Some).map_err(anyhow::Error::msg)
        })
        .unwrap();
    }
}

/// OpenShift's `restricted-v2`, as far as it is about users: a uid of the namespace's range, or none, which the platform
/// fills in.
fn uids_have_a_range() -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": { "name": "uid-range" },
            "spec": {
                "matchConstraints": { "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
                }] },
                "validations": [{
                    "expression": "!has(object.spec.securityContext) || !has(object.spec.securityContext.runAsUser) \
                                   || object.spec.securityContext.runAsUser >= 1000650000",
                    "message": "must be in the ranges: [1000650000, 1000659999]",
                }],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": { "name": "uid-range" },
            "spec": { "policyName": "uid-range", "validationActions": ["Deny"] },
        },
    ] })
}

#[test]
#[ignore = "needs a control plane"]
fn where_uids_have_a_range_the_controller_leaves_its_own_to_the_platform() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    make_namespace(&kubectl);
    kubectl.apply(&uids_have_a_range().to_string()).unwrap();
    let controller = |values: &str| pod_of(&helm::objects(CHART, values).unwrap(), "Deployment");
    let plain = controller("image: {registry: r}");
    // The API server begins to ask a new policy about a second after it was made.
    let refused = wait::until("the policy", wait::LIMIT, || {
        let refused = admits(&kubectl, &plain).err();
        Ok(refused.filter(|said| !said.contains("no PriorityClass")))
    });
    let refused = refused.unwrap();
    assert!(refused.contains("must be in the ranges"), "{refused}");
    let openshift = controller("{image: {registry: r}, openshift: {enabled: true}}");
    admits(&kubectl, &openshift).unwrap();
}

#[test]
#[ignore = "needs a control plane"]
fn the_namespace_must_be_privileged_for_the_agents_and_for_nothing_else() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    make_namespace(&kubectl);
    let objects = helm::objects(CHART, "image: {registry: r}").unwrap();
    let agent = pod_of(&objects, "DaemonSet");
    let controller = pod_of(&objects, "Deployment");
    let enforce = |level: &str| {
        let label = format!("pod-security.kubernetes.io/enforce={level}");
        let arguments = ["label", "--overwrite", "namespace", NAMESPACE, &label];
        kubectl.run(&arguments).unwrap();
    };
    for level in ["restricted", "baseline"] {
        enforce(level);
        let refused = wait::until("the level and the priority classes", wait::LIMIT, || {
            let refused = admits(&kubectl, &agent).err();
            Ok(refused.filter(|said| said.contains("violates PodSecurity")))
        });
        let refused = refused.unwrap();
        assert!(refused.contains("host namespaces"), "{refused}");
        admits(&kubectl, &controller).unwrap();
    }
    enforce("privileged");
    wait::until("the level", wait::LIMIT, || {
        Ok(admits(&kubectl, &agent).ok())
    })
    .unwrap();
}

/// Values of the rows of docs/platforms.md.
const PLATFORMS: [&str; 6] = [
    "{image: {registry: r}}",
    "{image: {registry: r}, resourceQuota: {enabled: true}}",
    "{image: {registry: r}, openshift: {enabled: true}}",
    "{image: {registry: r}, agent: {seLinuxOptions: {type: super_t}}}",
    "{image: {registry: localhost}, agent: {seLinuxOptions: {type: spc_t}}}",
    "{image: {registry: r}, agent: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: \
     {nodeSelectorTerms: [{matchExpressions: [{key: type, operator: NotIn, values: [virtual-kubelet]}]}]}}}}}",
];

#[test]
#[ignore = "needs a control plane"]
fn the_api_server_takes_what_each_platform_is_given() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    make_namespace(&kubectl);
    for values in PLATFORMS {
        let list = helm::rendered_for_gitops(values).unwrap();
        let apply = ["apply", "--server-side", "--dry-run=server", "-f", "-"];
        kubectl
            .run_with_input(&apply, &list)
            .unwrap_or_else(|refused| panic!("{values}: {refused}"));
    }
}

/// Names and versions of the objects as the API server keeps them.
fn versions(kubectl: &Kubectl, list: &str) -> Vec<String> {
    let output = r#"-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}"#;
    let said = kubectl.run_with_input(&["get", "-f", "-", output], list);
    said.unwrap().lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs a control plane"]
fn what_helm_renders_is_applied_by_another_field_manager_and_changes_nothing_twice() {
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    make_namespace(&kubectl);
    let values = "image: {registry: r}";
    let all = helm::objects(CHART, values).unwrap();
    assert!(all.iter().all(|object| object["kind"] != "Lease"));
    let rendered = || helm::rendered_for_gitops(values).unwrap();
    let list = rendered();
    kubectl.apply_as_argocd(&list).unwrap();
    let served = [
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ];
    kubectl.run(&served).unwrap();
    // The API server itself writes the status of what it has checked.
    let settled = wait::until("the objects to settle", wait::LIMIT, || {
        let before = versions(&kubectl, &list);
        std::thread::sleep(std::time::Duration::from_secs(2));
        Ok((versions(&kubectl, &list) == before).then_some(before))
    });
    let settled = settled.unwrap();
    assert!(settled.len() > 15, "{settled:?}");
    assert_eq!(rendered(), list, "rendered anew");
    kubectl.apply_as_argocd(&rendered()).unwrap();
    assert_eq!(versions(&kubectl, &list), settled);
}
