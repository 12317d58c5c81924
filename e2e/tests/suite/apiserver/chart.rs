//! The chart on a real API server, without nodes: what it renders, what it lets agents do, and that it goes.

use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::helm::{self, CHART, Helm, IMAGES};
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::wait;
use serde_json::json;

pub const NAMESPACE: &str = "netdiag-system";
const AGENT: &str = "netdiag-agent";

/// A control plane of its own, with the chart and nothing else.
pub struct Installed {
    pub plane: ControlPlane,
    pub kubectl: Kubectl,
    pub helm: Helm,
}

impl Installed {
    pub fn new(values: &[&str]) -> Self {
        let plane = ControlPlane::start().unwrap();
        let helm = Helm::new(&plane.kubeconfig(), NAMESPACE);
        let install = ["install", "netdiag", CHART, "--create-namespace"];
        let notes = helm.run(&[&install, &IMAGES[..], values].concat()).unwrap();
        assert!(notes.contains("kubectl get nnd rx-dropped -w"), "{notes}");
        let kubectl = plane.kubectl();
        kubectl
            .run(&[
                "wait",
                "--for=condition=Established",
                "crd",
                "--all",
                "--timeout=30s",
            ])
            .unwrap();
        Self {
            plane,
            kubectl,
            helm,
        }
    }

    fn apply_diagnosis(&self) {
        let manifest = netdiag_e2e::cluster::once("kept", &["a"], 5).to_string();
        // Discovery may take a moment to know a new kind.
        wait::until("the new kind", wait::LIMIT, || {
            Ok(self.kubectl.apply(&manifest).ok())
        })
        .unwrap();
    }

    /// kubectl with the token that a pod of the service account on this node would have.
    fn agent_on(&self, node: &str) -> Kubectl {
        let name = format!("agent-{node}");
        let token = self.agent_token(node, &name);
        let kubeconfig = self.plane.kubeconfig_with_token(&name, &token).unwrap();
        Kubectl::new(&kubeconfig)
    }

    /// The token of the agent's pod of this name on a node, which are both made.
    pub fn agent_token(&self, node: &str, name: &str) -> String {
        self.kubectl.create_node(node, &json!({})).unwrap();
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": {
                "nodeName": node,
                "serviceAccountName": AGENT,
                "containers": [{ "name": "agent", "image": "none" }],
            },
        });
        self.kubectl.apply(&pod.to_string()).unwrap();
        self.kubectl.token(NAMESPACE, AGENT, Some(name)).unwrap()
    }

    /// Deletes an agent's pod, and with it the right of its token.
    pub fn delete_pod(&self, name: &str) {
        let now = ["--grace-period=0", "--force"];
        let delete = ["delete", "pod", name, "-n", NAMESPACE];
        self.kubectl.run(&[&delete[..], &now].concat()).unwrap();
    }
}

#[test]
#[ignore = "needs a control plane"]
fn the_chart_lints_with_every_option() {
    helm::about_chart("lint", &["--strict"]).unwrap();
    let everything = [
        "metrics.enabled=true",
        "metrics.podMonitor.enabled=true",
        "metrics.rules.enabled=true",
        "metrics.dashboard.enabled=true",
        "metrics.tokenSecret=netdiag-metrics",
        "crds.keep=true",
        "agent.appArmorProfile.type=RuntimeDefault",
        "image.pullSecrets[0].name=login",
    ];
    let values = everything.join(",");
    helm::about_chart("lint", &["--strict", "--set", &values]).unwrap();
    let rendered = helm::about_chart("template", &["--set", &values]).unwrap();
    for expected in [
        "kind: PodMonitor",
        "kind: PrometheusRule",
        "netdiag_controller_affected_nodes{harm=\"Outage\"}",
        "summary: \"netdiag: packets lost on {{ $value }} nodes\"",
        "--metrics-token-file=/metrics-token/token",
        "--listen=$(HOST_IP):9464",
        "helm.sh/resource-policy: keep",
    ] {
        assert!(rendered.contains(expected), "{expected}");
    }
}

#[test]
#[ignore = "needs a control plane"]
fn a_wrong_value_is_refused_with_its_name_and_what_is_allowed() {
    for (value, said) in [
        (
            "agent.logFormat=xml",
            "'/agent/logFormat': value must be one of 'text', 'json'",
        ),
        (
            "controller.replicas=0",
            "'/controller/replicas': minimum: got 0, want 1",
        ),
        (
            "agnet.logFormat=json",
            "additional properties 'agnet' not allowed",
        ),
        (
            "agent.image.digest=latest",
            "'/agent/image/digest': 'latest' does not match pattern",
        ),
        (
            "agent.appArmorProfile.type=Localhost",
            "missing property 'localhostProfile'",
        ),
    ] {
        let error = helm::about_chart("template", &["--set", value]).unwrap_err();
        assert!(error.to_string().contains(said), "{value}: {error}");
    }
    let digest = format!("agent.image.digest=sha256:{}", "0".repeat(64));
    let rendered = helm::about_chart("template", &["--set", &digest]).unwrap();
    assert!(
        rendered.contains("/netdiag-agent@sha256:0000"),
        "a digest wins over the tag"
    );
}

