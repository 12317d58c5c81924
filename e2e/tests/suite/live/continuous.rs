//! A run of window after window on a real kernel: a fault, its end, and what is said of it afterwards.

use netdiag_e2e::cluster;
use netdiag_e2e::scenarios::UnequalMtu;
use netdiag_e2e::wait::{self, LIMIT};
use serde_json::{Value, json};

use super::diagnosed::Diagnosed;
use crate::CONTROL_PLANE;

const NAME: &str = "continuous-node";

fn lost_packets(result: &Value) -> Option<Value> {
    let mut findings = result["findings"].as_array()?.iter();
    let found = findings.find(|finding| finding["check"] == "LinkMtu")?;
    (found["harm"] == "Outage" || found["harm"] == "Loss").then(|| found.clone())
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_fault_is_shown_until_it_is_fixed_and_then_as_resolved() {
    let mut diagnosed = Diagnosed::node(NAME);
    let kubectl = CONTROL_PLANE.kubectl();
    let result = || cluster::result(&kubectl, NAME, NAME);
    let until = |what: &str, holds: &dyn Fn() -> anyhow::Result<Option<Value>>| {
        wait::until(what, LIMIT, holds).unwrap()
    };
    let present = |status: &str| {
        until("the diagnosis to say it", &|| {
            let diagnosis = kubectl.get(&["nnd", NAME])?;
            let is_said = cluster::condition(&diagnosis, "FindingsPresent") == Some(status);
            Ok(is_said.then_some(diagnosis))
        })
    };
    let manifest = json!({
        "apiVersion": "netdiag.dev/v1alpha1", "kind": "NodeNetDiagnosis",
        "metadata": { "name": NAME },
        "spec": { "nodes": { "names": [NAME] }, "continuous": { "intervalSeconds": 60 } },
    });
    kubectl.apply(&manifest.to_string()).unwrap();
    cluster::wait_until_running(&kubectl, NAME, NAME).unwrap();
    {
        let scenario = UnequalMtu::new(&diagnosed.node).unwrap();
        assert_eq!(scenario.send_large(30).unwrap(), (30, 30));
        let finding = until("the fault", &|| Ok(lost_packets(&result()?)));
        present("True");

        // What was found is in the report and nowhere else.
        diagnosed.controller.kill().unwrap();
        diagnosed.agent.kill().unwrap();
        diagnosed.controller = cluster::start_controller(&CONTROL_PLANE).unwrap();
        diagnosed.agent = diagnosed.node.start_agent(&CONTROL_PLANE).unwrap();

        scenario.fix().unwrap();
        assert_eq!(scenario.send_large(30).unwrap(), (0, 0), "{finding:#}");
        let over = until("the end of the fault", &|| {
            let result = result()?;
            let resolved = result["resolved"].as_array().into_iter().flatten();
            let mut own = resolved.filter(|one| one["id"] == finding["id"]);
            let own = own.find(|one| one["resolvedTime"].is_string());
            Ok(own.map(|own| json!([own, result["window"]])))
        });
        let (over, window) = (&over[0], &over[1]);
        assert_eq!(over["firstSeen"], finding["firstSeen"], "{over:#}");
        assert_eq!(over["resolvedTime"], window["endTime"], "{over:#}");
        assert_eq!(lost_packets(&result().unwrap()), None);
        let diagnosis = present("False");
        assert_eq!(diagnosis["status"]["runGeneration"], 1, "{diagnosis:#}");
    }
    kubectl.run(&["delete", "nnd", NAME]).unwrap();
}
