//! Drops that the table of `OtherDrop` explains, full queues and tables, and drops that no event tells of.

use anyhow::Result;
use netdiag_e2e::scenarios::{FullBacklog, HealthyPods, HungProgram, Refusals, SharedPackets};
use serde_json::Value;

use super::{Harness, assert_harmless};
use crate::kernels::Leftover;
use crate::outcome::{Outcome, is_nearly};

/// Five reasons in one window, each told by its number and its meaning.
pub fn refusals_for_several_reasons(harness: &Harness) -> Result<()> {
    let stage = harness.node("refusals")?;
    let refusals = Refusals::new(stage.node())?;
    let (made, outcome) = stage.watch(5, |_| refusals.send())?;
    for (sent, counted) in [
        made.forged,
        made.to_nowhere,
        made.against_policy,
        made.to_closed_port,
    ] {
        assert_eq!(sent, counted, "{made:?}");
    }
    let forged = outcome.finding("Routing", "ReversePathFilter", "veth-client");
    assert_eq!(forged["count"], made.forged.0, "{forged:#}");
    assert_eq!(forged["severity"], "Info", "{forged:#}");
    assert!(forged.to_string().contains("10.81.9.7"), "{forged:#}");
    let refused = |cause: &str, count: u64, severity: &str, means: &str| {
        let finding = outcome.finding("OtherDrop", cause, "veth-client");
        assert_eq!(finding["count"], count, "{finding:#}");
        assert_eq!(finding["severity"], severity, "{finding:#}");
        let summary = finding["summary"].as_str().unwrap();
        assert!(summary.contains(means), "{means:?} is not in {finding:#}");
        finding
    };
    if outcome.has_no_reasons() {
        // One function refuses what has no route and what has one that refuses.
        let unrouted = made.to_nowhere.0 + made.to_blackhole;
        refused("ip_error", unrouted, "Info", "No route");
    } else {
        for (cause, count) in [
            ("BlackholeRoute", made.to_blackhole),
            ("NoRoute", made.to_nowhere.0),
        ] {
            let finding = outcome.finding("Routing", cause, "veth-client");
            assert_eq!(finding["count"], count, "{finding:#}");
            assert_eq!(finding["severity"], "Critical", "{finding:#}");
        }
    }
    let by_cause = |cause: &str| {
        let mut found = outcome.all().iter();
        let found = found.find(|finding| finding["cause"] == cause);
        found.unwrap_or_else(|| panic!("{:#}", outcome.result))
    };
    let closed = by_cause("PortClosed");
    assert_eq!(closed["count"], made.to_closed_port.0, "{closed:#}");
    assert_eq!(closed["decision"], true, "{closed:#}");
    let by_rule = by_cause("RuleDropped");
    assert_eq!(by_rule["count"], made.against_policy.0, "{by_rule:#}");
    assert_eq!(by_rule["decision"], true, "{by_rule:#}");
    // Routes prove what happens to each datagram; of the others no sample proves that a flow is dead.
    let dead_ends = if outcome.has_no_reasons() { 0 } else { 2 };
    assert_alarming(&outcome, dead_ends);
    Ok(())
}

/// A program that neither reads nor accepts.
pub fn program_that_neither_reads_nor_accepts(harness: &Harness) -> Result<()> {
    let stage = harness.node("hung-program")?;
    let hung = HungProgram::new(stage.node())?;
    let (made, outcome) = stage.watch(6, |_| hung.send())?;
    assert!(made.datagrams > 100 && made.connections > 5, "{made:?}");
    let by_cause = |cause: &str| {
        let mut found = outcome.all().iter();
        let found = found.find(|finding| finding["cause"] == cause);
        found.unwrap_or_else(|| panic!("{:#}", outcome.result))
    };
    let finding = by_cause("ReceiveBufferFull");
    assert_eq!(finding["count"], made.datagrams, "{finding:#}");
    // The program received none.
    assert_eq!(finding["severity"], "Critical");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    let text = finding.to_string();
    let socket = "The receive buffer of 10.82.0.2:5000 of netdiag-lab (pid ";
    assert!(text.contains(socket), "{finding:#}");
    let finding = by_cause("AcceptQueueFull");
    let listener = "The queue of connections to accept of 10.82.0.2:5000 of netdiag-lab (pid ";
    assert!(finding.to_string().contains(listener), "{finding:#}");
    // Clients ask again after the scenario's last look, and what a drop event tells of is not told of twice.
    let count = finding["count"].as_u64().unwrap();
    let plausible = made.connections / 2..=made.connections * 2;
    assert!(plausible.contains(&count), "{made:?} {finding:#}");
    assert_eq!(finding["severity"], "Warning");
    assert_eq!(finding["subject"]["pod"]["name"], "server");
    assert_alarming(&outcome, 2);
    Ok(())
}

