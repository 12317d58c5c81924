use serde_json::{Value, json};

use super::*;

/// The rules of a DaemonSet whose pods have this spec.
fn placement(pod: &Value) -> Placement {
    let daemon_set = json!({ "spec": {
        "selector": {},
        "template": { "spec": pod },
    } });
    let mut daemon_set = daemon_set;
    daemon_set["spec"]["template"]["spec"]["containers"] = json!([]);
    Placement::of(&serde_json::from_value(daemon_set).unwrap())
}

fn node(name: &str, labels: &Value, taints: &Value) -> Node {
    let node = json!({
        "metadata": { "name": name, "labels": labels },
        "spec": { "taints": taints },
    });
    serde_json::from_value(node).unwrap()
}

/// True where the required terms of a node affinity select a node with these labels.
fn selects(terms: &Value, labels: &Value) -> bool {
    let pod = json!({ "affinity": { "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms },
    } } });
    let fit = placement(&pod).fit(&node("n1", labels, &json!([])));
    assert_ne!(fit, Fit::Kept);
    fit == Fit::Placed
}

/// The fit of a node with this one taint.
fn fit(tolerations: &Value, taint: &Value) -> Fit {
    let pod = json!({ "tolerations": tolerations });
    placement(&pod).fit(&node("n1", &json!({}), &json!([taint])))
}

#[test]
fn without_rules_every_node_gets_a_pod() {
    for rules in [Placement::default(), placement(&json!({}))] {
        let plain = node("n1", &json!({}), &json!(null));
        assert_eq!(rules.fit(&plain), Fit::Placed);
    }
}

#[test]
fn every_label_of_the_node_selector_must_be_there() {
    let rules = placement(&json!({ "nodeSelector": { "os": "linux", "pool": "a" } }));
    let of = |labels: &Value| rules.fit(&node("n1", labels, &json!([])));
    assert_eq!(
        of(&json!({ "os": "linux", "pool": "a", "x": "" })),
        Fit::Placed
    );
    assert_eq!(of(&json!({ "os": "linux" })), Fit::Never);
    assert_eq!(of(&json!({ "os": "windows", "pool": "a" })), Fit::Never);
}

#[test]
fn each_operator_of_an_affinity_means_what_it_means_to_the_scheduler() {
    let labels = json!({ "type": "small", "cores": "8", "odd": "many" });
    for (key, operator, values, expected) in [
        ("type", "In", &["small", "big"][..], true),
        ("type", "In", &["big"], false),
        ("none", "In", &["big"], false),
        ("type", "NotIn", &["small"], false),
        ("type", "NotIn", &["big"], true),
        ("none", "NotIn", &["big"], true),
        ("type", "Exists", &[], true),
        ("none", "Exists", &[], false),
        ("type", "DoesNotExist", &[], false),
        ("none", "DoesNotExist", &[], true),
        ("cores", "Gt", &["7"], true),
        ("cores", "Gt", &["8"], false),
        ("odd", "Gt", &["7"], false),
        ("none", "Gt", &["7"], false),
        ("cores", "Lt", &["9"], true),
        ("cores", "Lt", &["8"], false),
        ("cores", "Lt", &["many"], false),
        ("cores", "Near", &["8"], false),
    ] {
        let required = json!({ "key": key, "operator": operator, "values": values });
        let terms = json!([{ "matchExpressions": [required] }]);
        assert_eq!(
            selects(&terms, &labels),
            expected,
            "{key} {operator} {values:?}"
        );
    }
}

#[test]
fn one_term_must_hold_in_full_and_an_empty_one_holds_for_no_node() {
    let exists = |key: &str| json!({ "key": key, "operator": "Exists" });
    let labels = json!({ "a": "", "b": "" });
    let both = json!({ "matchExpressions": [exists("a"), exists("b")] });
    let one_lacks = json!({ "matchExpressions": [exists("a"), exists("c")] });
    assert!(selects(&json!([both]), &labels));
    assert!(!selects(&json!([one_lacks]), &labels));
    assert!(selects(&json!([one_lacks, both]), &labels));
    assert!(!selects(&json!([{}]), &labels));
    assert!(!selects(&json!([]), &labels));
}

