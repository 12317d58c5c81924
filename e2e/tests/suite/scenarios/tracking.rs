//! Connections that connection tracking does not let through, and segments that it calls invalid.

use anyhow::Result;
use netdiag_e2e::scenarios::{FullConnections, TrackedConnections};
use serde_json::Value;

use super::{Harness, assert_quiet};
use crate::outcome::Outcome;

/// New connections that found no room in the table.
pub fn full_table_of_connections(harness: &Harness) -> Result<()> {
    let stage = harness.node("connections")?;
    let full = FullConnections::new(stage.node())?;
    let ((sent, refused), outcome) = stage.watch(3, |_| full.send())?;
    assert!(refused > sent / 2, "{refused} of {sent}");
    let finding = only(&outcome, "TableFull");
    assert_eq!(finding["count"], refused, "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    let command = "sysctl -w net.netfilter.nf_conntrack_max=16";
    assert_eq!(finding["remedies"][0]["command"], command, "{finding:#}");
    Ok(())
}

/// Six connections of which the node sees one direction, beside a rule that drops what is invalid.
pub fn node_that_sees_one_direction(harness: &Harness) -> Result<()> {
    let stage = harness.node("one-way")?;
    let tracked = TrackedConnections::one_way(stage.node())?;
    let ((answers, untracked), outcome) = stage.watch(9, |_| tracked.ask())?;
    assert_eq!(answers, 0, "{untracked:?}");
    assert_eq!(untracked.by_rule, untracked.counted, "{untracked:?}");
    assert!(untracked.by_rule > 18, "{untracked:?}");
    let finding = only(&outcome, "InvalidDropped");
    // Clients send again after the scenario's last look.
    let count = finding["count"].as_u64().unwrap();
    assert!(count >= untracked.by_rule, "{untracked:?} {finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    assert_eq!(finding["harm"], "Outage", "{finding:#}");
    assert_eq!(finding["decision"], Value::Null, "{finding:#}");
    Ok(())
}

/// Connections that end after the node has forgotten them: the rule drops their last segments, which nobody misses.
pub fn late_segments_that_a_rule_drops(harness: &Harness) -> Result<()> {
    let stage = harness.node("late")?;
    let tracked = TrackedConnections::forgotten(stage.node())?;
    let ((connected, untracked), outcome) = stage.watch(7, |_| tracked.end_late())?;
    assert_eq!(connected, 6, "{untracked:?}");
    assert!(untracked.by_rule > 3, "{untracked:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// Connections to one address and port, more than the ports that their source is translated to.
pub fn more_connections_than_source_ports(harness: &Harness) -> Result<()> {
    let stage = harness.node("ports")?;
    let tracked = TrackedConnections::few_ports(stage.node())?;
    let ((connected, refused), outcome) = stage.watch(5, |_| tracked.crowd())?;
    assert!(connected <= 8 && refused > 16, "{connected}, {refused}");
    let finding = only(&outcome, "SourcePortsExhausted");
    assert_eq!(finding["count"], refused, "{finding:#}");
    assert_eq!(finding["severity"], "Critical", "{finding:#}");
    Ok(())
}

/// The only finding of Warning or worse.
#[track_caller]
fn only<'a>(outcome: &'a Outcome, cause: &str) -> &'a Value {
    outcome.assert_balanced();
    match outcome.alarming()[..] {
        [finding] if finding["cause"] == cause => finding,
        _ => panic!("{:#}", outcome.result),
    }
}
