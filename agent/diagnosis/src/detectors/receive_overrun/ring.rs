//! Full receive rings, by the counters of NIC drivers.

use super::{NAME, RING_FULL, severity};
use crate::{
    evidence::{EvidenceWindow, Link, LinkStats, Namespace},
    finding::{Finding, Proof, Remedy, Subject, Text, counted_packets},
};

/// A counter's name in the kernel, and where it is.
type Counter = (&'static str, fn(&LinkStats) -> u64);

/// Counters of packets that the NIC had no room for (Documentation/networking/statistics.rst). Drivers choose among
/// them, and some count a packet in two.
const COUNTERS: [Counter; 3] = [
    ("rx_missed_errors", |stats| stats.rx_missed_errors),
    ("rx_fifo_errors", |stats| stats.rx_fifo_errors),
    ("rx_over_errors", |stats| stats.rx_over_errors),
];

/// One finding for each NIC whose driver counted such packets.
pub(super) fn full_rings(window: &EvidenceWindow) -> impl Iterator<Item = Finding> {
    // A link with a kind is made of software; a bond or VLAN repeats what its NIC has counted.
    let nics = window.links().iter().filter(|link| link.kind.is_none());
    nics.filter_map(|nic| {
        let namespace = window.namespace(nic.netns)?;
        let rose: Vec<(&str, u64)> = COUNTERS
            .iter()
            .map(|(name, counter)| (*name, nic.increase(counter)))
            .filter(|(_, increase)| *increase > 0)
            .collect();
        // The same packet may be in several.
        let most = rose.iter().map(|(_, increase)| *increase).max()?;
        Some(describe(window, nic, namespace, &rose, most))
    })
}

fn describe(
    window: &EvidenceWindow,
    nic: &Link,
    namespace: &Namespace,
    rose: &[(&str, u64)],
    count: u64,
) -> Finding {
    let Link { name, .. } = nic;
    let subject = Subject::of_link(nic, Some(namespace));
    let text = Text {
        headline: format!(
            "{name} lost {} before the kernel saw them: its receive ring was full",
            counted_packets(count)
        ),
        what: format!(
            "The NIC had no free buffer for what came in, since the CPUs that serve its queues did not take packets \
             out of them fast enough, or its own memory was full. This is counted by the driver, no packet visible: \
             which flows lost packets cannot be told, and {name}'s ledger does not have them."
        ),
        hurts: "These packets are lost for whomever they were, TCP sends its own again. Bursts hit all flows of a \
                queue alike."
            .to_owned(),
    };
    let mut finding = Finding::new(NAME, RING_FULL, severity(window, count), subject, text);
    finding.count = count;
    finding.last_ms = window.duration_ms;
    finding.evidence = rose
        .iter()
        .map(|(counter, increase)| {
            let what = format!("{name} {counter}, counted by the driver");
            Proof::new(what, format!("+{increase}"), "packets", "netlink")
        })
        .collect();
    let received = nic.increase(|stats| stats.rx_packets);
    finding.evidence.push(Proof::new(
        format!("{name} rx_packets"),
        format!("+{received}"),
        "packets",
        "netlink",
    ));
    if let Some(driver) = &nic.driver {
        let what = format!("driver of {name}");
        finding
            .evidence
            .push(Proof::new(what, driver, "", "ethtool"));
    }
    let look = |text: &str, words: &[&str]| {
        Remedy::command_in(namespace, text, &[words, &[name]].concat(), &[name])
    };
    finding.remedies = vec![
        look(
            "Lengthen the ring: see its maximum, then `ethtool -G DEVICE rx N`.",
            &["ethtool", "-g"],
        )
        .with_effect(
            "Of -G: many drivers take the link down for a moment; then longer bursts fit, and packets wait longer.",
        ),
        look(
            "See which queue loses them, and spread the load: more queues (ethtool -L), their interrupts on CPUs that \
             have time.",
            &["ethtool", "-S"],
        ),
    ];
    finding
}
