//! The drops of each device by the mechanism that ended them.

use std::collections::BTreeMap;

use super::{
    discipline,
    kind::{Kind, Lasts},
    signal, unready,
};
use crate::{
    Window,
    detectors::kit::{
        Tally, harm,
        seen::{Around, Seen},
        unclaimed,
        unreachable::unreachable,
    },
    evidence::{DropCount, Link, LinkId, Namespace, PacketSample},
    finding::{Assessment, Confidence, Culprit, Decision, Harm, Outcome},
};

/// Packets that ended by one mechanism at one device.
pub(super) struct Fault<'a> {
    pub(super) kind: Kind,
    pub(super) link: &'a Link,
    pub(super) namespace: &'a Namespace,
    pub(super) tally: Tally,
    pub(super) assessment: Assessment,
    pub(super) confidence: Confidence,
}

/// The faults of every device.
pub(super) fn faults<'a>(window: &'a Window<'_>, so_far: &Outcome) -> Vec<Fault<'a>> {
    let mut found: BTreeMap<(LinkId, Kind), (Tally, Confidence)> = BTreeMap::new();
    for (index, key) in unclaimed(window, so_far) {
        let Some((namespace, link)) = place(window, key) else {
            continue;
        };
        let samples: Vec<&PacketSample> = window.samples_of(index).collect();
        if is_noise(namespace, link, &samples) {
            continue;
        }
        // The state is that at the end; a count is of these drops.
        let why = match discipline::why(link, key) {
            counted @ Some((_, Confidence::Certain)) => counted,
            by => unready::why(window, namespace, link, key, &samples).or(by),
        };
        if let Some((kind, confidence)) = why {
            let entry = found
                .entry((link.id(), kind))
                .or_insert((Tally::default(), confidence));
            entry.0.add(index, key);
            entry.1 = entry.1.max(confidence);
        }
    }
    let found = found.into_iter();
    found
        .filter_map(|((link, kind), (tally, confidence))| {
            let link = window.topology.link(link.0, link.1)?;
            let namespace = window.namespace(link.netns)?;
            Some(fault(window, namespace, link, kind, tally, confidence))
        })
        .collect()
}

fn place<'a>(window: &'a Window<'_>, key: &DropCount) -> Option<(&'a Namespace, &'a Link)> {
    let netns = key.netns?;
    Some((
        window.namespace(netns)?,
        window.topology.link(netns, key.ifindex)?,
    ))
}

/// The kernel's own messages to groups of the link when a device comes up, and what else no router forwards.
fn is_noise(namespace: &Namespace, link: &Link, samples: &[&PacketSample]) -> bool {
    let around = Around::of(namespace, link);
    let is_one = |sample: &&PacketSample| {
        Seen::LinkLocalGroup.is(sample, around) || Seen::Announcement.is(sample, around)
    };
    !samples.is_empty() && samples.iter().all(is_one)
}

fn fault<'a>(
    window: &'a Window<'_>,
    namespace: &'a Namespace,
    link: &'a Link,
    kind: Kind,
    tally: Tally,
    confidence: Confidence,
) -> Fault<'a> {
    Fault {
        kind,
        link,
        namespace,
        assessment: assessment(window, namespace, link, kind, &tally),
        tally,
        confidence,
    }
}

fn are_for_groups(window: &Window<'_>, namespace: &Namespace, link: &Link, tally: &Tally) -> bool {
    let around = Around::of(namespace, link);
    let mut samples = tally.samples(window);
    !tally.lacks_samples(window) && samples.all(|sample| Seen::Group.is(sample, around))
}

fn assessment(
    window: &Window<'_>,
    namespace: &Namespace,
    link: &Link,
    kind: Kind,
    tally: &Tally,
) -> Assessment {
    let is_for_groups = are_for_groups(window, namespace, link, tally);
    let judged = match kind {
        Kind::Full => {
            let full = harm::loss(window, tally, Culprit::Unknown, Some(harm::sent(link)));
            return Assessment {
                is_towards_nobody: window.has_ended(link),
                ..full
            };
        }
        Kind::Signal => return signal::assessment(window, link, tally),
        Kind::Shaped => {
            let flows = harm::flows(window, tally);
            return Assessment::decided(Decision::Setting, Harm::Loss, tally.count)
                .out_of(Some(harm::sent(link)))
                .with_flows(flows);
        }
        Kind::NoReader(_) | Kind::DeviceDown | Kind::NotYetActive if is_for_groups => {
            return Assessment::none().with_packets(tally.count);
        }
        Kind::NoReader(Lasts::Still) | Kind::DeviceDown | Kind::NoCarrier(Lasts::Still) => {
            let around = Around::of(namespace, link);
            unreachable(window, tally, around, Culprit::Unknown)
        }
        Kind::NoReader(Lasts::Over) | Kind::NoCarrier(Lasts::Over) | Kind::NotYetActive => {
            let sent = Some(harm::sent(link));
            harm::loss(window, tally, Culprit::Unknown, sent)
        }
    };
    // Nobody was there yet whom the node could serve, or nobody is any more.
    let is_towards_nobody = kind == Kind::NotYetActive || window.has_ended(link);
    Assessment {
        is_towards_nobody,
        ..harm::unless_dead(window, tally, judged)
    }
}
