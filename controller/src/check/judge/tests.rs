use k8s_openapi::api::core::v1::{Node, Pod};
use netdiag_crds::{
    NodeNetReport,
    conditions::{READY, Status, condition, reasons},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::check::statement::Verdict;
use crate::testing::{ReportBuilder, at, node, unready_node};

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of its kind")
}

fn args() -> CheckArgs {
    CheckArgs {
        kubeconfig: None,
        namespace: "netdiag-system".into(),
        agents: "netdiag-agent".into(),
        controller: "netdiag-controller".into(),
        wait: 0,
    }
}

fn agent_on(node: &str) -> Pod {
    object(json!({
        "metadata": { "name": format!("netdiag-agent-{node}") },
        "spec": { "nodeName": node, "containers": [] },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    }))
}

fn report_of(node: &str) -> NodeNetReport {
    let mut report = ReportBuilder::new(node).acknowledged().build();
    let status = report.status.get_or_insert_default();
    let reason = reasons::AGENT_RUNNING;
    status.conditions = vec![condition(&[], READY, Status::True, reason, "", None, at(0))];
    report
}

fn labelled(name: &str, labels: &Value) -> Node {
    let mut labelled = node(name);
    labelled.metadata.labels = object(labels.clone());
    labelled
}

/// Nodes `a` and `b`, everything as it should be.
fn healthy() -> Seen {
    Seen {
        namespace: Ok(Some(object(
            json!({ "metadata": { "name": "netdiag-system" } }),
        ))),
        controller: Ok(Some(object(json!({
            "metadata": {}, "spec": { "replicas": 2, "selector": {}, "template": {} },
            "status": { "readyReplicas": 2 },
        })))),
        agents: Ok(Some(object(json!({
            "metadata": {},
            "spec": { "selector": {}, "template": { "spec": {
                "containers": [], "nodeSelector": { "kubernetes.io/os": "linux" },
            } } },
            "status": { "currentNumberScheduled": 2, "desiredNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": 2 },
        })))),
        pods: Ok(vec![agent_on("a"), agent_on("b")]),
        nodes: Ok(["a", "b"]
            .map(|name| labelled(name, &json!({ "kubernetes.io/os": "linux" })))
            .to_vec()),
        reports: Ok(Some(vec![report_of("a"), report_of("b")])),
        diagnoses: Ok(Some(())),
    }
}

/// All that is said of it, line by line.
fn said(seen: &Seen) -> Vec<String> {
    let statements = judge(seen, &args());
    statements.iter().map(ToString::to_string).collect()
}

/// The faults of it, sentence by sentence.
fn wrong(seen: &Seen) -> Vec<String> {
    let statements = judge(seen, &args());
    let wrong = statements
        .into_iter()
        .filter(|statement| statement.verdict == Verdict::Wrong);
    wrong.map(|statement| statement.text).collect()
}

#[track_caller]
fn assert_says(texts: &[String], wanted: &str) {
    assert!(
        texts.iter().any(|text| text.contains(wanted)),
        "{wanted:?} is not in {texts:#?}"
    );
}

#[test]
fn nothing_is_wrong_with_a_healthy_installation() {
    let seen = healthy();
    assert_eq!(wrong(&seen), Vec::<String>::new());
    let said = said(&seen);
    assert_says(&said, "ok     2 of 2 nodes have an agent that works.");
}

#[test]
fn a_namespace_that_refuses_the_agents_is_named_with_the_command_that_mends_it() {
    let mut seen = healthy();
    for (level, refuses) in [
        ("baseline", true),
        ("restricted", true),
        ("privileged", false),
    ] {
        seen.namespace = Ok(Some(object(
            json!({ "metadata": { "labels": { ENFORCED: level } } }),
        )));
        let wrong = wrong(&seen);
        assert_eq!(!wrong.is_empty(), refuses, "{level}: {wrong:?}");
    }
    seen.namespace = Ok(Some(object(
        json!({ "metadata": { "labels": { ENFORCED: "baseline" } } }),
    )));
    assert_says(
        &wrong(&seen),
        "kubectl label namespace netdiag-system pod-security.kubernetes.io/enforce=privileged",
    );
}

#[test]
fn a_node_without_its_agent_is_named() {
    let mut seen = healthy();
    seen.pods = Ok(vec![agent_on("a")]);
    let wrong = wrong(&seen);
    assert_says(&wrong, "1 of 2 nodes have an agent that works.");
    assert_says(
        &wrong,
        "b: there is no agent, and the DaemonSet could not make one",
    );
}