#[test]
#[ignore = "needs a control plane"]
fn a_stolen_agent_token_writes_its_own_node_s_report_alone() {
    let installed = Installed::new(&[]);
    let kubectl = &installed.kubectl;
    let agent = installed.agent_on("a");
    installed.agent_on("b");
    for node in ["a", "b"] {
        let report = json!({
            "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
            "metadata": { "name": node }, "spec": { "assignments": [] },
        });
        wait::until("the new kind", wait::LIMIT, || {
            Ok(kubectl.apply(&report.to_string()).ok())
        })
        .unwrap();
    }
    // As the agent does it: `kubectl patch` would read the subresource first, which the agent may not.
    let write = |who: &Kubectl, node: &str| {
        let status = json!({
            "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetReport",
            "metadata": { "name": node }, "status": { "observedGeneration": 1 },
        });
        let apply = ["apply", "--server-side", "--subresource=status", "-f", "-"];
        who.run_with_input(&apply, &status.to_string())
    };
    // The API server begins to ask a new policy about a second after it was made.
    let refused = wait::until("the policy", wait::LIMIT, || Ok(write(&agent, "b").err()));
    let refused = refused.unwrap().to_string();
    assert!(
        refused.contains("the agent on a may write only the report of a"),
        "{refused}"
    );
    write(&agent, "a").unwrap();

    // Without a pod a token names no node, so it may write none.
    let token = kubectl.token(NAMESPACE, AGENT, None).unwrap();
    let unbound = installed
        .plane
        .kubeconfig_with_token("unbound", &token)
        .unwrap();
    let refused = write(&Kubectl::new(&unbound), "a").unwrap_err().to_string();
    assert!(refused.contains("this token names none"), "{refused}");

    let spec = json!({ "spec": { "assignments": [] } }).to_string();
    for forbidden in [
        &["patch", "nnr", "a", "--type=merge", "-p", &spec][..],
        &["delete", "nnr", "a"],
        &["get", "nnd"],
        &["get", "nodes"],
        &["get", "pods", "-A"],
        &["get", "secrets", "-A"],
        &["get", "configmaps", "-A"],
    ] {
        let refused = agent.run(forbidden).unwrap_err().to_string();
        assert!(refused.contains("forbidden"), "{forbidden:?}: {refused}");
    }
    // Other nodes' reports can be read: all agents share an account, and RBAC knows no nodes.
    agent.run(&["get", "nnr", "b"]).unwrap();
}

#[test]
#[ignore = "needs a control plane"]
fn an_upgrade_keeps_diagnoses_and_an_uninstall_leaves_nothing() {
    let Installed { kubectl, helm, .. } = &{
        let installed = Installed::new(&[]);
        installed.apply_diagnosis();
        installed
    };
    let upgrade = ["upgrade", "netdiag", CHART, "--set=controller.replicas=3"];
    helm.run(&[&upgrade, &IMAGES[..]].concat()).unwrap();
    kubectl.run(&["get", "nnd", "kept"]).unwrap();
    helm.run(&["uninstall", "netdiag", "--wait"]).unwrap();
    let kinds = "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding,\
                 role,rolebinding,serviceaccount,deployment,daemonset,networkpolicy,poddisruptionbudget,configmap";
    let left = wait::until("the end of what was installed", wait::LIMIT, || {
        let left = kubectl.run(&["get", kinds, "-A", "-o", "name", "--ignore-not-found"])?;
        let ours: Vec<_> = left
            .lines()
            .filter(|name| name.contains("netdiag"))
            .collect();
        Ok(ours.is_empty().then_some(()))
    });
    left.unwrap();
}

#[test]
#[ignore = "needs a control plane"]
fn diagnoses_outlive_the_release_when_asked() {
    let installed = Installed::new(&["--set", "crds.keep=true"]);
    installed.apply_diagnosis();
    installed
        .helm
        .run(&["uninstall", "netdiag", "--wait"])
        .unwrap();
    installed.kubectl.run(&["get", "nnd", "kept"]).unwrap();
    // And are found again by the next release.
    let again = ["install", "netdiag", CHART, "--take-ownership"];
    let again = [&again, &IMAGES[..]].concat();
    installed.helm.run(&again).unwrap();
    installed.kubectl.run(&["get", "nnd", "kept"]).unwrap();
}
