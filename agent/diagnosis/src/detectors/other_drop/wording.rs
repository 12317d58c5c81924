//! What a person reads about the drops of this check.

use super::{
    NAME, NO_DEVICE, NOT_LOSS, REMAINDER,
    groups::{Group, Tally, cause_of},
    table::{Advice, Class, DEVICE, Scope},
};
use crate::{
    evidence::{DropCount, EvidenceWindow},
    finding::{Finding, Proof, Remedy, Severity, Subject, Text, counted_packets},
    packets::flow::frequent_flows,
};

/// As many lines of evidence as a person reads; what is beyond is added up in one.
const PROOFS_SHOWN: usize = 4;
/// As many flows.
const FLOWS_SHOWN: usize = 3;
/// As many causes in a summary.
const CAUSES_SHOWN: usize = 3;

/// The sentences about one group.
pub(super) fn text(group: &Group<'_>, subject: &Subject, severity: Severity) -> Text {
    let Group { cause, tally, .. } = group;
    let dropped = format!(
        "{} dropped {}",
        counted_packets(tally.count),
        place_of(subject)
    );
    let Some(row) = tally.row else {
        return Text {
            headline: format!("{dropped}: {cause}"),
            what: format!(
                "The kernel freed them as dropped and says no more than {cause}. netdiag does not know what that means."
            ),
            hurts: "Not known. The flow and the function say where to look.".to_owned(),
        };
    };
    let hurts = match (row.class, severity) {
        (Class::Loss { .. }, Severity::Info) => {
            "Little: these packets are lost, but they are few. TCP sends them again."
        }
        (Class::Loss { .. }, _) => {
            "These packets are lost. TCP sends them again and gets slower; UDP does not."
        }
        (Class::Decision, _) => "None, if the decision is the wanted one.",
        (Class::NotLoss, _) => "None.",
    };
    Text {
        headline: format!("{dropped}: {} ({cause})", row.meaning),
        what: format!("The kernel dropped them since {}.", row.meaning),
        hurts: hurts.to_owned(),
    }
}

/// The facts about one group, and what ends it.
pub(super) fn describe(finding: &mut Finding, window: &EvidenceWindow, group: &Group<'_>) {
    finding.evidence = proofs(window, &group.tally.drops);
    finding.details = flows(window, &group.tally);
    let advice = group
        .tally
        .row
        .into_iter()
        .flat_map(|row| row.advice.iter());
    finding.remedies = advice.map(|advice| remedy(window, advice, group)).collect();
}

