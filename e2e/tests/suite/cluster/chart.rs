//! From `helm install` to `helm uninstall`.

use std::time::Duration;

use netdiag_e2e::{cluster, wait};

use super::installed::{Installed, NAMESPACE};

#[test]
#[ignore = "needs root and a cluster's programs"]
fn it_is_installed_diagnoses_and_leaves_nothing() {
    let installed = Installed::on_two_nodes();
    let kubectl = &installed.kubectl;
    installed.wait_for_agents();
    let nodes: Vec<&str> = installed
        .cluster
        .nodes()
        .iter()
        .map(|node| node.name())
        .collect();
    let manifest = cluster::once("first", &nodes, 5).to_string();
    kubectl.apply(&manifest).unwrap();
    let diagnosis =
        cluster::wait_until_complete(kubectl, "first", Duration::from_secs(90)).unwrap();
    assert_eq!(
        diagnosis["status"]["summary"]["nodes"], "2/2",
        "{diagnosis:#}"
    );
    assert_eq!(
        diagnosis["status"]["summary"]["affected"], "0",
        "{diagnosis:#}"
    );
    for node in &nodes {
        let report = kubectl.get(&["nnr", node]).unwrap();
        assert_eq!(report["status"]["summary"]["probes"], "8/8", "{report:#}");
    }
    installed.cluster.check_running().unwrap();
    installed
        .helm
        .run(&["uninstall", "netdiag", "--wait"])
        .unwrap();
    wait::until("the pods' end", Duration::from_secs(60), || {
        let left = kubectl.run(&["get", "pods,leases", "-n", NAMESPACE, "-o", "name"])?;
        Ok(left.trim().is_empty().then_some(()))
    })
    .unwrap();
}
