//! Full backlogs: packets wait in a queue for their CPU after RPS, a veth, a loopback or a tunnel has handed them over.

use std::collections::BTreeMap;

use super::{BACKLOG_FULL, NAME, severity};
use crate::{
    evidence::{CpuBacklog, DropCount, EvidenceWindow, Softnet},
    finding::{Confidence, Finding, Outcome, Proof, Remedy, Subject, Text, counted_packets},
    kernel::Reason,
    packets::flow::frequent_flows,
};

/// Who frees them; some compilers inline the first into the second.
const FUNCTIONS: [&str; 2] = ["enqueue_to_backlog", "netif_rx_internal"];
/// As many CPUs, devices and flows as a person reads.
const SHOWN: usize = 4;
/// `net.core.netdev_max_backlog` is worth raising up to here; beyond, packets only wait longer.
const LONG_BACKLOG: u32 = 100_000;
/// The kernel's own default, where the setting could not be read.
const DEFAULT_BACKLOG: u32 = 1_000;

/// What was lost to full backlogs, of the whole node.
struct Loss {
    drops: Vec<usize>,
    count: u64,
    times: Option<(u64, u64)>,
    /// Packets by device.
    devices: BTreeMap<String, u64>,
    confidence: Confidence,
}

/// The one finding of the node, with its claims.
pub(super) fn full_backlog(window: &EvidenceWindow, so_far: &Outcome) -> Option<Outcome> {
    let cpus = losing_cpus(window.softnet.value());
    let counted = cpus.iter().fold(0_u64, |sum, (_, dropped)| {
        sum.saturating_add(u64::from(*dropped))
    });
    let mut loss = Loss {
        drops: Vec::new(),
        count: 0,
        times: None,
        devices: BTreeMap::new(),
        confidence: Confidence::Certain,
    };
    match window.drops.value() {
        Some(drops) => {
            for (drop, key) in drops.counts.iter().enumerate() {
                if !so_far.is_claimed(drop) {
                    loss.add(window, drop, key, counted);
                }
            }
        }
        // The kernel's counter is of every namespace, also those of other nodes that share the kernel.
        None => {
            loss.count = counted;
            loss.confidence = Confidence::Likely;
        }
    }
    if loss.count == 0 {
        return None;
    }
    let finding = describe(window, &loss, &cpus);
    Some(Outcome::of_loss(finding, &loss.drops))
}

impl Loss {
    fn add(&mut self, window: &EvidenceWindow, drop: usize, key: &DropCount, counted: u64) {
        let at_backlog = FUNCTIONS.contains(&key.location.as_str());
        // Kernels from 5.18 on name the reason.
        let is_named = key.reason == Reason::CPU_BACKLOG;
        let confidence = if is_named && (at_backlog || key.location.is_hidden()) {
            Confidence::Certain
        } else if key.reason.is_unnamed() && at_backlog && counted > 0 {
            // Without a reason the device may have been down as well; then no CPU counts a drop.
            Confidence::Likely
        } else {
            return;
        };
        let is_elsewhere = key.netns.is_some_and(|id| window.namespace(id).is_none());
        if is_elsewhere || key.count == 0 {
            return;
        }
        let device = key.netns.and_then(|netns| {
            let link = window.link(netns, key.ifindex)?;
            let place = Subject::of_link(link, window.namespace(netns)).place();
            Some(match place {
                Some(place) => format!("{} of {place}", link.name),
                None => link.name.clone(),
            })
        });
        let device = device.unwrap_or_else(|| "a device that is not known".to_owned());
        let of_device = self.devices.entry(device).or_default();
        *of_device = of_device.saturating_add(key.count);
        self.drops.push(drop);
        self.count = self.count.saturating_add(key.count);
        let (first, last) = self.times.unwrap_or((key.first_ms, key.last_ms));
        self.times = Some((first.min(key.first_ms), last.max(key.last_ms)));
        self.confidence = self.confidence.min(confidence);
    }
}

/// CPUs whose backlog was full, the worst first, with how many packets found it so.
fn losing_cpus(softnet: Option<&Softnet>) -> Vec<(&CpuBacklog, u32)> {
    let mut cpus: Vec<(&CpuBacklog, u32)> = softnet
        .into_iter()
        .flat_map(|softnet| &softnet.cpus)
        .map(|cpu| (cpu, cpu.increase(|counters| counters.dropped)))
        .filter(|(_, dropped)| *dropped > 0)
        .collect();
    cpus.sort_by_key(|(cpu, dropped)| (std::cmp::Reverse(*dropped), cpu.cpu));
    cpus
}

