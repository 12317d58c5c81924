//! The meaning of drop reasons and sites, as data: the kind of mechanism, its words and the advice.

use super::{advice::Advice, class::Class};
use crate::{
    Window,
    detectors::kit::{
        seen::{Around, Seen},
        traced,
    },
    evidence::{DropCount, KernelLogLine, Link, Namespace, PacketSample},
    kernel::{NamespaceCounter, Reason, Site},
};

/// One row of the table. The first that matches a drop key speaks for it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) on: On,
    pub(super) when: When,
    pub(super) class: Class,
    /// The symptom with its cause, without the place; [`PACKETS`] stands for how many packets. Empty where nobody
    /// misses them: those are told as one.
    pub(super) symptom: &'static str,
    /// The mechanism, a sentence.
    pub(super) mechanism: &'static str,
    pub(super) advice: &'static [Advice],
}

/// Stands for `12 packets` in a symptom.
pub(super) const PACKETS: &str = "{packets}";

/// The drop keys that a row speaks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum On {
    /// Keys with one of these reasons.
    Reasons(&'static [Reason]),
    /// Keys dropped at one of these sites, for which the kernel names no reason and the site tells.
    Sites(&'static [&'static Site]),
    /// Keys with one of these reasons, dropped at one of these sites: there it means something else.
    At(&'static [Reason], &'static [&'static Site]),
}

/// Facts beside the key without which a row does not speak.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Always,
    /// Packets were sampled, and each is so.
    All(Seen),
    /// Some sampled packet is so.
    Any(Seen),
    /// The device has no queue: what a queueing discipline dropped came before the device was active.
    NotYetActive,
    /// The device is down, has no carrier or has no queue, and each sampled packet is so.
    UnreadyAndAll(Seen),
    /// The device is a bridge's port that blocks for good, as the redundant way of a spanning tree does.
    BlockingPort,
    /// The kernel's log of the window contains this text.
    Logged(&'static str),
    /// This counter of the namespace accounts for most of them.
    Counted(NamespaceCounter),
    /// This counter of the namespace was read and did not rise.
    Uncounted(NamespaceCounter),
    /// The hop limit of each packet ran out: each was seen, and the counter of that rose.
    HopLimit,
    /// The same, for what the packets show: probes of a traceroute.
    Traced,
}

/// `BR_STATE_BLOCKING`.
const BLOCKING: u8 = 4;

/// Facts beside the key that the row of a drop key may depend on.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings<'a> {
    /// The device.
    pub(super) link: Option<&'a Link>,
    /// The namespace.
    pub(super) namespace: Option<&'a Namespace>,
    /// The kernel's log of the window.
    pub(super) log: &'a [KernelLogLine],
    /// The sampled packets.
    pub(super) samples: Vec<&'a PacketSample>,
}

impl<'a> Surroundings<'a> {
    /// Those of a key of this window.
    pub(super) fn of(window: &'a Window<'_>, index: usize, key: &DropCount) -> Self {
        Self {
            link: key
                .netns
                .and_then(|netns| window.topology.link(netns, key.ifindex)),
            namespace: key.netns.and_then(|netns| window.namespace(netns)),
            log: window.kernel_log.value().map_or(&[], Vec::as_slice),
            samples: window.samples_of(index).collect(),
        }
    }

    fn around(&self) -> Around<'a> {
        Around {
            namespace: self.namespace,
            link: self.link,
        }
    }

    /// A drop without a sample never gets another verdict than it had with one.
    fn all(&self, seen: Seen) -> bool {
        !self.samples.is_empty() && self.samples.iter().all(|s| seen.is(s, self.around()))
    }

    /// The sampled packets that are one of these.
    pub(super) fn count(&self, seen: &[Seen]) -> usize {
        let place = self.around();
        let is_one = |sample: &&&PacketSample| seen.iter().any(|seen| seen.is(sample, place));
        self.samples.iter().filter(is_one).count()
    }

    fn is_not_yet_active(&self) -> bool {
        self.link.is_some_and(Link::has_no_queue)
    }

    fn is_unready(&self) -> bool {
        self.link
            .is_some_and(|link| !link.is_up() || link.lacks_carrier())
    }
}

