//! From a chart that made the Lease to the present one, which leaves it to the controller, and back.

use std::fs;
use std::path::Path;
use std::process::Command;

use netdiag_e2e::cleanup::TemporaryFolder;
use netdiag_e2e::control_plane::ControlPlane;
use netdiag_e2e::helm::{CHART, Helm, IMAGES};
use netdiag_e2e::process;

use super::chart::NAMESPACE;

const LEASE: &str = "apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: netdiag-controller
  namespace: netdiag-system
";

/// The present chart with the Lease that it once had.
fn older_chart(folder: &Path) -> String {
    let chart = folder.join("netdiag");
    let mut copy = Command::new("cp");
    process::run(copy.arg("-r").arg(CHART).arg(&chart)).unwrap();
    fs::write(chart.join("templates/controller/lease.yaml"), LEASE).unwrap();
    chart.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a control plane"]
fn a_release_whose_chart_made_the_lease_is_upgraded_and_taken_back() {
    let folder = TemporaryFolder::new("older-chart").unwrap();
    let older = older_chart(folder.path());
    let plane = ControlPlane::start().unwrap();
    let kubectl = plane.kubectl();
    let program = Helm::new(&plane.kubeconfig(), NAMESPACE);
    let helm = |verb: &[&str]| program.run(&[verb, &IMAGES].concat());
    helm(&["install", "netdiag", &older, "--create-namespace"]).unwrap();
    let lease = ["get", "lease", "netdiag-controller", "-n", NAMESPACE];
    kubectl.run(&lease).unwrap();

    helm(&["upgrade", "netdiag", CHART]).unwrap();
    kubectl.run(&lease).unwrap_err();
    // As the controller makes it: without any mark of Helm's.
    kubectl.apply(LEASE).unwrap();
    helm(&["upgrade", "netdiag", CHART, "--set=controller.replicas=3"]).unwrap();
    kubectl.run(&lease).unwrap();

    // What docs/operations.md says of the way back.
    let refused = program.run(&["rollback", "netdiag", "1"]).unwrap_err();
    let said = "no Lease with the name \"netdiag-controller\" found";
    assert!(refused.to_string().contains(said), "{refused}");
    helm(&["upgrade", "netdiag", &older, "--take-ownership"]).unwrap();
    kubectl.run(&lease).unwrap();
}
