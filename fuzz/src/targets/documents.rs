//! Documents that others write: recordings, reports of a node whose agent was taken over, objects of users.

use libfuzzer_sys::arbitrary::Unstructured;
use netdiag_crds::{NodeNetDiagnosis, NodeNetReport};
use serde_json::{Value, json};

use crate::{base, json::change};

/// A recording as it is, or a real one with changes.
pub(crate) fn recording(bytes: &[u8]) -> Option<()> {
    let recording = if bytes.starts_with(b"{") {
        netdiag_agent::fuzzing::recording(bytes)
    } else {
        let document = changed(&base::RECORDINGS, bytes)?;
        netdiag_agent::fuzzing::recording(&serde_json::to_vec(&document).ok()?)
    };
    netdiag_agent::fuzzing::window(&recording?.evidence);
    Some(())
}

/// A report as the controller reads it.
pub(crate) fn report(bytes: &[u8]) -> Option<()> {
    let document = changed(&base::REPORTS, bytes)?;
    let report: NodeNetReport = serde_json::from_value(document).ok()?;
    let other: NodeNetReport = serde_json::from_value(base::REPORTS.first()?.clone()).ok()?;
    let diagnosis = serde_json::from_value(plain_diagnosis()).ok()?;
    netdiag_controller::fuzzing::run(diagnosis, vec![report, other]);
    Some(())
}

/// A diagnosis with its annotations, its spec and what somebody may have written into its status.
pub(crate) fn diagnosis(bytes: &[u8]) -> Option<()> {
    let document = changed(&[plain_diagnosis()], bytes)?;
    let diagnosis: NodeNetDiagnosis = serde_json::from_value(document).ok()?;
    let report: NodeNetReport = serde_json::from_value(base::REPORTS.first()?.clone()).ok()?;
    for assignment in netdiag_controller::fuzzing::run(diagnosis, vec![report]) {
        netdiag_agent::fuzzing::assignment(&assignment);
    }
    Some(())
}

fn changed(originals: &[Value], bytes: &[u8]) -> Option<Value> {
    let (first, rest) = bytes.split_first()?;
    let original = originals.get(usize::from(*first) % originals.len().max(1))?;
    let mut document = original.clone();
    change(&mut document, &mut Unstructured::new(rest));
    Some(document)
}

fn plain_diagnosis() -> Value {
    json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetDiagnosis",
        "metadata": {
            "name": "d", "uid": "u", "generation": 1,
            "annotations": {"netdiag.dev/rerun": "1"},
            "labels": {"a": "b"},
        },
        "spec": {
            "nodes": {
                "selector": {
                    "matchLabels": {"a": "b"},
                    "matchExpressions": [
                        {"key": "a", "operator": "In", "values": ["b", "c"]},
                        {"key": "z", "operator": "DoesNotExist"},
                    ],
                },
                "names": null,
                "all": null,
            },
            "checks": ["UnhandledProtocol", "Promiscuity"],
            "interfaces": {"include": ["eth*", "bond[0-9]"], "exclude": ["*"]},
            "pods": true,
            "minSeverity": "Info",
            "once": {"durationSeconds": 30},
            "continuous": null,
            "suspend": false,
            "rerun": "2",
            "ttlSecondsAfterFinished": 60,
        },
        "status": null,
    })
}
