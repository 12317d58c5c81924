//! Which devices' queues were full, and who reads them.

use std::collections::BTreeMap;

use super::{QUEUE_CHECK_RACE, RECEIVE_QUEUE_FULL, TRANSMIT_QUEUE_FULL, race};
use crate::{
    evidence::{DropCount, EvidenceWindow, Link, LinkKind, Namespace, NetnsId, Owner},
    finding::Outcome,
    kernel::Reason,
};

/// `ptr_ring_produce` found no room (tap.c and tun.c, 5.18 on).

/// Which way packets went when they found the queue full. Reader and queue are the same, the counter is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    /// macvtap, ipvtap: `tap_handle_frame` counts what the lower device received for the guest as `rx_dropped`.
    Receive,
    /// TUN, TAP: `tun_net_xmit` counts what the stack sent to the program as `tx_dropped`.
    Transmit,
}

impl Direction {
    /// Why packets are dropped there on this kernel (`uname -r`).
    fn cause(self, kernel: &str) -> &'static str {
        match self {
            Self::Receive if race::has_unlocked_check(kernel) => QUEUE_CHECK_RACE,
            Self::Receive => RECEIVE_QUEUE_FULL,
            Self::Transmit => TRANSMIT_QUEUE_FULL,
        }
    }

    pub(super) fn counter(self) -> &'static str {
        match self {
            Self::Receive => "rx_dropped",
            Self::Transmit => "tx_dropped",
        }
    }

    pub(super) fn increase(self, link: &Link) -> u64 {
        link.increase(|stats| match self {
            Self::Receive => stats.rx_dropped,
            Self::Transmit => stats.tx_dropped,
        })
    }
}

/// A device whose queue overflowed within the window.
#[derive(Debug)]
pub(super) struct FullQueue<'a> {
    pub(super) direction: Direction,
    pub(super) cause: &'static str,
    pub(super) link: &'a Link,
    pub(super) namespace: &'a Namespace,
    /// Drop keys.
    pub(super) drops: Vec<usize>,
    pub(super) count: u64,
    /// First and last, milliseconds since the window began.
    pub(super) times: (u64, u64),
    /// The kernel named both reason and function.
    pub(super) is_proved: bool,
}

/// The devices whose queue was full, in the order of their namespaces and indices.
pub(super) fn full_queues<'a>(
    window: &'a EvidenceWindow,
    so_far: &Outcome,
) -> impl Iterator<Item = FullQueue<'a>> {
    let mut queues: BTreeMap<(NetnsId, u32, Direction), FullQueue<'a>> = BTreeMap::new();
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    for (drop, key) in counts.iter().enumerate() {
        if key.count == 0 || so_far.is_claimed(drop) {
            continue;
        }
        let place = key.netns.and_then(|netns| {
            let link = window.link(netns, key.ifindex)?;
            Some((link, window.namespace(netns)?, direction(key, link)?))
        });
        let Some((link, namespace, direction)) = place else {
            continue;
        };
        queues
            .entry((link.netns, link.ifindex, direction))
            .or_insert_with(|| FullQueue {
                direction,
                cause: direction.cause(&window.node.kernel),
                link,
                namespace,
                drops: Vec::new(),
                count: 0,
                times: (key.first_ms, key.last_ms),
                is_proved: true,
            })
            .add(drop, key);
    }
    queues.into_values()
}

/// Whether this key's packets found a queue full, and which.
fn direction(key: &DropCount, link: &Link) -> Option<Direction> {
    let by_kind = match link.kind {
        Some(LinkKind::MacVtap | LinkKind::IpVtap) => Some(Direction::Receive),
        Some(LinkKind::Tun) => Some(Direction::Transmit),
        _ => None,
    };
    let by_location = match key.location.as_str() {
        "tap_handle_frame" => Some(Direction::Receive),
        "tun_net_xmit" => Some(Direction::Transmit),
        // Function names are hidden.
        "" => by_kind,
        _ => None,
    };
    // Before 5.17 the function must tell. `tun_net_xmit` also refuses frames while nobody has the device open, and then it
    // has no carrier (`__tun_detach`).
    let is_told_by_function =
        key.reason.is_absent() && !key.location.is_hidden() && !link.lacks_carrier();
    by_location.filter(|_| key.reason == Reason::FULL_RING || is_told_by_function)
}

impl FullQueue<'_> {
    fn add(&mut self, drop: usize, key: &DropCount) {
        self.drops.push(drop);
        self.count = self.count.saturating_add(key.count);
        self.times.0 = self.times.0.min(key.first_ms);
        self.times.1 = self.times.1.max(key.last_ms);
        self.is_proved &= key.reason == Reason::FULL_RING && !key.location.is_hidden();
    }

    /// The processes that have the device open, as far as it could be seen.
    pub(super) fn readers<'w>(&self, window: &'w EvidenceWindow) -> Vec<&'w Owner> {
        let holders = window.tun_holders.value().into_iter().flatten();
        let (here, elsewhere): (Vec<_>, Vec<_>) = holders
            .filter(|holder| holder.device == self.link.name)
            .partition(|holder| holder.netns == self.link.netns);
        // A device that was moved away from its program keeps its name, so its name finds it where there is one alone.
        let is_only_one = || {
            let same = |link: &&Link| link.name == self.link.name && link.kind == self.link.kind;
            window.links().iter().filter(same).count() == 1
        };
        let found = if here.is_empty() && is_only_one() {
            elsewhere
        } else {
            here
        };
        found.into_iter().map(|holder| &holder.owner).collect()
    }
}
