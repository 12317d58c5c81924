//! The words about the drops of this check.

use super::{
    judge::{Drops, Group, cause_of},
    listeners::{COUNTER, ListenOverflow},
    table::{Advice, Class, DEVICE, Scope},
};
use crate::{
    Window,
    causes::LISTEN_OVERFLOWS,
    detectors::kit::{proof, say},
    finding::{Proof, Remedy, Severity, Subject, Text},
};

/// As many causes as fit a headline.
const CAUSES_SHOWN: usize = 3;

pub(super) fn group(group: &Group<'_>, subject: &Subject, severity: Severity) -> Text {
    let Group { cause, drops, .. } = group;
    let dropped = say::count(drops.tally.count, "packet");
    let dropped = format!("{dropped} dropped {}", say::place(subject));
    let Some(row) = drops.row else {
        return Text {
            headline: format!("{dropped}: {cause}"),
            what: format!(
                "The kernel freed them as dropped and says no more than {cause}. netdiag does not know what that means."
            ),
            hurts: "Not known. The flow and the function say where to look.".to_owned(),
        };
    };
    let hurts = match (row.class, severity) {
        (Class::Loss, Severity::Info) => {
            "Little: these packets are lost, but they are few. TCP sends them again."
        }
        (Class::Loss, _) => {
            "These packets are lost. TCP sends them again and gets slower; UDP does not."
        }
        (Class::Decision, _) => "None, if the decision is the wanted one.",
        (Class::NotLoss, _) => "None.",
    };
    Text {
        headline: format!("{dropped}: {} ({cause})", row.meaning),
        what: format!("The kernel dropped them because {}.", row.meaning),
        hurts: hurts.to_owned(),
    }
}

pub(super) fn remainder(groups: usize, drops: &Drops) -> Text {
    Text {
        headline: format!(
            "{} dropped for {groups} more causes or on more devices, each seldom",
            say::count(drops.tally.count, "packet"),
        ),
        what: "Too many to list one by one; the most frequent are findings of their own."
            .to_owned(),
        hurts: "Little: none of them is frequent enough for a warning.".to_owned(),
    }
}

pub(super) fn no_device(window: &Window<'_>, drops: &Drops, count: u64) -> Text {
    Text {
        headline: format!(
            "{} dropped without a device that this node knows{}",
            say::count(count, "packet"),
            causes(window, drops)
        ),
        what: "The packet no longer had a device when it was freed, or has one of another namespace: a socket's queue, \
               or another node that shares this kernel."
            .to_owned(),
        hurts: "Not known.".to_owned(),
    }
}

pub(super) fn not_loss(window: &Window<'_>, drops: &Drops) -> Text {
    Text {
        headline: format!(
            "{} freed as dropped that nobody misses{}",
            say::count(drops.tally.count, "packet"),
            causes(window, drops)
        ),
        what: "Tools that count drops show these. They are copies, data that had arrived before, frames for other \
               hosts, or what was left in a queue when its socket was closed."
            .to_owned(),
        hurts: "None.".to_owned(),
    }
}

pub(super) fn listen_overflow(found: &ListenOverflow<'_>, subject: &Subject) -> Text {
    Text {
        headline: format!(
            "{} to open a connection refused {}: the listening socket's queue of connections to accept was full \
             ({})",
            say::count(found.refused.count, "packet"),
            say::place(subject),
            LISTEN_OVERFLOWS.name,
        ),
        what: "A listening program accepts too slowly or not at all. The kernel completes connections for it until its \
               backlog is reached, and ignores what comes next. It frees those packets as if it had read them, so only \
               this counter tells."
            .to_owned(),
        hurts: "Clients wait: they ask again after 1, 3 and 7 s, and then give up.".to_owned(),
    }
}

pub(super) fn listen_overflow_remedy(found: &ListenOverflow<'_>) -> Remedy {
    Remedy::command_in(
        found.namespace,
        "Find the listener whose Recv-Q reaches its Send-Q; let it accept faster or listen with a larger backlog.",
        &["ss", "-ltnp"],
        &[],
    )
}

/// The counter that only tells of refused connections.
pub(super) fn listen_overflow_proof(found: &ListenOverflow<'_>) -> Option<Proof> {
    proof::counter_rose(found.namespace, COUNTER.name(), "packets")
}

/// The drops for which the counting map had no room.
pub(super) fn lost_counts(window: &Window<'_>) -> Option<Proof> {
    let lost = window.lost.counts;
    let what = "drops that were seen but not told apart: the counting map was full";
    (lost > 0).then(|| proof::of_drop(what, lost))
}

pub(super) fn remedies(window: &Window<'_>, group: &Group<'_>) -> Vec<Remedy> {
    let advice = group.drops.row.and_then(|row| row.advice.as_ref());
    let advice = advice.into_iter();
    advice.map(|advice| remedy(window, advice, group)).collect()
}

fn remedy(window: &Window<'_>, advice: &Advice, group: &Group<'_>) -> Remedy {
    let device = group.link.map(|link| link.name.as_str());
    let asks_device = advice.command.iter().any(|word| word.contains(DEVICE));
    let namespace = match advice.scope {
        Scope::Namespace => Some(group.namespace),
        Scope::Node => window.node_namespace(),
    };
    let (Some(namespace), false) = (namespace, asks_device && device.is_none()) else {
        return Remedy::advice(advice.text);
    };
    if advice.command.is_empty() {
        return Remedy::advice(advice.text);
    }
    let device = device.unwrap_or_default();
    let words: Vec<String> = advice
        .command
        .iter()
        .map(|word| word.replace(DEVICE, device))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let names: &[&str] = if asks_device { &[device] } else { &[] };
    let remedy = Remedy::command_in(namespace, advice.text, &words, names);
    if advice.effect.is_empty() {
        remedy
    } else {
        remedy.with_effect(advice.effect)
    }
}

/// `: QUEUE_PURGE 300, OTHERHOST 20, ..`, the most frequent causes; empty for none.
fn causes(window: &Window<'_>, drops: &Drops) -> String {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for key in drops.tally.drops(window) {
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
    format!(": {}{more}", shown.join(", "))
}
