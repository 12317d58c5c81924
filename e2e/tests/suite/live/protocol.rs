//! Controller and agent at their work: runs that overlap, begin anew, are edited, and outlive a crash of either.

use netdiag_e2e::cluster;
use netdiag_e2e::kubectl::Kubectl;
use netdiag_e2e::scenarios::UnequalMtu;
use netdiag_e2e::wait::{self, LIMIT};
use serde_json::{Value, json};

use super::diagnosed::Diagnosed;
use crate::CONTROL_PLANE;

fn apply_once(kubectl: &Kubectl, name: &str, node: &str, seconds: u64) {
    let manifest = cluster::once(name, &[node], seconds).to_string();
    kubectl.apply(&manifest).unwrap();
}

fn patch(kubectl: &Kubectl, name: &str, spec: &Value) {
    let patch = json!({ "spec": spec }).to_string();
    kubectl
        .run(&["patch", "nnd", name, "--type=merge", "-p", &patch])
        .unwrap();
}

/// Results of a diagnosis in the node's report: never more than one.
fn results(kubectl: &Kubectl, name: &str, node: &str) -> Vec<Value> {
    let report = kubectl.get(&["nnr", node]).unwrap();
    let results = report["status"]["results"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    results
        .into_iter()
        .filter(|result| result["diagnosis"] == name)
        .collect()
}

fn run_generation(kubectl: &Kubectl, name: &str) -> i64 {
    kubectl.get(&["nnd", name]).unwrap()["status"]["runGeneration"]
        .as_i64()
        .unwrap()
}

/// Waits until a run of this generation is complete, and returns the diagnosis.
fn wait_for_run(kubectl: &Kubectl, name: &str, generation: i64) -> Value {
    wait::until(&format!("run {generation} of {name}"), LIMIT, || {
        let diagnosis = kubectl.get(&["nnd", name])?;
        let of_this_run = diagnosis["status"]["runGeneration"] == generation;
        let complete = cluster::condition(&diagnosis, "Complete") == Some("True");
        Ok((of_this_run && complete).then_some(diagnosis))
    })
    .unwrap()
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn two_diagnoses_share_a_node() {
    let diagnosed = Diagnosed::node("shared-node");
    let kubectl = &diagnosed.kubectl;
    let scenario = UnequalMtu::new(&diagnosed.node).unwrap();
    for name in ["shared-one", "shared-two"] {
        apply_once(kubectl, name, "shared-node", 12);
    }
    for name in ["shared-one", "shared-two"] {
        cluster::wait_until_running(kubectl, name, "shared-node").unwrap();
    }
    assert_eq!(scenario.send_large(30).unwrap(), (30, 30));
    for name in ["shared-one", "shared-two"] {
        cluster::wait_until_complete(kubectl, name, LIMIT).unwrap();
        let result = cluster::result(kubectl, name, "shared-node").unwrap();
        let found = result["findings"].as_array().unwrap();
        let mtu = found.iter().find(|finding| finding["check"] == "LinkMtu");
        let mtu = mtu.unwrap_or_else(|| panic!("{result:#}"));
        assert_eq!(mtu["count"], 30, "{mtu:#}");
    }
    assert_metrics_of_two_windows(&diagnosed);
}

#[track_caller]
fn assert_metrics_of_two_windows(diagnosed: &Diagnosed) {
    for path in ["/healthz", "/readyz"] {
        let answer = diagnosed.node.ask_agent(path).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let metrics = diagnosed.node.ask_agent("/metrics").unwrap();
    for line in [
        r#"netdiag_agent_windows_total{result="finished"} 2"#,
        r#"netdiag_agent_findings_total{check="LinkMtu",severity="Critical"} 2"#,
        r#"netdiag_agent_probe_up{probe="drop"} 1"#,
        r#"netdiag_agent_lost_total{what="counts"} 0"#,
        "netdiag_agent_windows_running 0",
    ] {
        assert!(
            metrics.lines().any(|it| it == line),
            "{line} is not in {metrics}"
        );
    }
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_diagnosis_that_is_made_again_under_its_name_runs_again() {
    let diagnosed = Diagnosed::node("made-again");
    let kubectl = &diagnosed.kubectl;
    let uid = || kubectl.get(&["nnd", "made-again"]).unwrap()["metadata"]["uid"].clone();
    apply_once(kubectl, "made-again", "made-again", 2);
    cluster::wait_until_complete(kubectl, "made-again", LIMIT).unwrap();
    let first = uid();
    kubectl.run(&["delete", "nnd", "made-again"]).unwrap();
    apply_once(kubectl, "made-again", "made-again", 2);
    assert_ne!(uid(), first);
    cluster::wait_until_complete(kubectl, "made-again", LIMIT).unwrap();
    let results = results(kubectl, "made-again", "made-again");
    let [result] = &results[..] else {
        panic!("{results:#?}")
    };
    assert_eq!(
        result["diagnosisUID"],
        uid(),
        "the roll-up waited for the new object's result"
    );

    kubectl.run(&["delete", "nnd", "made-again"]).unwrap();
    wait::until("the agent to drop the result", LIMIT, || {
        let report = kubectl.get(&["nnr", "made-again"])?;
        let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
        let gone = none(&report["status"]["results"]) && none(&report["spec"]["assignments"]);
        Ok(gone.then_some(()))
    })
    .unwrap();
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn only_edits_that_change_the_question_begin_a_new_run() {
    let diagnosed = Diagnosed::node("edited");
    let kubectl = &diagnosed.kubectl;
    apply_once(kubectl, "edited", "edited", 2);
    cluster::wait_until_complete(kubectl, "edited", LIMIT).unwrap();
    let first = run_generation(kubectl, "edited");

    for harmless in [
        json!({ "minSeverity": "Warning" }),
        json!({ "ttlSecondsAfterFinished": 3600 }),
        json!({ "suspend": true }),
        json!({ "suspend": false }),
    ] {
        patch(kubectl, "edited", &harmless);
        wait::until("the controller to see the edit", LIMIT, || {
            let diagnosis = kubectl.get(&["nnd", "edited"])?;
            let seen =
                diagnosis["status"]["observedGeneration"] == diagnosis["metadata"]["generation"];
            Ok(seen.then_some(()))
        })
        .unwrap();
        assert_eq!(run_generation(kubectl, "edited"), first, "after {harmless}");
    }
    let mut last = first;
    for question in [
        json!({ "rerun": "once more" }),
        json!({ "checks": ["Promiscuity"] }),
        json!({ "pods": false }),
        json!({ "once": { "durationSeconds": 3 } }),
    ] {
        patch(kubectl, "edited", &question);
        let generation = last + 1;
        wait_for_run(kubectl, "edited", generation);
        let results = results(kubectl, "edited", "edited");
        let [result] = &results[..] else {
            panic!("{results:#?}")
        };
        assert_eq!(result["runGeneration"], generation, "after {question}");
        last = generation;
    }
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_killed_agent_runs_its_window_again_in_full() {
    let mut diagnosed = Diagnosed::node("killed-agent");
    let scenario = UnequalMtu::new(&diagnosed.node).unwrap();
    apply_once(&diagnosed.kubectl, "killed-agent", "killed-agent", 12);
    cluster::wait_until_running(&diagnosed.kubectl, "killed-agent", "killed-agent").unwrap();
    assert_eq!(scenario.send_large(10).unwrap(), (10, 10));
    diagnosed.agent.kill().unwrap();
    diagnosed.agent = diagnosed.node.start_agent(&CONTROL_PLANE).unwrap();
    wait::until("the second attempt", LIMIT, || {
        let result = cluster::result(&diagnosed.kubectl, "killed-agent", "killed-agent")?;
        Ok((result["window"]["attempts"] == 2).then_some(()))
    })
    .unwrap();
    assert_eq!(scenario.send_large(20).unwrap(), (20, 20));
    cluster::wait_until_complete(&diagnosed.kubectl, "killed-agent", LIMIT).unwrap();
    let results = results(&diagnosed.kubectl, "killed-agent", "killed-agent");
    let [result] = &results[..] else {
        panic!("{results:#?}")
    };
    let found = result["findings"].as_array().unwrap();
    let mtu = found
        .iter()
        .find(|finding| finding["check"] == "LinkMtu")
        .unwrap();
    assert_eq!(
        mtu["count"], 20,
        "the first attempt's 10 are not in it: {mtu:#}"
    );
}

#[test]
#[ignore = "needs root, eBPF and a control plane"]
fn a_killed_controller_goes_on_where_it_was() {
    let mut diagnosed = Diagnosed::node("killed-controller");
    let name = "killed-controller";
    apply_once(&diagnosed.kubectl, name, name, 6);
    cluster::wait_until_running(&diagnosed.kubectl, name, name).unwrap();
    let began = diagnosed.kubectl.get(&["nnd", name]).unwrap()["status"]["startTime"].clone();
    diagnosed.controller.kill().unwrap();
    wait::until("the agent's result", LIMIT, || {
        let result = cluster::result(&diagnosed.kubectl, name, name)?;
        Ok((result["state"] == "Finished").then_some(()))
    })
    .unwrap();
    diagnosed.controller = cluster::start_controller(&CONTROL_PLANE).unwrap();
    let diagnosis = cluster::wait_until_complete(&diagnosed.kubectl, name, LIMIT).unwrap();
    assert_eq!(
        diagnosis["status"]["startTime"], began,
        "it is still the same run"
    );
    assert_eq!(diagnosis["status"]["nodes"]["reported"], 1);
    let results = results(&diagnosed.kubectl, name, name);
    let [result] = &results[..] else {
        panic!("{results:#?}")
    };
    assert_eq!(
        result["window"]["attempts"], 1,
        "the agent did not begin anew"
    );
}