/// Folds groups that are too many to list.
pub(super) fn remainder(window: &EvidenceWindow, groups: &[Group<'_>]) -> Finding {
    let count = groups
        .iter()
        .fold(0, |sum, group| group.tally.count.saturating_add(sum));
    let text = Text {
        headline: format!(
            "{} dropped for {} more causes or on more devices, each seldom",
            counted_packets(count),
            groups.len()
        ),
        what: "Too many to list one by one; the most frequent are findings of their own."
            .to_owned(),
        hurts: "Little: none of them is frequent enough for a warning.".to_owned(),
    };
    let mut finding = Finding::new(NAME, REMAINDER, Severity::Info, Subject::default(), text);
    finding.count = count;
    let times = groups.iter().map(|group| group.tally.times());
    finding.first_ms = times.clone().map(|(first, _)| first).min().unwrap_or(0);
    finding.last_ms = times.map(|(_, last)| last).max().unwrap_or(0);
    let drops: Vec<usize> = groups
        .iter()
        .flat_map(|group| group.tally.drops.iter().copied())
        .collect();
    finding.evidence = proofs(window, &drops);
    finding
}

/// Drops that cannot be given to a device, and those that found the counting map full.
pub(super) fn no_device(window: &EvidenceWindow, tally: &Tally) -> Finding {
    let count = tally.count.saturating_add(window.lost.counts);
    let text = Text {
        headline: format!(
            "{} dropped without a device that this node knows{}",
            counted_packets(count),
            causes(window, tally)
        ),
        what: "The packet no longer had a device when it was freed, or has one of another namespace: a socket's queue, \
               or another node that shares this kernel."
            .to_owned(),
        hurts: "Not known.".to_owned(),
    };
    let mut finding = Finding::new(NAME, NO_DEVICE, Severity::Info, Subject::default(), text);
    finding.count = count;
    (finding.first_ms, finding.last_ms) = tally.times();
    finding.evidence = proofs(window, &tally.drops);
    finding.details = flows(window, tally);
    if window.lost.counts > 0 {
        finding.evidence.push(Proof::new(
            "drops that were seen but not told apart: the counting map was full",
            window.lost.counts,
            "packets",
            "kfree_skb",
        ));
    }
    finding
}

/// Freed packets that nobody misses.
pub(super) fn not_loss(window: &EvidenceWindow, tally: &Tally) -> Finding {
    let text = Text {
        headline: format!(
            "{} freed as dropped that nobody misses{}",
            counted_packets(tally.count),
            causes(window, tally)
        ),
        what: "Tools that count drops show these. They are copies, data that had arrived before, frames for other \
               hosts, or what was left in a queue when its socket was closed."
            .to_owned(),
        hurts: "None.".to_owned(),
    };
    let mut finding = Finding::new(NAME, NOT_LOSS, Severity::Info, Subject::default(), text);
    finding.count = tally.count;
    (finding.first_ms, finding.last_ms) = tally.times();
    finding.evidence = proofs(window, &tally.drops);
    finding
}

fn remedy(window: &EvidenceWindow, advice: &Advice, group: &Group<'_>) -> Remedy {
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

/// `on eth0`, `on eth0 of pod shop/cart-0`, `in pod shop/cart-0`, `on this node`.
fn place_of(subject: &Subject) -> String {
    match (&subject.interface, subject.place()) {
        (Some(interface), Some(place)) => format!("on {interface} of {place}"),
        (Some(interface), None) => format!("on {interface}"),
        (None, Some(place)) => format!("in {place}"),
        (None, None) => "in the node's own namespace".to_owned(),
    }
}

/// `: QUEUE_PURGE 300, OTHERHOST 20, ..`, the most frequent causes; empty for none.
fn causes(window: &EvidenceWindow, tally: &Tally) -> String {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for key in keys(window, &tally.drops) {
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

/// One line for each of the most frequent keys, and one for all others.
fn proofs(window: &EvidenceWindow, drops: &[usize]) -> Vec<Proof> {
    let mut keys: Vec<&DropCount> = keys(window, drops).collect();
    keys.sort_by(|a, b| (b.count, &a.reason, &a.location).cmp(&(a.count, &b.reason, &b.location)));
    let others = keys.split_off(keys.len().min(PROOFS_SHOWN));
    let mut proofs: Vec<Proof> = keys
        .into_iter()
        .map(|key| Proof::new(key_name(window, key), key.count, "packets", "kfree_skb"))
        .collect();
    if !others.is_empty() {
        let name = format!(
            "{} other combinations of reason, function and device",
            others.len()
        );
        let sum = others
            .iter()
            .fold(0_u64, |sum, key| sum.saturating_add(key.count));
        proofs.push(Proof::new(name, sum, "packets", "kfree_skb"));
    }
    proofs
}

/// `NETFILTER_DROP at nft_do_chain, dev eth0, 0x0800`.
fn key_name(window: &EvidenceWindow, key: &DropCount) -> String {
    let reason = key.reason.named().unwrap_or("dropped");
    let mut name = reason.to_owned();
    if let Some(function) = key.location.named() {
        name.push_str(&format!(" at {function}"));
    }
    let link = key.netns.and_then(|netns| window.link(netns, key.ifindex));
    if let Some(link) = link {
        name.push_str(&format!(", dev {}", link.name));
    }
    if key.ethertype != 0 {
        name.push_str(&format!(", 0x{:04x}", key.ethertype));
    }
    name
}

fn flows(window: &EvidenceWindow, tally: &Tally) -> Vec<(&'static str, String)> {
    let samples = window.drops.value().into_iter().flat_map(|drops| {
        let of_key = |drop: &usize| drops.samples_of(*drop);
        tally.drops.iter().flat_map(of_key)
    });
    frequent_flows(samples, FLOWS_SHOWN)
        .into_iter()
        .map(|flow| ("Flow", flow.to_string()))
        .collect()
}

fn keys<'a>(window: &'a EvidenceWindow, drops: &[usize]) -> impl Iterator<Item = &'a DropCount> {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    drops.iter().filter_map(move |drop| counts.get(*drop))
}