#[test]
fn a_field_is_the_name_of_the_node() {
    let by_name = |operator: &str, name: &str| {
        let field = json!({ "key": "metadata.name", "operator": operator, "values": [name] });
        selects(&json!([{ "matchFields": [field] }]), &json!({}))
    };
    assert!(by_name("In", "n1"));
    assert!(!by_name("In", "n2"));
    assert!(by_name("NotIn", "n2"));
    let other = json!({ "key": "spec.podCIDR", "operator": "In", "values": ["n1"] });
    assert!(!selects(&json!([{ "matchFields": [other] }]), &json!({})));
    // A term of both must hold in both.
    let both = json!([{
        "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n1"] }],
        "matchExpressions": [{ "key": "pool", "operator": "Exists" }],
    }]);
    assert!(!selects(&both, &json!({})));
    assert!(selects(&both, &json!({ "pool": "a" })));
}

#[test]
fn a_toleration_covers_the_taints_that_it_names() {
    let taint = json!({ "key": "dedicated", "value": "gpu", "effect": "NoExecute" });
    for (toleration, tolerated) in [
        (json!({ "operator": "Exists" }), true),
        (json!({ "operator": "Exists", "effect": "NoExecute" }), true),
        (
            json!({ "operator": "Exists", "effect": "NoSchedule" }),
            false,
        ),
        (json!({ "key": "dedicated", "operator": "Exists" }), true),
        (json!({ "key": "other", "operator": "Exists" }), false),
        (json!({ "key": "dedicated", "value": "gpu" }), true),
        (
            json!({ "key": "dedicated", "operator": "Equal", "value": "gpu", "effect": "NoExecute" }),
            true,
        ),
        (json!({ "key": "dedicated", "value": "cpu" }), false),
        (json!({ "key": "dedicated" }), false),
        (
            json!({ "key": "dedicated", "value": "gpu", "tolerationSeconds": 5 }),
            true,
        ),
        (
            json!({ "key": "dedicated", "operator": "Gt", "value": "1" }),
            false,
        ),
    ] {
        let expected = if tolerated { Fit::Placed } else { Fit::Never };
        assert_eq!(fit(&json!([toleration]), &taint), expected, "{toleration}");
    }
}

#[test]
fn no_schedule_keeps_the_pod_that_is_there_and_preferences_count_for_nothing() {
    let taint = |effect: &str| json!({ "key": "a", "effect": effect });
    assert_eq!(fit(&json!([]), &taint("NoExecute")), Fit::Never);
    assert_eq!(fit(&json!([]), &taint("NoSchedule")), Fit::Kept);
    assert_eq!(fit(&json!([]), &taint("PreferNoSchedule")), Fit::Placed);
    let valueless = json!({ "key": "a", "operator": "Equal" });
    assert_eq!(
        fit(&json!([valueless]), &taint("NoExecute")),
        Fit::Placed,
        "no value equals no value"
    );
}

#[test]
fn the_troubles_of_a_node_do_not_keep_its_pod_away() {
    for key in TROUBLES {
        for effect in ["NoSchedule", "NoExecute"] {
            let taint = json!({ "key": key, "effect": effect });
            assert_eq!(fit(&json!([]), &taint), Fit::Placed, "{key}");
        }
    }
    let taints = json!([{ "key": NO_NETWORK, "effect": "NoSchedule" }]);
    let of = |host: bool| {
        let rules = placement(&json!({ "hostNetwork": host }));
        rules.fit(&node("n1", &json!({}), &taints))
    };
    assert_eq!(of(true), Fit::Placed);
    assert_eq!(of(false), Fit::Kept);
}
