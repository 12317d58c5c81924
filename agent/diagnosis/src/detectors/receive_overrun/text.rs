//! The words about full rings and backlogs.

use std::cmp::Reverse;

use super::judge::{FullBacklog, FullRing};
use crate::{
    Window,
    detectors::kit::{proof, say},
    finding::{Proof, Remedy, Text},
    kernel::hook,
};

/// As many CPUs and devices as a person reads.
const SHOWN: usize = 4;

pub(super) fn ring(ring: &FullRing<'_>) -> Text {
    let name = &ring.nic.name;
    Text {
        headline: format!(
            "{name} lost {} before the kernel saw them: its receive ring was full",
            say::count(ring.tally.count, "packet")
        ),
        what: format!(
            "The NIC had no free buffer for what came in, because the CPUs that serve its queues did not take packets \
             out of them fast enough, or its own memory was full. This is counted by the driver, no packet visible: \
             which flows lost packets cannot be told, and {name}'s ledger does not have them."
        ),
        hurts: "These packets are lost for whomever they were, TCP sends its own again. Bursts hit all flows of a \
                queue alike."
            .to_owned(),
    }
}

pub(super) fn ring_proofs(ring: &FullRing<'_>) -> Vec<Proof> {
    let nic = ring.nic;
    let rose = ring.rose.iter().map(|(counter, increase)| {
        proof::link_rose(nic, &format!("{counter}, counted by the driver"), *increase)
    });
    let mut proofs: Vec<Proof> = rose.collect();
    let received = nic.increase(|stats| stats.rx_packets);
    proofs.push(proof::link_rose(nic, "rx_packets", received));
    if let Some(driver) = &nic.driver {
        proofs.push(proof::setting(nic, "driver", driver, "", "ethtool"));
    }
    proofs
}

pub(super) fn ring_remedies(ring: &FullRing<'_>) -> Vec<Remedy> {
    let name = ring.nic.name.as_str();
    let look = |text: &str, option: &str| {
        Remedy::command_in(ring.namespace, text, &["ethtool", option, name], &[name])
    };
    let lengthen = "Lengthen the ring: see its maximum, then `ethtool -G DEVICE rx N`.";
    let spread = "See which queue loses them, and spread the load: more queues (ethtool -L), their interrupts on CPUs \
                  that have time.";
    vec![
        look(lengthen, "-g").with_effect(
            "Of -G: many drivers take the link down for a moment; then longer bursts fit, and packets wait longer.",
        ),
        look(spread, "-S"),
    ]
}

pub(super) fn backlog(backlog: &FullBacklog<'_>) -> Text {
    let lost = say::count(backlog.tally.count, "packet");
    let whose = match backlog.cpus.as_slice() {
        [] => "a CPU's backlog was full".to_owned(),
        [(cpu, _)] => format!("the backlog of CPU {} was full", cpu.cpu),
        [(cpu, _), others @ ..] => format!(
            "the backlogs of {} were full",
            say::and_others(&format!("CPU {}", cpu.cpu), others.len(), "CPU")
        ),
    };
    Text {
        headline: format!("{lost} lost because {whose}"),
        what: "Packets that RPS, a veth, the loopback or a tunnel hands over wait in a queue of their CPU. That CPU \
               had too much to do for too long, its queue reached net.core.netdev_max_backlog, and the kernel dropped \
               what came next."
            .to_owned(),
        hurts: "These packets are lost, whosever they are; TCP sends its own again. The CPU is at its limit, so that \
                everything else it receives is late as well."
            .to_owned(),
    }
}

pub(super) fn backlog_proofs(window: &Window<'_>, backlog: &FullBacklog<'_>) -> Vec<Proof> {
    let mut proofs = match window.drops.value() {
        Some(_) => proof::drops(window, &backlog.tally),
        None => vec![Proof::new(
            "packets seen, with their device",
            "none: the drop probe did not run",
            "",
            hook::KFREE_SKB,
        )],
    };
    for (cpu, dropped) in backlog.cpus.iter().take(SHOWN) {
        let number = cpu.cpu;
        let processed = cpu.increase(|counters| counters.processed);
        let squeezed = cpu.increase(|counters| counters.time_squeeze);
        proofs.push(Proof::new(
            format!("CPU {number} dropped; it processed {processed} and ran out of time {squeezed} times"),
            format!("+{dropped}"),
            "packets",
            "/proc/net/softnet_stat",
        ));
    }
    if let Some(limit) = backlog.limit {
        let what = "net.core.netdev_max_backlog";
        proofs.push(Proof::new(what, limit, "packets", "/proc/sys"));
    }
    proofs
}

/// The devices that lost most.
pub(super) fn devices(
    window: &Window<'_>,
    backlog: &FullBacklog<'_>,
) -> impl Iterator<Item = (&'static str, String)> {
    let name = |device: Option<_>| {
        let link = device.and_then(|(netns, ifindex)| window.topology.link(netns, ifindex));
        link.map_or_else(
            || "a device that is not known".to_owned(),
            |link| say::device(link, window.namespace(link.netns)),
        )
    };
    let devices = backlog.devices.iter();
    let mut devices: Vec<(String, u64)> = devices
        .map(|(device, count)| (name(*device), *count))
        .collect();
    devices.sort_by_cached_key(|(name, count)| (Reverse(*count), name.clone()));
    devices
        .into_iter()
        .take(SHOWN)
        .map(|(name, lost)| ("Device", format!("{name}: {}", say::count(lost, "packet"))))
}

pub(super) fn backlog_remedies(backlog: &FullBacklog<'_>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    if let Some(limit) = backlog.higher_limit {
        let setting = format!("net.core.netdev_max_backlog={limit}");
        let raise = Remedy::command(
            "Raise the queue's length.",
            &["sysctl", "-w", &setting],
            &[],
        );
        remedies.push(raise.with_effect(
            "At once, for every CPU and namespace: bursts are bridged, and packets wait longer. It does not help where \
             the CPU is busy all the time.",
        ));
    }
    remedies.push(Remedy::advice(
        "Spread the load: if only one CPU loses packets, give the NIC more queues, or set rps_cpus of its queues \
         (/sys/class/net/DEVICE/queues/rx-0/rps_cpus) to more CPUs; see with `top` what else keeps it busy.",
    ));
    remedies
}