impl Row {
    /// A row that always speaks for its keys, without advice.
    pub(super) const fn new(
        on: On,
        class: Class,
        symptom: &'static str,
        mechanism: &'static str,
    ) -> Self {
        Self {
            on,
            when: When::Always,
            class,
            symptom,
            mechanism,
            advice: &[],
        }
    }

    /// A row of what nobody misses.
    pub(super) const fn unmissed(on: On) -> Self {
        Self::new(on, Class::Unmissed, "", "")
    }

    /// The same, speaking only where this is so.
    pub(super) const fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// The same with advice.
    pub(super) const fn advised(mut self, advice: &'static [Advice]) -> Self {
        self.advice = advice;
        self
    }

    /// Only the kernel's log tells that this row speaks.
    pub(super) fn is_told_by_log(&self) -> bool {
        matches!(self.when, When::Logged(_))
    }

    /// This row speaks for the key.
    pub(super) fn speaks_for(&self, key: &DropCount, around: &Surroundings<'_>) -> bool {
        self.on.has(key) && self.when.holds(key, around)
    }

    /// The packets of this key that nobody misses by this row, where it tells them by what was seen of each.
    pub(super) fn noise_of(&self, key: &DropCount, around: &Surroundings<'_>) -> Option<Seen> {
        if self.class != Class::Unmissed || !self.on.has(key) {
            return None;
        }
        match self.when {
            When::All(seen) => Some(seen),
            When::UnreadyAndAll(seen) => {
                (around.is_unready() || around.is_not_yet_active()).then_some(seen)
            }
            _ => None,
        }
    }

    /// The site says more than the reason about these drops.
    pub(super) fn is_of_site(&self, key: &DropCount) -> bool {
        match (self.on, self.when) {
            (On::At(reasons, sites), When::Always) => {
                reasons.contains(&key.reason) && key.location.is_of_any(sites)
            }
            _ => false,
        }
    }
}

impl On {
    fn has(self, key: &DropCount) -> bool {
        match self {
            Self::Reasons(reasons) => reasons.contains(&key.reason),
            Self::Sites(sites) => sites
                .iter()
                .any(|site| key.location.is_of(site) && site.ends(&key.reason).is_some()),
            Self::At(reasons, sites) => {
                reasons.contains(&key.reason) && key.location.is_of_any(sites)
            }
        }
    }
}

impl When {
    fn holds(self, key: &DropCount, around: &Surroundings<'_>) -> bool {
        let rose = |counter: NamespaceCounter| around.namespace?.increase(counter.name());
        match self {
            Self::Always => true,
            Self::All(seen) => around.all(seen),
            Self::Any(seen) => around.samples.iter().any(|s| seen.is(s, around.around())),
            Self::NotYetActive => around.is_not_yet_active(),
            Self::UnreadyAndAll(seen) => {
                (around.is_unready() || around.is_not_yet_active()) && around.all(seen)
            }
            Self::BlockingPort => {
                let port = around.link.and_then(|link| link.bridge_port);
                port.is_some_and(|port| port.state == BLOCKING)
            }
            Self::Logged(text) => around.log.iter().any(|line| line.text.contains(text)),
            Self::Counted(counter) => {
                rose(counter).is_some_and(|rose| rose.saturating_mul(2) >= key.count.max(1))
            }
            Self::Uncounted(counter) => rose(counter) == Some(0),
            Self::HopLimit => {
                let rose = traced::counter(key).and_then(rose);
                traced::have_no_hops_left(key, &around.samples)
                    && rose.is_some_and(|rose| rose >= key.count)
            }
            Self::Traced => {
                let is_said = !key.reason.is_unnamed() || Self::HopLimit.holds(key, around);
                is_said && traced::are_probes(key, &around.samples, around.link)
            }
        }
    }
}
