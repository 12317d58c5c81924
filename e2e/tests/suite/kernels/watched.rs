//! A node whose agent watches it without a cluster.

use netdiag_e2e::lab::Node;
use serde_json::Value;

use crate::outcome::Outcome;

/// Has the agent watch for that long, makes the fault once its window has begun, and waits for its report.
#[track_caller]
pub fn watch<T>(node: &Node, seconds: u64, fault: impl FnOnce() -> T) -> (T, Outcome) {
    let watch = node.watch(seconds).unwrap();
    let made = fault();
    let report = watch.report().unwrap();
    let result = report["status"]["results"][0].clone();
    println!("{:#}", report["status"]); // shown by the harness when the test fails
    let outcome = Outcome {
        diagnosis: Value::Null,
        result,
    };
    (made, outcome)
}
