//! Against a real API server: what it accepts and refuses, and with which words.

mod agents;
mod chart;
mod chart_installed;
mod chart_values;
mod continuous;
mod diagnosis_spec;
mod election;
mod harness;
mod helm_test;
mod older_chart;
mod outages;
mod platforms;
mod releases;
mod report_size;
mod report_status;

use serde_json::{Value, json};

/// A NodeNetDiagnosis for `kubectl apply`.
fn diagnosis(name: &str, spec: &Value) -> String {
    let object = json!({
        "apiVersion": "netdiag.dev/v1alpha1",
        "kind": "NodeNetDiagnosis",
        "metadata": { "name": name },
        "spec": spec,
    });
    object.to_string()
}
