//! An installation without Helm in the cluster, as Argo CD makes it.

use netdiag_e2e::{cluster, helm, wait};
use serde_json::json;

use super::installed::Installed;

/// A node that is only an object: no agent can be there.
const WINDOWS: &str = "windows";

pub fn it_is_installed_as_argocd_does_and_diagnoses_where_an_agent_can_be(installed: &Installed) {
    let kubectl = &installed.kubectl;
    let rendered = helm::rendered_for_gitops("image: {registry: localhost}").unwrap();
    kubectl.apply_as_argocd(&rendered).unwrap();
    installed.wait_for_agents();
    let windows = json!({ "kubernetes.io/os": "windows" });
    kubectl.create_node(WINDOWS, &windows).unwrap();

    let all = json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetDiagnosis",
        "metadata": { "name": "in-git" },
        "spec": { "nodes": { "all": true }, "once": { "durationSeconds": 5 } },
    });
    kubectl.apply_as_argocd(&all.to_string()).unwrap();
    let complete = cluster::wait_until_complete(kubectl, "in-git", wait::LIMIT).unwrap();
    let status = &complete["status"];
    assert_eq!(status["summary"]["nodes"], "2/2", "{status:#}");
    assert_eq!(status["coverage"]["notCovered"], json!([WINDOWS]));
    kubectl.run(&["delete", "node", WINDOWS]).unwrap();

    // The cluster's own controllers have written what they write by now: no difference is one that Argo CD would heal.
    let diff = [
        "diff",
        "--server-side",
        "--force-conflicts",
        "--field-manager=argocd-controller",
        "-f",
        "-",
    ];
    let difference = kubectl.run_with_input(&diff, &rendered).unwrap();
    assert_eq!(difference, "");
    let delete = ["delete", "--wait", "--timeout=90s", "-f", "-"];
    kubectl.run_with_input(&delete, &rendered).unwrap();
}
