//! A node whose agent watches it without a cluster.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use netdiag_e2e::lab::{DropTrigger, Node, Watched};
use serde_json::Value;

use super::counted::{Leftover, Reading, Readings};
use super::recorded;
use crate::outcome::Outcome;
use crate::scenarios::{Agent, Scenario};

/// Has the agent watch for that long at least, and as long as the fault takes, which begins once its window has.
///
/// Asserts that the agent's counts of drops are the kernel's, and that its ledger leaves nothing over, or what the
/// scenario says.
pub fn watch<T>(
    scenario: &Scenario,
    leftover: Leftover,
    node: &Node,
    seconds: u64,
    fault: impl FnOnce(Agent) -> Result<T>,
) -> Result<(T, Outcome)> {
    let trigger = DropTrigger::start()?;
    let before = Reading::take(&trigger)?;
    let watch = node.watch(seconds)?;
    let begun = Reading::take(&trigger)?;
    let began = Instant::now();
    let made = fault(Agent(watch.agent()))?;
    let ended = Reading::take(&trigger)?;
    let watched = watch.report()?;
    println!("TIME {:.1}", began.elapsed().as_secs_f64());
    let readings = Readings {
        before,
        begun,
        ended,
        after: Reading::take(&trigger)?,
    };
    let outcome = read(&watched)?;
    recorded::keep(scenario, &watched, readings.increases(node))?;
    readings.assert_counts(&trigger, &outcome.evidence);
    readings.assert_ledger(node, &outcome, leftover);
    Ok((made, outcome))
}

/// Reads the report of a window in which no packet was at stake, and so many lines were written into the log.
pub fn conclude(scenario: &Scenario, watched: &Watched, lines: u64) -> Result<Outcome> {
    let counters = BTreeMap::from([("kernel log lines".to_owned(), lines)]);
    recorded::keep(scenario, watched, counters)?;
    read(watched)
}

fn read(watched: &Watched) -> Result<Outcome> {
    let outcome = Outcome::of_watched(watched)?;
    say(&outcome.result);
    println!("{:#}", watched.report["status"]);
    Ok(outcome)
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