/// A burst that found the queue of its CPU full.
pub fn full_backlog_of_a_cpu(harness: &Harness) -> Result<()> {
    let stage = harness.node("backlog")?;
    let full = FullBacklog::new(stage.node())?;
    let (made, outcome) = stage.watch(3, |_| full.send())?;
    assert!(made.of_cpus > 20 && made.received > 20, "{made:?}");
    assert_eq!(
        made.sent, made.received,
        "a veth counts them at both its ends"
    );
    let of_backlog = |finding: &&Value| finding["cause"] == "BacklogFull";
    let finding = outcome.all().iter().find(of_backlog);
    let finding = finding.unwrap_or_else(|| panic!("{:#}", outcome.result));
    // By its share of what the CPU took, which depends on how quick the machine is.
    assert_ne!(finding["severity"], "Info", "{finding:#}");
    assert_eq!(finding["count"], made.of_cpus, "{finding:#}");
    let text = finding.to_string();
    for named in ["veth-client", "CPU 0", "netdev_max_backlog"] {
        assert!(text.contains(named), "{named} is not in {finding:#}");
    }
    outcome.assert_explained("shop/client", "eth0", "tx_dropped", made.sent);
    outcome.assert_explained("", "veth-client", "rx_dropped", made.received);
    assert_alarming(&outcome, 1);
    Ok(())
}

/// Retransmissions as of a full queue, and no device counts a drop.
pub fn loss_in_a_queueing_discipline(harness: &Harness) -> Result<()> {
    let stage = harness.node("lossy")?;
    let pods = HealthyPods::new(stage.node())?;
    pods.lose(3)?;
    let (lost, outcome) = stage.watch(3, |_| pods.talk_until_lost(12))?;
    // What a closed connection had left is sent, and lost, after its client's end.
    let lost = lost..=pods.lost()?;
    assert!(*lost.start() > 5, "{lost:?} packets");
    let finding = outcome.finding("Queueing", "Shaped", "veth-server");
    assert_eq!(finding["decision"], true, "{finding:#}");
    let is_certain = finding["confidence"] == "Certain";
    assert_eq!(is_certain, !outcome.has_no_reasons(), "{finding:#}");
    let count = finding["count"].as_u64().unwrap();
    let few_missed = is_nearly(count, *lost.start());
    assert!(few_missed || lost.contains(&count), "{lost:?}: {finding:#}");
    assert!(outcome.ledger("", "veth-server", "tx_dropped").is_none());
    assert_harmless(&outcome);
    Ok(())
}

/// Drops that are counted at both ends of a veth, and of which no event tells, because the sender holds the packets:
/// the ledger must not make up what it has not seen.
pub fn packets_that_their_sender_still_holds(harness: &Harness) -> Result<()> {
    let stage = harness.node("shared-packets")?;
    let leftover =
        Leftover::Because("the sender holds the packets, so that no event tells of their drop");
    let shared = SharedPackets::new(stage.node())?;
    let generate = |_| shared.generate();
    let ((sender, receiver), outcome) = stage.watch_leaving(leftover, 3, generate)?;
    assert!(sender > 20, "{sender} packets");
    assert_eq!(sender, receiver, "a veth counts them at both its ends");
    for (netns, device, counter) in [
        ("shop/generator", "eth0", "tx_dropped"),
        ("", "veth-generator", "rx_dropped"),
    ] {
        let entry = outcome.ledger(netns, device, counter);
        let entry = entry.unwrap_or_else(|| panic!("{:#}", outcome.result["ledger"]));
        assert_eq!(entry["increase"], sender, "{entry:#}");
        assert_eq!(entry["unexplained"], sender, "{entry:#}");
    }
    outcome.assert_balanced();
    Ok(())
}

/// So many findings of Warning or worse, and no more: nothing is blamed that was not made.
#[track_caller]
fn assert_alarming(outcome: &Outcome, count: usize) {
    let alarming: Vec<&Value> = outcome.alarming();
    assert_eq!(alarming.len(), count, "{alarming:#?}");
    outcome.assert_balanced();
}
