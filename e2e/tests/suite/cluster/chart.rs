//! From `helm install` to `helm uninstall`.

use std::thread;
use std::time::{Duration, Instant};

use netdiag_e2e::{cluster, wait};
use serde_json::{Value, json};

use super::faults::{Announcements, LostChecksum};
use super::gitops;
use super::helm_test;
use super::installed::{Installed, NAMESPACE};
use super::traces::Traces;

const NODES: [&str; 2] = ["node-1", "node-2"];

#[test]
#[ignore = "needs root and the programs of real nodes"]
fn it_is_installed_finds_faults_and_leaves_nothing() {
    let traces = Traces::of_this_machine();
    let installed = Installed::on_two_nodes();
    helm_test::it_passes_and_takes_its_rights_away(&installed);
    healthy_nodes_have_nothing_worth_a_warning(&installed);
    faults_are_found_with_pod_and_container(&installed);
    a_killed_agent_begins_its_window_anew(&installed);
    a_drained_node_keeps_its_agent(&installed);
    helm_test::it_names_the_namespace_that_refuses_agents_and_the_node_without(&installed);
    an_upgrade_and_a_rollback_keep_what_was_found_and_what_runs(&installed);
    installed.cluster.check_running().unwrap();
    installed
        .helm
        .run(&["uninstall", "netdiag", "--wait"])
        .unwrap();
    installed.assert_nothing_left(&traces);
    gitops::it_is_installed_as_argocd_does_and_diagnoses_where_an_agent_can_be(&installed);
    installed.assert_nothing_left(&traces);
}

fn healthy_nodes_have_nothing_worth_a_warning(installed: &Installed) {
    let diagnosis = run(installed, "healthy", 5, || {
        thread::sleep(Duration::from_secs(2));
    });
    assert_eq!(
        diagnosis["status"]["summary"]["nodes"], "2/2",
        "{diagnosis:#}"
    );
    assert_eq!(
        diagnosis["status"]["summary"]["affected"], "0",
        "{diagnosis:#}"
    );
    for node in NODES {
        let report = installed.kubectl.get(&["nnr", node]).unwrap();
        assert_eq!(report["status"]["summary"]["probes"], "9/9", "{report:#}");
    }
}

fn faults_are_found_with_pod_and_container(installed: &Installed) {
    let checksum = LostChecksum::new(installed);
    let announcements = Announcements::new(installed);
    let began = Instant::now();
    let diagnosis = run(installed, "faults", 20, || {
        checksum.talk();
        announcements.send(20);
    });
    println!(
        "faults found {:.1} s after apply",
        began.elapsed().as_secs_f64()
    );
    assert_eq!(
        diagnosis["status"]["summary"]["affected"], "1",
        "{diagnosis:#}"
    );
    assert_eq!(
        diagnosis["status"]["summary"]["severity"], "Critical",
        "{diagnosis:#}"
    );

    let found = finding(
        installed,
        "faults",
        "node-1",
        "ChecksumDrop/PartialChecksumLost",
    );
    assert_eq!(found["severity"], "Critical", "{found:#}");
    let told = found.to_string();
    for whose in ["default/client", "default/server", "default/mesh"] {
        assert!(told.contains(whose), "{whose} is not in {found:#}");
    }
    assert_eq!(found["subject"]["container"], "forwarder", "{found:#}");
    let lldp = finding(
        installed,
        "faults",
        "node-2",
        "UnhandledProtocol/NoReceiver",
    );
    assert_eq!(lldp["count"], 20, "{lldp:#}");
    assert_eq!(lldp["subject"]["interface"], "lan0", "{lldp:#}");
    assert!(lldp.to_string().contains("leaf-3a"), "{lldp:#}");
    let bridge = finding(installed, "faults", "node-2", "Promiscuity/BridgePort");
    assert!(bridge.to_string().contains("lan0 <- br0"), "{bridge:#}");
}

