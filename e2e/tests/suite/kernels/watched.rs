//! A node whose agent watches it without a cluster.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use netdiag_e2e::lab::{DropTrigger, Node, Watch, Watched};
use serde_json::Value;

use super::counted::{Leftover, Reading, Readings};
use super::recorded;
use crate::outcome::Outcome;

/// Has the agent watch for that long at least, and as long as the fault takes, which begins once its window has.
///
/// Asserts that the agent's counts of drops are the kernel's, and that its ledger leaves nothing over.
#[track_caller]
pub fn watch<T>(node: &Node, seconds: u64, fault: impl FnOnce() -> T) -> (T, Outcome) {
    watch_leaving(Leftover::None, node, seconds, fault)
}

/// The same for a fault whose packets the kernel does not show all.
#[track_caller]
pub fn watch_leaving<T>(
    leftover: Leftover,
    node: &Node,
    seconds: u64,
    fault: impl FnOnce() -> T,
) -> (T, Outcome) {
    let trigger = DropTrigger::start().unwrap();
    let before = Reading::take(&trigger);
    let watch = node.watch(seconds).unwrap();
    let begun = Reading::take(&trigger);
    let began = Instant::now();
    let made = fault();
    let ended = Reading::take(&trigger);
    let watched = watch.report().unwrap();
    println!("TIME {:.1}", began.elapsed().as_secs_f64());
    let readings = Readings {
        before,
        begun,
        ended,
        after: Reading::take(&trigger),
    };
    let outcome = read(&watched);
    recorded::keep(&watched, readings.increases(node));
    readings.assert_counts(&trigger, &outcome.evidence);
    readings.assert_ledger(node, &outcome, &outcome.evidence, leftover);
    (made, outcome)
}

/// Waits for the report of a window in which no packet was at stake, and so many lines were written into the log.
#[track_caller]
pub fn conclude(watch: Watch, lines: u64) -> Outcome {
    let watched = watch.report().unwrap();
    let counters = BTreeMap::from([("kernel log lines".to_owned(), lines)]);
    recorded::keep(&watched, counters);
    read(&watched)
}

fn read(watched: &Watched) -> Outcome {
    let result = watched.report["status"]["results"][0].clone();
    say(&result);
    println!("{:#}", watched.report["status"]);
    let recording = fs::read(&watched.recording).unwrap();
    let mut recording: Value = serde_json::from_slice(&recording).unwrap();
    Outcome {
        diagnosis: Value::Null,
        result,
        evidence: recording["evidence"].take(),
    }
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
