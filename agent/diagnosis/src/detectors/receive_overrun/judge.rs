//! Full rings and backlogs.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    Window,
    detectors::kit::{Tally, harm, unclaimed},
    evidence::{CpuBacklog, DropCount, Link, LinkStats, Namespace, NetnsId, Softnet},
    finding::{Assessment, Confidence, Culprit, Outcome},
    kernel::{Reason, site},
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

/// `net.core.netdev_max_backlog` is worth raising up to here; beyond, packets only wait longer.
const LONG_BACKLOG: u32 = 100_000;
/// The kernel's own default, where the setting could not be read.
const DEFAULT_BACKLOG: u32 = 1_000;

/// A NIC whose driver counted packets for which the ring had no room.
pub(super) struct FullRing<'a> {
    pub(super) nic: &'a Link,
    pub(super) namespace: &'a Namespace,
    /// The counters that rose.
    pub(super) rose: Vec<(&'static str, u64)>,
    pub(super) tally: Tally,
}

/// Everything that the node lost to full backlogs.
pub(super) struct FullBacklog<'a> {
    pub(super) tally: Tally,
    /// Packets by device; those of devices that are not known together.
    pub(super) devices: BTreeMap<Option<(NetnsId, u32)>, u64>,
    /// CPUs whose backlog was full, the worst first, with the packets that they dropped.
    pub(super) cpus: Vec<(&'a CpuBacklog, u32)>,
    /// `net.core.netdev_max_backlog`, where it was read.
    pub(super) limit: Option<u32>,
    /// A limit that is worth setting, where there is one.
    pub(super) higher_limit: Option<u32>,
    pub(super) confidence: Confidence,
}

/// The ring's loss by its share: rx_packets has no packet for which the ring had no room.
pub(super) fn ring_assessment(ring: &FullRing<'_>) -> Assessment {
    Assessment::loss(ring.tally.count, Some(harm::received_beside(ring.nic, 0)))
}

/// The backlogs' loss by its share of what the CPUs received whose backlogs were full. They count packets of every
/// namespace, and none that they dropped.
pub(super) fn backlog_assessment(window: &Window<'_>, backlog: &FullBacklog<'_>) -> Assessment {
    let cpus = backlog.cpus.iter();
    let processed = cpus.map(|(cpu, _)| u64::from(cpu.increase(|counters| counters.processed)));
    let received = processed.fold(0, u64::saturating_add);
    let received = (!backlog.cpus.is_empty()).then_some(received);
    harm::loss(window, &backlog.tally, Culprit::Unknown, received)
}

pub(super) fn full_rings<'a>(window: &'a Window<'_>) -> impl Iterator<Item = FullRing<'a>> {
    // A link with a kind is made of software; a bond or VLAN repeats what its NIC has counted.
    let nics = window.links().iter().filter(|link| link.kind.is_none());
    nics.filter_map(|nic| {
        let rose: Vec<(&str, u64)> = COUNTERS
            .iter()
            .map(|(name, counter)| (*name, nic.increase(counter)))
            .filter(|(_, increase)| *increase > 0)
            .collect();
        // The same packet may be in several.
        let most = rose.iter().map(|(_, increase)| *increase).max()?;
        Some(FullRing {
            nic,
            namespace: window.namespace(nic.netns)?,
            rose,
            tally: Tally::of_counter(most, (0, window.duration_ms)),
        })
    })
}

pub(super) fn full_backlog<'a>(
    window: &'a Window<'_>,
    so_far: &Outcome,
) -> Option<FullBacklog<'a>> {
    let softnet = window.softnet.value();
    let limit = softnet.and_then(|softnet| softnet.max_backlog);
    let mut found = FullBacklog {
        tally: Tally::default(),
        devices: BTreeMap::new(),
        cpus: losing_cpus(softnet),
        limit,
        higher_limit: higher(limit.unwrap_or(DEFAULT_BACKLOG)),
        confidence: Confidence::Certain,
    };
    let dropped = found.cpus.iter().map(|(_, dropped)| u64::from(*dropped));
    let counted = dropped.fold(0, u64::saturating_add);
    if window.drops.value().is_some() {
        for (index, key) in unclaimed(window, so_far) {
            found.add(window, index, key, counted);
        }
    } else {
        // The kernel's counter is of every namespace, also those of other nodes that share the kernel.
        found.tally = Tally::of_counter(counted, (0, window.duration_ms));
        found.confidence = Confidence::Likely;
    }
    (found.tally.count > 0).then_some(found)
}

impl FullBacklog<'_> {
    fn add(&mut self, window: &Window<'_>, index: usize, key: &DropCount, counted: u64) {
        let at_backlog = key.location.is_of(&site::ENQUEUE_TO_BACKLOG);
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
        if is_elsewhere {
            return;
        }
        let device = key.netns.map(|netns| (netns, key.ifindex));
        let device =
            device.filter(|(netns, ifindex)| window.topology.link(*netns, *ifindex).is_some());
        let of_device = self.devices.entry(device).or_default();
        *of_device = of_device.saturating_add(key.count);
        self.tally.add(index, key);
        self.confidence = self.confidence.min(confidence);
    }
}

fn higher(limit: u32) -> Option<u32> {
    (limit < LONG_BACKLOG).then(|| limit.saturating_mul(4).min(LONG_BACKLOG))
}

fn losing_cpus(softnet: Option<&Softnet>) -> Vec<(&CpuBacklog, u32)> {
    let cpus = softnet.into_iter().flat_map(|softnet| &softnet.cpus);
    let mut losing: Vec<(&CpuBacklog, u32)> = cpus
        .map(|cpu| (cpu, cpu.increase(|counters| counters.dropped)))
        .filter(|(_, dropped)| *dropped > 0)
        .collect();
    losing.sort_by_key(|(cpu, dropped)| (Reverse(*dropped), cpu.cpu));
    losing
}