#[test]
fn an_agent_that_waits_is_named_with_what_the_kubelet_says_of_it() {
    let mut seen = healthy();
    let waiting: Pod = object(json!({
        "metadata": { "name": "netdiag-agent-x" },
        "spec": { "containers": [], "affinity": { "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [{ "matchFields": [
                { "key": "metadata.name", "operator": "In", "values": ["b"] },
            ] }] },
        } } },
        "status": { "containerStatuses": [{
            "name": "agent", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such\u{1b}[2J image" } },
        }] },
    }));
    seen.pods = Ok(vec![agent_on("a"), waiting]);
    let wrong = wrong(&seen);
    assert_says(
        &wrong,
        "b: the agent is not ready: ImagePullBackOff, no such [2J image.",
    );
}

#[test]
fn nodes_with_the_same_fault_share_a_sentence() {
    let mut seen = healthy();
    let crashing = |node: &str| -> Pod {
        object(json!({
            "metadata": { "name": format!("netdiag-agent-{node}") },
            "spec": { "nodeName": node, "containers": [] },
            "status": { "containerStatuses": [{
                "name": "agent", "image": "", "imageID": "", "ready": false, "restartCount": 4,
                "state": { "waiting": {
                    "reason": "CrashLoopBackOff", "message": format!("back-off in pod netdiag-agent-{node}"),
                } },
            }] },
        }))
    };
    seen.pods = Ok(vec![crashing("a"), crashing("b")]);
    let wrong = wrong(&seen);
    assert_eq!(wrong.len(), 2, "a count and one reason: {wrong:#?}");
    assert_says(&wrong, "a, b: the agent is not ready: CrashLoopBackOff");
}

#[test]
fn an_agent_that_lives_must_have_a_report_that_is_ready_and_up_to_date() {
    let mut outdated = report_of("b");
    outdated.metadata.generation = Some(7);
    let mut silent = report_of("b");
    silent.status = None;
    let refused = ReportBuilder::new("b").acknowledged().minimal().build();
    for (reports, said) in [
        (vec![], "b: there is no report"),
        (vec![silent], "b: the agent has not written its report"),
        (
            vec![outdated],
            "b: the agent has not taken up what it was assigned last",
        ),
        (
            vec![refused],
            "b: the agent says in its report: field not declared in schema",
        ),
    ] {
        let mut seen = healthy();
        seen.reports = Ok(Some([vec![report_of("a")], reports].concat()));
        assert_says(&wrong(&seen), said);
    }
}

#[test]
fn nodes_that_are_not_ready_or_not_selected_are_noted_and_not_wrong() {
    let mut seen = healthy();
    let windows = labelled("w", &json!({ "kubernetes.io/os": "windows" }));
    if let Ok(nodes) = &mut seen.nodes {
        nodes.extend([unready_node("down"), windows]);
    }
    assert_eq!(wrong(&seen), Vec::<String>::new());
    let said = said(&seen);
    assert_says(&said, "note   1 node (down): not Ready themselves");
    assert_says(&said, "note   1 node (w): left out by agent.nodeSelector");
}

#[test]
fn kinds_that_are_not_served_and_objects_that_cannot_be_read_are_wrong() {
    let mut seen = healthy();
    seen.reports = Ok(None);
    assert_says(&wrong(&seen), "does not serve NodeNetReport");
    let forbidden = kube::core::Status::failure("pods is forbidden", "Forbidden");
    seen.pods = Err(kube::Error::Api(forbidden.boxed()).into());
    assert_says(
        &wrong(&seen),
        "The agents' pods cannot be read: pods is forbidden",
    );
    seen.controller = Ok(None);
    assert_says(&wrong(&seen), "There is no Deployment netdiag-controller");
}

#[test]
fn one_replica_of_two_is_enough_and_none_is_not() {
    let mut seen = healthy();
    for (ready, is_enough) in [(1, true), (0, false)] {
        seen.controller = Ok(Some(object(json!({
            "metadata": {}, "spec": { "replicas": 2, "selector": {}, "template": {} },
            "status": { "readyReplicas": ready },
        }))));
        assert_eq!(wrong(&seen).is_empty(), is_enough, "{ready}");
    }
}
