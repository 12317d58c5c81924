//! The spec that a person may write. A wrong one is refused at `kubectl apply`, and the answer names what is allowed.

use std::fs;

use serde_json::{Value, json};

use super::diagnosis;
use crate::CONTROL_PLANE;

/// The examples that the documents tell people to apply.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// A wrong spec, and what the refusal must say.
fn wrong_specs() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let all = json!({ "all": true });
    let many = |count: usize, prefix: &str| -> Vec<String> {
        (0..count)
            .map(|number| format!("{prefix}{number}"))
            .collect()
    };
    let selector = |selector: Value| json!({ "nodes": { "selector": selector } });
    vec![
        (
            "unknown-check",
            json!({ "nodes": all, "checks": ["Promiscuous"] }),
            vec![
                "spec.checks[0]",
                "\"Promiscuous\"",
                "\"Promiscuity\"",
                "\"OtherDrop\"",
            ],
        ),
        (
            "no-checks",
            json!({ "nodes": all, "checks": [] }),
            vec!["spec.checks", "at least 1 items"],
        ),
        (
            "check-twice",
            json!({ "nodes": all, "checks": ["LinkMtu", "LinkMtu"] }),
            vec!["spec.checks[1]", "Duplicate value", "LinkMtu"],
        ),
        (
            "both-modes",
            json!({ "nodes": all, "once": {}, "continuous": {} }),
            vec!["spec.once and spec.continuous exclude each other"],
        ),
        (
            "ttl-without-end",
            json!({ "nodes": all, "continuous": {}, "ttlSecondsAfterFinished": 60 }),
            vec!["spec.ttlSecondsAfterFinished has no effect with spec.continuous"],
        ),
        ("no-nodes", json!({}), vec!["spec.nodes", "Required value"]),
        (
            "empty-nodes",
            json!({ "nodes": {} }),
            vec!["spec.nodes needs exactly one of all: true, names: [..] and selector: {..}"],
        ),
        (
            "two-selections",
            json!({ "nodes": { "all": true, "names": ["a"] } }),
            vec!["spec.nodes needs exactly one of"],
        ),
        (
            "all-false",
            json!({ "nodes": { "all": false } }),
            vec!["spec.nodes.all can only be true"],
        ),
        (
            "no-names",
            json!({ "nodes": { "names": [] } }),
            vec!["spec.nodes.names", "at least 1 items"],
        ),
        (
            "misspelt-selector",
            json!({ "nodes": { "all": true, "selecter": {} } }),
            vec!["unknown field \"spec.nodes.selecter\""],
        ),
        (
            "empty-selector",
            selector(json!({})),
            vec!["spec.nodes.selector is empty", "nodes: {all: true}"],
        ),
        (
            "selector-of-empty-parts",
            selector(json!({ "matchLabels": {}, "matchExpressions": [] })),
            vec!["spec.nodes.selector is empty"],
        ),
        (
            "selector-key",
            selector(json!({ "matchLabels": { "not a key": "x" } })),
            vec!["matchLabels has a key that is not a label key"],
        ),
        (
            "selector-value",
            selector(json!({ "matchLabels": { "rack": "no spaces" } })),
            vec!["matchLabels has a value that is not a label value"],
        ),
        (
            "selector-operator",
            selector(json!({ "matchExpressions": [{ "key": "rack", "operator": "Is" }] })),
            vec!["operator", "\"Is\"", "\"NotIn\""],
        ),
        (
            "selector-in-nothing",
            selector(json!({ "matchExpressions": [{ "key": "rack", "operator": "In" }] })),
            vec!["In and NotIn need values"],
        ),
        (
            "selector-exists-with-values",
            selector(json!({ "matchExpressions":
                [{ "key": "rack", "operator": "Exists", "values": ["r1"] }] })),
            vec!["Exists and DoesNotExist take none"],
        ),
        (
            "window-too-short",
            json!({ "nodes": all, "once": { "durationSeconds": 0 } }),
            vec!["spec.once.durationSeconds", "greater than or equal to 1"],
        ),
        (
            "window-too-long",
            json!({ "nodes": all, "once": { "durationSeconds": 3601 } }),
            vec!["spec.once.durationSeconds", "less than or equal to 3600"],
        ),
        (
            "interval-too-short",
            json!({ "nodes": all, "continuous": { "intervalSeconds": 59 } }),
            vec![
                "spec.continuous.intervalSeconds",
                "greater than or equal to 60",
            ],
        ),
        (
            "interval-too-long",
            json!({ "nodes": all, "continuous": { "intervalSeconds": 86_401 } }),
            vec![
                "spec.continuous.intervalSeconds",
                "less than or equal to 86400",
            ],
        ),
        (
            "bad-glob",
            json!({ "nodes": all, "interfaces": { "include": ["eth[0"] } }),
            vec![
                "spec.interfaces.include has an entry that is not an interface glob",
                "eth*",
            ],
        ),
        (
            "glob-of-a-path",
            json!({ "nodes": all, "interfaces": { "exclude": ["a/b"] } }),
            vec!["spec.interfaces.exclude has an entry that is not an interface glob"],
        ),
        (
            "glob-too-long",
            json!({ "nodes": all, "interfaces": { "include": ["e".repeat(33)] } }),
            vec!["spec.interfaces.include[0]", "32"],
        ),
        (
            "too-many-globs",
            json!({ "nodes": all, "interfaces": { "include": many(17, "eth") } }),
            vec!["spec.interfaces.include", "at most 16 items"],
        ),
        (
            "too-many-names",
            json!({ "nodes": { "names": many(1001, "node-") } }),
            vec!["spec.nodes.names", "at most 1000 items"],
        ),
        (
            "unknown-severity",
            json!({ "nodes": all, "minSeverity": "Error" }),
            vec!["spec.minSeverity", "\"Error\"", "\"Warning\""],
        ),
        (
            "rerun-too-long",
            json!({ "nodes": all, "rerun": "x".repeat(65) }),
            vec!["spec.rerun", "64"],
        ),
    ]
}

