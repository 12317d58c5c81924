//! The words about the drops of this check.

mod hurts;
mod remedies;

pub(super) use self::remedies::{ended_remedy, remedies};

use super::{
    judge::{Judged, cause_of},
    table::PACKETS,
};
use crate::{
    Window,
    detectors::kit::{Tally, proof, say},
    evidence::{DropCount, Link, Namespace},
    finding::{Assessment, Proof, Subject, Text},
};

/// As many causes as a person reads.
const CAUSES_SHOWN: usize = 3;
/// Stands for `1 packet was`, `12 packets were` in a symptom.
const PACKETS_WERE: &str = "{packets were}";
/// Stands for `on eth0` in a symptom, which otherwise ends with it.
const PLACE: &str = "{on}";

pub(super) fn group(window: &Window<'_>, judged: &Judged<'_>, subject: &Subject) -> Text {
    let Judged {
        group,
        assessment,
        ended,
    } = judged;
    let count = group.drops.tally.count;
    let place = say::place(subject);
    if !ended.is_empty() {
        return of_ended(ended, count, &place, hurts::of_ended(assessment));
    }
    let hurts = hurts::of(assessment, subject);
    let Some(row) = group.drops.row else {
        let (headline, what) = match group.drops.tally.drops(window).next() {
            Some(key) if key.reason.is_unnamed() => (
                format!("{} dropped {place} at {}", were(count), group.cause),
                "The kernel freed them as dropped and names no reason. netdiag does not know what this function means \
                 by it.",
            ),
            _ => (
                format!("{} dropped {place}: {}", were(count), group.cause),
                "The kernel names this reason. netdiag does not know what it means.",
            ),
        };
        return Text {
            headline,
            what: what.to_owned(),
            hurts,
        };
    };
    let symptom = row.symptom.replace(PACKETS_WERE, &were(count));
    let symptom = symptom.replace(PACKETS, &say::count(count, "packet"));
    let headline = match symptom.contains(PLACE) {
        true => symptom.replace(PLACE, &place),
        false => format!("{symptom} {place}"),
    };
    Text {
        headline,
        what: row.mechanism.to_owned(),
        hurts,
    }
}

/// The event without numbers and places: what a fleet has in common.
pub(super) fn symptom(judged: &Judged<'_>) -> String {
    let group = &judged.group;
    if !judged.ended.is_empty() {
        return "no way led to pods that had ended".to_owned();
    }
    let Some(row) = group.drops.row else {
        return format!(
            "packets dropped for a reason that netdiag does not know ({})",
            group.cause
        );
    };
    row.symptom
        .replace(PACKETS_WERE, "packets were")
        .replace(PACKETS, "packets")
        .replace(&format!(" {PLACE}"), "")
}

/// `pod shop/cart-0 ended: no way led to it for 12 packets on cni0`.
fn of_ended(ended: &[&Namespace], count: u64, place: &str, hurts: String) -> Text {
    let names = ended.iter().map(|namespace| {
        let place = Subject::of_namespace(namespace).place();
        place.unwrap_or_else(|| "a namespace of this node".to_owned())
    });
    let names: Vec<String> = names.collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let them = if names.len() == 1 { "it" } else { "them" };
    Text {
        headline: format!(
            "{} ended: no way led to {them} any more for {} {place}",
            say::list(&names),
            say::count(count, "packet"),
        ),
        what: "The addresses went away with their device within the window, and the route to them as well. Peers go on \
               until they learn of it; the kernel tells them by ICMP."
            .to_owned(),
        hurts,
    }
}

