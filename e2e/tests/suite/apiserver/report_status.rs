//! Agents and custom resource definitions of different releases.

use netdiag_crds::NodeNetReport;
use netdiag_e2e::kubectl::Kubectl;
use serde_json::{Value, json};

use crate::CONTROL_PLANE;

pub(super) fn create_report(kubectl: &Kubectl, name: &str) {
    let report = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetReport",
        "metadata": { "name": name },
        "spec": {},
    });
    kubectl.apply(&report.to_string()).unwrap();
}

/// Writes a status as an agent does.
pub(super) fn apply_status(
    kubectl: &Kubectl,
    name: &str,
    status: &Value,
) -> anyhow::Result<String> {
    let body = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetReport",
        "metadata": { "name": name },
        "status": status,
    });
    let manager = format!("--field-manager={}", netdiag_crds::managers::AGENT);
    let arguments = [
        "apply",
        "--server-side",
        "--subresource=status",
        &manager,
        "--force-conflicts",
        "-f",
        "-",
    ];
    kubectl.run_with_input(&arguments, &body.to_string())
}

/// A status whose words are all of a later release.
fn later_status() -> Value {
    json!({
        "observedGeneration": 1,
        "agent": { "version": "9.0.0", "kernel": "9.9.9", "btf": true },
        "probes": [{ "name": "skb_lifetime", "state": "Warming", "backend": "struct_ops" }],
        "results": [{
            "diagnosis": "local",
            "runGeneration": 1,
            "state": "Deferred",
            "findings": [{
                "id": "Teleport/Lost/eth0",
                "check": "Teleport",
                "cause": "Lost",
                "severity": "Fatal",
                "confidence": "Proved",
                "summary": "a check of a later release",
            }],
        }],
    })
}

#[test]
#[ignore = "needs a control plane"]
fn a_newer_agent_reports_checks_and_severities_that_this_schema_never_heard_of() {
    let kubectl = CONTROL_PLANE.kubectl();
    create_report(&kubectl, "newer-agent");
    apply_status(&kubectl, "newer-agent", &later_status()).unwrap();
    let stored = kubectl.get(&["nnr", "newer-agent"]).unwrap();
    let finding = &stored["status"]["results"][0]["findings"][0];
    assert_eq!(finding["check"], "Teleport");
    assert_eq!(finding["severity"], "Fatal");
}

