//! `helm test`: says that all is well, or in sentences what is not.

use super::installed::{Installed, NAMESPACE};

const LEVEL: &str = "pod-security.kubernetes.io/enforce";

pub fn it_passes_and_takes_its_rights_away(installed: &Installed) {
    let said = installed.helm.run(&["test", "netdiag"]).unwrap();
    assert!(said.contains("Succeeded"), "{said}");
    nothing_of_the_test_is_left(installed);
}

/// A namespace that takes no agents, and a node whose agent is gone and so does not come back.
pub fn it_names_the_namespace_that_refuses_agents_and_the_node_without(installed: &Installed) {
    let kubectl = &installed.kubectl;
    let label = ["label", "namespace", NAMESPACE];
    let refuse = format!("{LEVEL}=baseline");
    kubectl.run(&[&label[..], &[&refuse]].concat()).unwrap();
    let agent = [
        "delete",
        "pods",
        "-n",
        NAMESPACE,
        "-l",
        "app.kubernetes.io/component=agent",
        "--field-selector=spec.nodeName=node-2",
    ];
    kubectl.run(&agent).unwrap();

    let said = installed.helm.run(&["test", "netdiag"]).unwrap_err();
    let said = said.to_string();
    for sentence in [
        "ok     2 of 2 replicas of the controller are ready.",
        "enforces Pod Security \"baseline\", which refuses pods on the node's network",
        "kubectl label namespace netdiag-system pod-security.kubernetes.io/enforce=privileged --overwrite",
        "WRONG  1 of 2 nodes have an agent that works.",
        "WRONG  node-2: there is no agent",
    ] {
        assert!(said.contains(sentence), "{sentence:?} is not in {said}");
    }
    nothing_of_the_test_is_left(installed);

    let allow = format!("{LEVEL}-");
    kubectl.run(&[&label[..], &[&allow]].concat()).unwrap();
    // Its controller waits longer and longer for a pod that was refused; a change makes it look at once.
    let restart = ["rollout", "restart", "-n", NAMESPACE, "daemonset"];
    kubectl
        .run(&[&restart[..], &["netdiag-agent"]].concat())
        .unwrap();
    installed.wait_for_agents();
    installed.helm.run(&["test", "netdiag"]).unwrap();
}

fn nothing_of_the_test_is_left(installed: &Installed) {
    let kinds = "pod,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding";
    let left = installed
        .kubectl
        .run(&["get", kinds, "-A", "-o", "name"])
        .unwrap();
    let test: Vec<_> = left
        .lines()
        .filter(|name| name.ends_with("/netdiag-test"))
        .collect();
    assert!(test.is_empty(), "{test:?}");
}
