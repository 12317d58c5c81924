//! Frames that come in on several NICs below one device, beside frames that really come in twice.

use anyhow::Result;
use netdiag_e2e::scenarios::StackedNics;
use serde_json::Value;

use super::fragments::nothing_about_fragments;
use super::{Harness, assert_harmless};
use crate::outcome::Outcome;

/// Datagrams of each host.
const SENT: u64 = 10;
const FRAGMENTS: u64 = 6;
const WINDOW: u64 = 4;

/// The evidence of the probe, which has to have been attached.
fn frame_copies(outcome: &Outcome) -> &Value {
    let evidence = &outcome.evidence["frame_copies"];
    assert_eq!(evidence["state"], "ran", "{evidence:#}");
    &evidence["value"]
}

/// Copies in the node's own namespace.
fn copies_on_node<'a>(outcome: &'a Outcome) -> Vec<&'a Value> {
    let namespaces = outcome.evidence["namespaces"].as_array().unwrap();
    let mut node = namespaces.iter().filter(|one| one["is_node"] == true);
    let node = node.next().unwrap();
    let copies = frame_copies(outcome)["copies"].as_array().unwrap();
    let on_node = |copy: &&'a Value| copy["netns"] == node["id"];
    copies.iter().filter(on_node).collect()
}

pub fn fragments_on_every_port_of_a_bond_and_of_a_team(harness: &Harness) -> Result<()> {
    let stage = harness.node("bundles")?;
    let stacked = StackedNics::in_bundles(stage.node())?;
    let (sent, outcome) = stage.watch(WINDOW, |agent| {
        agent.wait_for("frame_copies")?;
        stacked.send(SENT)
    })?;
    assert!(sent >= 2 * SENT * FRAGMENTS, "{sent} packets sent");
    let compared = frame_copies(&outcome)["compared"].as_u64().unwrap();
    assert!(compared >= 2 * sent, "{compared} of 2 x {sent} compared");
    assert_eq!(copies_on_node(&outcome), [] as [&Value; 0]);
    nothing_about_fragments(&outcome);
    Ok(())
}

pub fn fragments_in_a_vlan_on_a_bond_and_on_a_nic(harness: &Harness) -> Result<()> {
    let stage = harness.node("one-vlan")?;
    let stacked = StackedNics::in_one_vlan(stage.node())?;
    let (sent, outcome) = stage.watch(WINDOW, |agent| {
        agent.wait_for("frame_copies")?;
        stacked.send(SENT)
    })?;
    assert!(sent >= SENT * FRAGMENTS, "{sent} packets sent");
    let fragments: u64 = copies_on_node(&outcome)
        .iter()
        .filter(|copy| copy["fragments"] == true)
        .map(|copy| copy["count"].as_u64().unwrap())
        .sum();
    assert_eq!(fragments, SENT * FRAGMENTS, "{:#}", frame_copies(&outcome));
    let about = |finding: &&Value| finding["cause"] == "SharedBroadcastDomain";
    let found: Vec<_> = outcome.all().iter().filter(about).collect();
    let [finding] = found[..] else {
        panic!("{found:#?}");
    };
    let text = finding.to_string();
    for named in ["bond0.100", "lan2.100"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    assert_harmless(&outcome);
    Ok(())
}