#[test]
#[ignore = "needs a control plane"]
fn one_field_that_the_schema_lacks_refuses_the_whole_status() {
    let kubectl = CONTROL_PLANE.kubectl();
    create_report(&kubectl, "newer-field");
    let mut status = later_status();
    status["results"][0]["tunnels"] = json!(3);
    let refused = apply_status(&kubectl, "newer-field", &status).unwrap_err();
    assert!(format!("{refused:#}").contains("tunnels"), "{refused:#}");
    let stored = kubectl.get(&["nnr", "newer-field"]).unwrap();
    assert!(stored.get("status").is_none(), "{stored}");

    // What an agent falls back to.
    let minimal = json!({
        "observedGeneration": 1,
        "conditions": [{
            "type": netdiag_crds::conditions::READY,
            "status": "False",
            "reason": netdiag_crds::conditions::reasons::SCHEMA_MISMATCH,
            "message": "field not declared in schema",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    apply_status(&kubectl, "newer-field", &minimal).unwrap();
    let stored = kubectl.get(&["nnr", "newer-field"]).unwrap();
    assert_eq!(
        stored["status"]["conditions"][0]["reason"],
        "SchemaMismatch"
    );
}

#[test]
#[ignore = "needs a control plane"]
fn an_over_long_string_refuses_the_whole_status() {
    let kubectl = CONTROL_PLANE.kubectl();
    create_report(&kubectl, "over-long");
    let mut status = later_status();
    let longest = netdiag_crds::limits::LINE;
    status["results"][0]["findings"][0]["summary"] = json!("x".repeat(longest + 1));
    let refused = apply_status(&kubectl, "over-long", &status).unwrap_err();
    assert!(format!("{refused:#}").contains("summary"), "{refused:#}");

    // The API server counts characters, so a report in any script has the same room.
    status["results"][0]["findings"][0]["summary"] = json!("ü".repeat(longest));
    apply_status(&kubectl, "over-long", &status).unwrap();
}

#[test]
#[ignore = "needs a control plane"]
fn an_older_agent_reads_and_reports_by_a_newer_schema() {
    let kubectl = CONTROL_PLANE.kubectl();
    kubectl
        .install_crds(&newer_report_crd().to_string())
        .unwrap();
    let assignment = json!({
        "name": "nightly",
        "uid": "5a1f",
        "runGeneration": 1,
        "assignedTime": "2026-01-01T00:00:00Z",
        "mode": "Once",
        "windowSeconds": 35,
        "tunnels": true,
    });
    let mut report = json!({
        "apiVersion": "newer.netdiag.dev/v1alpha1",
        "kind": "NodeNetReport",
        "metadata": { "name": "older-agent" },
        "spec": { "assignments": [assignment] },
    });
    kubectl.apply(&report.to_string()).unwrap();
    let kind = "nodenetreports.newer.netdiag.dev";
    let stored = kubectl.get(&[kind, "older-agent"]).unwrap();
    assert_eq!(stored["spec"]["assignments"][0]["tunnels"], true);
    let read: NodeNetReport = serde_json::from_value(stored).unwrap();
    assert_eq!(read.spec.assignments[0].window_seconds, 35);

    report["status"] = later_status();
    let arguments = ["apply", "--server-side", "--subresource=status", "-f", "-"];
    kubectl
        .run_with_input(&arguments, &report.to_string())
        .unwrap();
    let stored = kubectl.get(&[kind, "older-agent"]).unwrap();
    assert_eq!(stored["status"]["agent"]["version"], "9.0.0");
}

/// The report's definition as a later release might have it, under a group of its own: optional
/// fields more in assignments and results.
fn newer_report_crd() -> Value {
    let crds = netdiag_crds::schema::crds().unwrap();
    let mut crds = crds.iter();
    let report = crds
        .find(|crd| crd.spec.names.kind == "NodeNetReport")
        .unwrap();
    let mut crd = serde_json::to_value(report).unwrap();
    crd["metadata"]["name"] = json!("nodenetreports.newer.netdiag.dev");
    crd["spec"]["group"] = json!("newer.netdiag.dev");
    crd["spec"]["names"]["shortNames"] = json!([]);
    crd["spec"]["names"]["categories"] = json!([]);
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties";
    for (list, kind) in [
        ("spec/properties/assignments", "boolean"),
        ("status/properties/results", "integer"),
    ] {
        let items = format!("{properties}/{list}/items/properties");
        crd.pointer_mut(&items).unwrap()["tunnels"] = json!({ "type": kind });
    }
    crd
}

#[test]
#[ignore = "needs a control plane"]
fn reports_are_selected_and_shown_by_their_columns() {
    let kubectl = CONTROL_PLANE.kubectl();
    for (name, harm, lost) in [
        ("harmed", "Outage", json!(7)),
        ("unharmed", "Cost", json!(0)),
    ] {
        create_report(&kubectl, name);
        let mut status = later_status();
        status["agent"]["version"] = json!("9.0.1-columns");
        status["summary"] = json!({
            "probes": "8/8", "harm": harm, "severity": "Warning", "findings": 1, "lost": lost, "unexplained": 0,
        });
        apply_status(&kubectl, name, &status).unwrap();
    }
    let selected = |selector: &str| {
        let selector = format!("{selector},status.agent.version=9.0.1-columns");
        let list = kubectl
            .get(&["nnr", "--field-selector", &selector])
            .unwrap();
        let items = list["items"].as_array().unwrap().iter();
        let names = items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(selected("status.summary.harm=Outage"), ["harmed"]);
    let warnings = selected("status.summary.severity=Warning");
    assert_eq!(warnings, ["harmed", "unharmed"]);
    let table = kubectl.run(&["get", "nnr", "harmed"]).unwrap();
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[3..7], ["8/8", "Outage", "Warning", "7"], "{table}");
    let diagnoses = [
        "get",
        "nnd",
        "--field-selector",
        "status.summary.state=Degraded",
    ];
    kubectl.run(&diagnoses).unwrap();
}