fn describe(window: &EvidenceWindow, loss: &Loss, cpus: &[(&CpuBacklog, u32)]) -> Finding {
    let severity = severity(window, loss.count);
    let lost = counted_packets(loss.count);
    let text = Text {
        headline: match cpus {
            [] => format!("{lost} lost because a CPU's backlog was full"),
            [(cpu, _)] => format!(
                "{lost} lost because the backlog of CPU {} was full",
                cpu.cpu
            ),
            [(cpu, _), rest @ ..] => format!(
                "{lost} lost because the backlogs of CPU {} and {} more were full",
                cpu.cpu,
                rest.len()
            ),
        },
        what: "Packets that RPS, a veth, the loopback or a tunnel hands over wait in a queue of their CPU. That CPU \
               had too much to do for too long, its queue reached net.core.netdev_max_backlog, and the kernel dropped \
               what came next."
            .to_owned(),
        hurts: "These packets are lost, whosever they are; TCP sends its own again. The CPU is at its limit, so that \
                everything else it receives is late as well."
            .to_owned(),
    };
    let mut finding = Finding::new(NAME, BACKLOG_FULL, severity, Subject::default(), text);
    finding.confidence = loss.confidence;
    finding.count = loss.count;
    (finding.first_ms, finding.last_ms) = loss.times.unwrap_or((0, window.duration_ms));
    finding.evidence = proofs(window, loss, cpus);
    let mut devices: Vec<(&String, &u64)> = loss.devices.iter().collect();
    devices.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    let shown = devices.into_iter().take(SHOWN);
    finding.details = shown
        .map(|(name, count)| ("Device", format!("{name}: {}", counted_packets(*count))))
        .collect();
    let samples = window.drops.value().into_iter().flat_map(|drops| {
        let of_key = |drop: &usize| drops.samples_of(*drop);
        loss.drops.iter().flat_map(of_key)
    });
    let flows = frequent_flows(samples, SHOWN).into_iter();
    finding
        .details
        .extend(flows.map(|flow| ("Flow", flow.to_string())));
    finding.remedies = remedies(window.softnet.value());
    finding
}

fn proofs(window: &EvidenceWindow, loss: &Loss, cpus: &[(&CpuBacklog, u32)]) -> Vec<Proof> {
    const SOURCE: &str = "/proc/net/softnet_stat";
    let mut proofs = Vec::new();
    match window.drops.value() {
        Some(_) => proofs.push(Proof::new(
            "dropped at enqueue_to_backlog, all devices",
            loss.count,
            "packets",
            "kfree_skb",
        )),
        None => proofs.push(Proof::new(
            "packets seen, with their device",
            "none: the drop probe did not run",
            "",
            "kfree_skb",
        )),
    }
    for (cpu, dropped) in cpus.iter().take(SHOWN) {
        let number = cpu.cpu;
        let processed = cpu.increase(|counters| counters.processed);
        let squeezed = cpu.increase(|counters| counters.time_squeeze);
        proofs.push(Proof::new(
            format!("CPU {number} dropped; it processed {processed} and ran out of time {squeezed} times"),
            format!("+{dropped}"),
            "packets",
            SOURCE,
        ));
    }
    if let Some(max) = window.softnet.value().and_then(|all| all.max_backlog) {
        let what = "net.core.netdev_max_backlog";
        proofs.push(Proof::new(what, max, "packets", "/proc/sys"));
    }
    proofs
}

fn remedies(softnet: Option<&Softnet>) -> Vec<Remedy> {
    let max = softnet.and_then(|softnet| softnet.max_backlog);
    let mut remedies = Vec::new();
    if max.is_none_or(|max| max < LONG_BACKLOG) {
        let longer = max
            .unwrap_or(DEFAULT_BACKLOG)
            .saturating_mul(4)
            .min(LONG_BACKLOG);
        let setting = format!("net.core.netdev_max_backlog={longer}");
        let words = ["sysctl", "-w", &setting];
        remedies.push(
            Remedy::command("Raise the queue's length.", &words, &[]).with_effect(
                "At once, for every CPU and namespace: bursts are bridged, and packets wait longer. It does not help \
                 where the CPU is busy all the time.",
            ),
        );
    }
    remedies.push(Remedy::advice(
        "Spread the load: if one CPU alone loses packets, give the NIC more queues, or set rps_cpus of its queues \
         (/sys/class/net/DEVICE/queues/rx-0/rps_cpus) to more CPUs; see with `top` what else keeps it busy.",
    ));
    remedies
}