pub(super) fn remainder(
    window: &Window<'_>,
    folded: &[Judged<'_>],
    tally: &Tally,
    assessment: &Assessment,
) -> Text {
    let drops = window.drops.value();
    let (headline, what) = if drops.is_some_and(|drops| drops.has_reasons) {
        (
            format!(
                "{} dropped for {} more causes or on more devices",
                were(tally.count),
                folded.len(),
            ),
            "Too many to list one by one; what may hurt more is a finding of its own.".to_owned(),
        )
    } else {
        (
            format!("{} dropped without a reason", were(tally.count)),
            format!(
                "Linux {} gives no reasons, and these functions end wanted and unwanted packets.",
                window.node.kernel
            ),
        )
    };
    Text {
        headline,
        what: what + &causes(window, tally),
        hurts: hurts::of(assessment, &Subject::default()),
    }
}

pub(super) fn no_device(
    window: &Window<'_>,
    tally: &Tally,
    count: u64,
    assessment: &Assessment,
) -> Text {
    Text {
        headline: format!(
            "{} dropped without a device that this node knows",
            were(count)
        ),
        what: "The packet no longer had a device when it was freed, or has one of another namespace: a socket's queue, \
               a pod that ended within the window, or another node that shares this kernel."
            .to_owned()
            + &causes(window, tally),
        hurts: hurts::of(assessment, &Subject::default()),
    }
}

pub(super) fn not_loss(window: &Window<'_>, tally: &Tally) -> Text {
    Text {
        headline: format!(
            "{} freed as dropped, and nobody misses them",
            were(tally.count)
        ),
        what: "Tools that count drops show these. They are copies, data that had arrived before, frames for other \
               hosts, multicasts that nobody reads, or what was left in a queue when its socket was closed."
            .to_owned()
            + &causes(window, tally),
        hurts: hurts::of(&Assessment::none(), &Subject::default()),
    }
}

/// Packets among the drops that are not part of the fault.
pub(super) fn noise(packets: u64) -> Option<Proof> {
    let what = "of these not counted here: multicasts and others that nobody misses";
    (packets > 0).then(|| proof::of_drop(what, packets))
}

/// The drops for which the counting map had no room.
pub(super) fn lost_counts(window: &Window<'_>) -> Option<Proof> {
    let lost = window.lost.counts;
    let what = "drops that were seen but not told apart: the counting map was full";
    (lost > 0).then(|| proof::of_drop(what, lost))
}

/// `1 packet was`, `12 packets were`.
fn were(count: u64) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{} {verb}", say::count(count, "packet"))
}

/// ` By the kernel's names: QUEUE_PURGE 300, OTHERHOST 20, ..`, the most frequent causes; empty for none.
fn causes(window: &Window<'_>, tally: &Tally) -> String {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for key in tally.drops(window) {
        let key: &DropCount = key;
        let cause = cause_of(key);
        match sums.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, sum)) => *sum = sum.saturating_add(key.count),
            None => sums.push((cause, key.count)),
        }
    }
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    if sums.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = sums
        .iter()
        .take(CAUSES_SHOWN)
        .map(|(cause, count)| format!("{cause} {count}"))
        .collect();
    let more = if sums.len() > CAUSES_SHOWN {
        ", .."
    } else {
        ""
    };
    format!(" By the kernel's names: {}{more}", shown.join(", "))
}

/// The counters that are gone with links on which packets were dropped.
pub(super) fn ended_links(window: &Window<'_>) -> Option<String> {
    const SHOWN: usize = 3;
    let is_concerned = |link: &&Link| !window.drops_on(link).is_empty();
    let links: Vec<&Link> = window.ended_links.iter().filter(is_concerned).collect();
    let name = |link: &&Link| match window.namespace(link.netns) {
        Some(namespace) => {
            let place = Subject::of_namespace(namespace).place();
            place.map_or_else(
                || link.name.clone(),
                |place| format!("{} of {place}", link.name),
            )
        }
        None => link.name.clone(),
    };
    let names: Vec<String> = links.iter().take(SHOWN).map(name).collect();
    let more = match links.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!links.is_empty()).then(|| {
        format!(
            "the counters of {}{more} are gone with the device, so what they counted is not known",
            names.join(", ")
        )
    })
}
