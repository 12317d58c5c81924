//! A node whose agent watches it without a cluster.

use netdiag_e2e::lab::Node;
use serde_json::Value;

use crate::outcome::Outcome;

/// Has the agent watch for that long, makes the fault once its window has begun, and waits for its report.
#[track_caller]
pub fn watch<T>(node: &Node, seconds: u64, fault: impl FnOnce() -> T) -> (T, Outcome) {
    let watch = node.watch(seconds).unwrap();
    let made = fault();
    let report = watch.report().unwrap().report;
    let result = report["status"]["results"][0].clone();
    say(&result);
    println!("{:#}", report["status"]);
    let outcome = Outcome {
        diagnosis: Value::Null,
        result,
    };
    (made, outcome)
}

/// Lines from which the table of causes by kernel is made; the harness keeps what follows for people.
fn say(result: &Value) {
    let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    for finding in list("findings") {
        println!(
            "FOUND {}/{}",
            text(&finding, "check"),
            text(&finding, "cause")
        );
    }
    for unchecked in list("unchecked") {
        let reason = text(&unchecked, "reason");
        // That a window was short is the scenario's doing, not the kernel's.
        if !reason.contains("can miss them") {
            println!("UNCHECKED {}: {reason}", text(&unchecked, "check"));
        }
    }
}
