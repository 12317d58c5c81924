//! Queueing disciplines that drop: a queue that is full, one that tells senders to slow down, or a shaper.
//!
//! Every discipline counts what it drops (`qdisc_qstats_drop`), and those above it count it again, so that the lowest one
//! that counted tells.

use super::kind::Kind;
use crate::{
    evidence::{DropCount, Link, QueueingDiscipline},
    finding::Confidence,
    kernel::{Reason, site},
};

/// Kinds that drop early, so that senders slow down (net/sched): their drops are their purpose.
const SIGNALLING: [&str; 10] = [
    "fq_codel", "codel", "cake", "pie", "fq_pie", "red", "gred", "choke", "sfb", "dualpi2",
];
/// Kinds that somebody sets so that packets wait or die. The kernel makes none of them by itself.
const SHAPING: [&str; 6] = ["netem", "tbf", "htb", "hfsc", "cbs", "taprio"];
/// Kinds that drop when they are full.
const QUEUES: [&str; 6] = [
    "pfifo_fast",
    "pfifo",
    "bfifo",
    "pfifo_head_drop",
    "fq",
    "sfq",
];

/// Kinds that hold filters and no packets: what they count was refused by a filter.
const FILTERS: [&str; 2] = ["clsact", "ingress"];

/// Reasons of a discipline that is full.
const FULL: [Reason; 6] = [
    Reason::QDISC_DROP,
    Reason::QDISC_OVERLIMIT,
    Reason::QDISC_MAXFLOWS,
    Reason::FQ_BAND_LIMIT,
    Reason::FQ_FLOW_LIMIT,
    Reason::FQ_HORIZON_LIMIT,
];
/// Reasons that only a discipline gives which tells senders to slow down.
const SIGNALS: [Reason; 2] = [Reason::QDISC_CONGESTED, Reason::DUALPI2_STEP_DROP];

/// Why the device's disciplines dropped the packets of this key; `None` where nothing that was read says so.
pub(super) fn why(link: &Link, key: &DropCount) -> Option<(Kind, Confidence)> {
    if SIGNALS.contains(&key.reason) {
        return Some((Kind::Signal, Confidence::Certain));
    }
    let is_named = FULL.contains(&key.reason);
    let is_unnamed = key.reason.is_absent() && key.location.is_of(&site::KFREE_SKB_LIST);
    if !is_named && !is_unnamed {
        return None;
    }
    let dropping = dropping(link);
    let counted: u64 = dropping.iter().map(|one| one.increase()).sum();
    if counted > 0 {
        let kind = kind_of_all(link, &dropping, &key.reason)?;
        // Without reasons the function frees other packets too.
        let is_enough = counted >= key.at_least.max(1);
        return match (is_named, is_enough) {
            (true, true) => Some((kind, Confidence::Certain)),
            (true, false) => Some((kind, Confidence::Likely)),
            (false, true) => Some((kind, Confidence::Likely)),
            (false, false) => None,
        };
    }
    // Statistics that were read and did not move belong to a discipline that is gone. A device counts what was sent while
    // it was not active.
    let may_be_its =
        link.disciplines.is_none() && link.increase(|stats| stats.tx_dropped) < key.at_least.max(1);
    let kind = kind_of(link.qdisc.as_deref()?, &key.reason)?;
    (is_named && may_be_its).then_some((kind, Confidence::Likely))
}

/// The disciplines that counted drops, without those that count them again above others.
pub(super) fn dropping(link: &Link) -> Vec<&QueueingDiscipline> {
    let rose = || {
        let all = link.disciplines.iter().flatten();
        let queues = all.filter(|one| !FILTERS.contains(&one.kind.as_str()));
        queues.filter(|discipline| discipline.increase() > 0)
    };
    rose()
        .filter(|upper| !rose().any(|lower| lower.is_below(upper)))
        .collect()
}

/// The kind of mechanism that all of these are; `None` where they differ or are not known.
fn kind_of_all(link: &Link, dropping: &[&QueueingDiscipline], reason: &Reason) -> Option<Kind> {
    let mut kinds = dropping.iter().map(|one| {
        let kind = kind_of(&one.kind, reason)?;
        let is_shaped = kind == Kind::Full && above(link, one).any(|upper| is_shaper(&upper.kind));
        Some(if is_shaped { Kind::Shaped } else { kind })
    });
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

/// The disciplines above this one.
fn above<'a>(
    link: &'a Link,
    discipline: &'a QueueingDiscipline,
) -> impl Iterator<Item = &'a QueueingDiscipline> {
    const DEEPEST: usize = 8;
    let all = move || link.disciplines.iter().flatten();
    let upper = move |lower: &&QueueingDiscipline| all().find(|one| lower.is_below(one));
    std::iter::successors(Some(discipline), upper)
        .skip(1)
        .take(DEEPEST)
}

/// The kind of the shaper that dropped, or of the one above what dropped.
pub(super) fn shaper(link: &Link) -> Option<&str> {
    let dropping = dropping(link);
    let mut read = dropping
        .iter()
        .flat_map(|one| std::iter::once(*one).chain(above(link, one)));
    let read = read.find(|one| is_shaper(&one.kind));
    read.map(|one| one.kind.as_str()).or(link.qdisc.as_deref())
}

fn is_shaper(kind: &str) -> bool {
    SHAPING.contains(&kind)
}

fn kind_of(kind: &str, reason: &Reason) -> Option<Kind> {
    if is_shaper(kind) {
        Some(Kind::Shaped)
    } else if SIGNALLING.contains(&kind) {
        // It has a limit too, far above what it lets wait.
        let is_full = *reason == Reason::QDISC_OVERLIMIT;
        Some(if is_full { Kind::Full } else { Kind::Signal })
    } else {
        QUEUES.contains(&kind).then_some(Kind::Full)
    }
}