#[test]
#[ignore = "needs a control plane"]
fn each_wrong_spec_is_refused_with_words_that_help() {
    let kubectl = CONTROL_PLANE.kubectl();
    let mut complaints = Vec::new();
    for (name, spec, expected) in wrong_specs() {
        match kubectl.apply(&diagnosis(name, &spec)) {
            Ok(_) => complaints.push(format!("{name} was accepted")),
            Err(error) => {
                let said = format!("{error:#}");
                for words in expected.iter().filter(|words| !said.contains(**words)) {
                    complaints.push(format!("{name} does not say {words:?}: {said}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
#[ignore = "needs a control plane"]
fn a_short_spec_gets_its_defaults() {
    let kubectl = CONTROL_PLANE.kubectl();
    let spec = json!({ "nodes": { "all": true }, "once": {} });
    kubectl.apply(&diagnosis("short", &spec)).unwrap();
    let stored = kubectl.get(&["nnd", "short"]).unwrap();
    assert_eq!(stored["spec"]["once"]["durationSeconds"], 35);
    assert_eq!(stored["spec"]["pods"], true);
    assert_eq!(stored["spec"]["minSeverity"], "Info");

    let spec = json!({ "nodes": { "names": ["a"] }, "continuous": {} });
    kubectl
        .apply(&diagnosis("short-continuous", &spec))
        .unwrap();
    let stored = kubectl.get(&["nnd", "short-continuous"]).unwrap();
    assert_eq!(stored["spec"]["continuous"]["intervalSeconds"], 300);
    assert!(
        stored["spec"].get("once").is_none(),
        "a default would refuse the other mode"
    );
}

#[test]
#[ignore = "needs a control plane"]
fn everything_that_may_be_asked_for_is_accepted() {
    let kubectl = CONTROL_PLANE.kubectl();
    let names: Vec<String> = (0..1000).map(|number| format!("node-{number}")).collect();
    let expressions = json!([
        { "key": "kubernetes.io/os", "operator": "In", "values": ["linux"] },
        { "key": "spot", "operator": "DoesNotExist" },
    ]);
    let specs = [
        json!({
            "nodes": { "selector": { "matchLabels": { "rack": "r1" }, "matchExpressions": expressions } },
            "checks": ["Promiscuity", "UnhandledProtocol", "ChecksumDrop", "LinkMtu", "OtherDrop"],
            "interfaces": { "include": ["eth*", "bond?", "en[op][0-9]*"], "exclude": ["eth[!0-3]"] },
            "pods": false,
            "minSeverity": "Warning",
            "once": { "durationSeconds": 3600 },
            "ttlSecondsAfterFinished": 600,
            "suspend": true,
            "rerun": "2",
        }),
        json!({ "nodes": { "names": names }, "continuous": { "intervalSeconds": 86_400 } }),
    ];
    for (number, spec) in specs.iter().enumerate() {
        let object = diagnosis(&format!("accepted-{number}"), spec);
        kubectl.apply(&object).unwrap();
    }
}

#[test]
#[ignore = "needs a control plane"]
fn each_example_is_accepted() {
    let kubectl = CONTROL_PLANE.kubectl();
    let said = kubectl
        .run(&["apply", "--dry-run=server", "-f", EXAMPLES])
        .unwrap();
    let examples = fs::read_dir(EXAMPLES).unwrap().count();
    assert_eq!(said.lines().count(), examples, "{said}");
}

#[test]
#[ignore = "needs a control plane"]
fn a_status_in_an_apply_is_ignored() {
    let kubectl = CONTROL_PLANE.kubectl();
    let object = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetDiagnosis",
        "metadata": { "name": "with-status" },
        "spec": { "nodes": { "all": true } },
        "status": { "runGeneration": 7 },
    });
    kubectl.apply(&object.to_string()).unwrap();
    let stored = kubectl.get(&["nnd", "with-status"]).unwrap();
    assert!(stored.get("status").is_none(), "{stored}");
}
