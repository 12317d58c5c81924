//! The words about full rings and backlogs.

use std::cmp::Reverse;

use super::judge::{FullBacklog, FullRing};
use crate::{
    Window,
    detectors::kit::{proof, say},
    finding::{Assessment, Proof, Remedy, Text},
    kernel::hook,
};

/// The most packets that wait for a CPU.
const MAX_BACKLOG: &str = "net.core.netdev_max_backlog";
/// As many CPUs and devices as a person reads.
const SHOWN: usize = 4;

pub(super) fn ring(ring: &FullRing<'_>, assessment: &Assessment) -> Text {
    let name = &ring.nic.name;
    Text {
        headline: format!(
            "{name} lost {} before the kernel saw them: its receive ring was full",
            say::count(ring.tally.count, "packet")
        ),
        what: format!(
            "The NIC had no free buffer for what came in, because the CPUs that serve its queues did not take packets \
             out of them fast enough, or its own memory was full. The driver counts them, and no packet is visible: \
             which flows lost packets is not known, and the ledger of {name} does not have them."
        ),
        hurts: format!(
            "Every flow that comes in by {name} can be hit: {} that came to it were lost. TCP sends its own again, UDP \
             does not.",
            say::part(assessment, "packet")
        ),
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
    let lengthen = "See the ring's length and its maximum. Where it is shorter, `ethtool -G DEVICE rx N` lengthens it: \
                    many drivers take the link down for a moment; then longer bursts fit, and packets wait longer.";
    let spread = "See which queue loses them, and spread the load: more queues (ethtool -L), their interrupts on CPUs \
                  that have time.";
    vec![look(lengthen, "-g"), look(spread, "-S")]
}

pub(super) fn backlog(backlog: &FullBacklog<'_>, assessment: &Assessment) -> Text {
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
        hurts: format!(
            "Every flow that such a CPU serves can be hit: {} that came to it were lost. TCP sends its own again, UDP \
             does not; the CPU is at its limit, so that what it still receives is late.{}",
            say::part(assessment, "packet"),
            say::seen(assessment)
        ),
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
        proofs.push(Proof::new(MAX_BACKLOG, limit, "packets", "/proc/sys"));
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
            || "an unknown device".to_owned(),
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
    remedies.extend(backlog.higher_limit.map(|higher| match backlog.limit {
        Some(limit) => raise(limit, higher),
        None => Remedy::command(
            "See the queue's length, and raise it (sysctl -w).",
            &["sysctl", MAX_BACKLOG],
            &[],
        ),
    }));
    remedies.push(Remedy::advice(
        "Spread the load: if only one CPU loses packets, give the NIC more queues, or set rps_cpus of its queues \
         (/sys/class/net/DEVICE/queues/rx-0/rps_cpus) to more CPUs; see with `top` what else keeps it busy.",
    ));
    remedies
}

/// The command that lets the backlogs hold more packets than now.
fn raise(limit: u32, higher: u32) -> Remedy {
    let setting = |limit: u32| format!("{MAX_BACKLOG}={limit}");
    let set = |limit| {
        let text = "Raise the queue's length.";
        Remedy::command(text, &["sysctl", "-w", &setting(limit)], &[])
    };
    set(higher)
        .with_effect(
            "for every CPU and namespace: longer bursts fit, and packets wait longer; it does not help where the CPU \
             is busy all the time",
        )
        .undone_by(set(limit))
        .lasting(format!("{} in /etc/sysctl.d/", setting(higher)))
}