fn a_killed_agent_begins_its_window_anew(installed: &Installed) {
    let diagnosis = run(installed, "interrupted", 8, || {
        let agents = ["get", "pods", "-n", NAMESPACE, "-o", "name"];
        let on_node = [
            "-l",
            "app.kubernetes.io/component=agent",
            "--field-selector=spec.nodeName=node-1",
        ];
        let pod = installed
            .kubectl
            .run(&[&agents[..], &on_node].concat())
            .unwrap();
        let delete = [
            "delete",
            "-n",
            NAMESPACE,
            pod.trim(),
            "--force",
            "--grace-period=0",
        ];
        installed.kubectl.run(&delete).unwrap();
    });
    assert_eq!(
        diagnosis["status"]["summary"]["nodes"], "2/2",
        "{diagnosis:#}"
    );
    let result = cluster::result(&installed.kubectl, "interrupted", "node-1").unwrap();
    assert_eq!(result["window"]["attempts"], 2, "{result:#}");
    installed.wait_for_agents();
}

fn a_drained_node_keeps_its_agent(installed: &Installed) {
    let drain = [
        "drain",
        "node-2",
        "--ignore-daemonsets",
        "--force",
        "--timeout=90s",
    ];
    installed.kubectl.run(&drain).unwrap();
    let diagnosis = run(installed, "drained", 5, || {});
    assert_eq!(
        diagnosis["status"]["summary"]["nodes"], "2/2",
        "{diagnosis:#}"
    );
    installed.kubectl.run(&["uncordon", "node-2"]).unwrap();
}

fn an_upgrade_and_a_rollback_keep_what_was_found_and_what_runs(installed: &Installed) {
    let kubectl = &installed.kubectl;
    let continuous = json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetDiagnosis",
        "metadata": { "name": "continuous" },
        "spec": { "nodes": { "names": NODES }, "continuous": { "intervalSeconds": 60 } },
    });
    kubectl.apply(&continuous.to_string()).unwrap();
    for node in NODES {
        cluster::wait_until_running(kubectl, "continuous", node).unwrap();
    }
    let status = kubectl.get(&["nnd", "continuous"]).unwrap()["status"].clone();

    installed.upgrade(&["--set", "agent.logFormat=text"]);
    installed.wait_for_agents();
    let report = installed.kubectl.get(&["nnr", "node-1"]).unwrap();
    let results = report["status"]["results"].as_array().unwrap();
    assert!(
        results.iter().any(|result| result["diagnosis"] == "faults"),
        "{report:#}"
    );
    let diagnosis = run(installed, "upgraded", 5, || {});
    assert_eq!(
        diagnosis["status"]["summary"]["nodes"], "2/2",
        "{diagnosis:#}"
    );

    installed
        .helm
        .run(&["rollback", "netdiag", "1", "--wait"])
        .unwrap();
    installed.wait_for_agents();
    for node in NODES {
        cluster::wait_until_running(kubectl, "continuous", node).unwrap();
        let result = cluster::result(kubectl, "continuous", node).unwrap();
        assert_eq!(result["runGeneration"], 1, "{result:#}");
    }
    let after = kubectl.get(&["nnd", "continuous"]).unwrap()["status"].clone();
    for field in ["runGeneration", "startTime"] {
        assert_eq!(after[field], status[field], "{after:#}");
    }
    kubectl.run(&["delete", "nnd", "continuous"]).unwrap();
}

/// Diagnoses both nodes; `fault` happens once both windows count. Returns the diagnosis when it is complete.
fn run(installed: &Installed, name: &str, seconds: u64, fault: impl FnOnce()) -> Value {
    let kubectl = &installed.kubectl;
    kubectl
        .apply(&cluster::once(name, &NODES, seconds).to_string())
        .unwrap();
    for node in NODES {
        cluster::wait_until_running(kubectl, name, node).unwrap();
    }
    fault();
    cluster::wait_until_complete(kubectl, name, wait::LIMIT).unwrap()
}

#[track_caller]
fn finding(installed: &Installed, name: &str, node: &str, wanted: &str) -> Value {
    let result = cluster::result(&installed.kubectl, name, node).unwrap();
    let findings = result["findings"].as_array().cloned().unwrap_or_default();
    let is_wanted = |finding: &Value| {
        let word = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", word("check"), word("cause")) == wanted
            && (wanted != "UnhandledProtocol/NoReceiver"
                || finding["subject"]["protocol"] == "LLDP")
    };
    let found = findings.into_iter().find(is_wanted);
    found.unwrap_or_else(|| panic!("no {wanted} on {node}: {result:#}"))
}
