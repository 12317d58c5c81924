//! Every drop that no other check explains, in the kernel's own words.
//!
//! Nothing is guessed: a finding says the reason and the function, and a table (`rows`) says what they mean, whether
//! they are worth a warning and what helps. What the table calls no loss is silent, unless it is so much that whoever
//! watches drops must have seen it.

mod groups;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod uneventful;
mod wording;

use self::{
    groups::{Group, Tally},
    table::{Class, Surroundings},
    uneventful::LISTEN_OVERFLOWS,
};
use super::{Detector, EvidenceKind, Meta};
use crate::{
    evidence::EvidenceWindow,
    finding::{Claim, Confidence, Finding, Outcome, Severity, Subject, Unchecked, Verdict},
};

const NAME: &str = "OtherDrop";
/// Cause of the one finding about packets that nobody misses.
const NOT_LOSS: &str = "NotLoss";
/// Cause of the one finding about drops that belong to no device or namespace of this node.
const NO_DEVICE: &str = "NoDevice";
/// Cause of the one finding that folds small remainders.
const REMAINDER: &str = "Remainder";

/// As many harmless or small findings are listed one by one; the rest is folded into one.
const INFO_LISTED: usize = 12;

/// Packets a minute from which freed packets that nobody misses are worth a line: 100 a second are seen by anybody who
/// counts drops, and an idle node stays far below.
const NOT_LOSS_PER_MINUTE: u64 = 6_000;

/// The `OtherDrop` check.
pub(super) struct OtherDrop;

impl Detector for OtherDrop {
    fn meta(&self) -> Meta {
        Meta {
            name: NAME,
            // Beside these, a cause is the kernel's drop reason or function.
            causes: &[NOT_LOSS, NO_DEVICE, REMAINDER, LISTEN_OVERFLOWS],
            needs: &[EvidenceKind::Drops],
            summary: "packets are dropped for a reason of the kernel's that no other check explains",
        }
    }

    fn diagnose(&self, window: &EvidenceWindow, so_far: &Outcome) -> Outcome {
        let mut outcome = Outcome {
            unchecked: unchecked(window),
            ..Outcome::default()
        };
        outcome
            .findings
            .extend(uneventful::listen_overflows(window));
        let leftovers = groups::fold(window, so_far);
        let warns = |group: &Group<'_>| warns(window, &group.tally);
        let (warnings, mut infos): (Vec<Group<'_>>, Vec<Group<'_>>) =
            leftovers.groups.into_iter().partition(warns);
        // The most frequent are listed; names break ties, so that two windows list the same ones.
        infos.sort_by(|a, b| {
            let name = |group: &Group<'_>| (group.namespace.id, group.link.map(|l| l.ifindex));
            (b.tally.count, a.cause, name(a)).cmp(&(a.tally.count, b.cause, name(b)))
        });
        let folded = infos.split_off(infos.len().min(INFO_LISTED));
        for group in warnings.iter().chain(&infos) {
            let finding = group_finding(window, group);
            add(&mut outcome, finding, window, &group.tally.drops);
        }
        if !folded.is_empty() {
            let finding = wording::remainder(window, &folded);
            let drops: Vec<usize> = folded
                .iter()
                .flat_map(|group| group.tally.drops.iter().copied())
                .collect();
            add(&mut outcome, finding, window, &drops);
        }
        if leftovers.nowhere.count > 0 || window.lost.counts > 0 {
            let finding = wording::no_device(window, &leftovers.nowhere);
            add(&mut outcome, finding, window, &leftovers.nowhere.drops);
        }
        let often = Class::Loss {
            warn_per_minute: Some(NOT_LOSS_PER_MINUTE),
        };
        if often.warns(leftovers.not_loss.count, window.duration_ms) {
            let finding = wording::not_loss(window, &leftovers.not_loss);
            add(&mut outcome, finding, window, &leftovers.not_loss.drops);
        }
        outcome
    }
}

fn warns(window: &EvidenceWindow, tally: &Tally) -> bool {
    tally
        .class()
        .is_some_and(|class| class.warns(tally.count, window.duration_ms))
}

fn group_finding(window: &EvidenceWindow, group: &Group<'_>) -> Finding {
    let subject = match group.link {
        Some(link) => Subject::of_link(link, Some(group.namespace)),
        None => Subject::of_namespace(group.namespace),
    };
    let severity = if warns(window, &group.tally) {
        Severity::Warning
    } else {
        Severity::Info
    };
    let text = wording::text(group, &subject, severity);
    let mut finding = Finding::new(NAME, group.cause.to_owned(), severity, subject, text);
    finding.confidence = match group.tally.row {
        // The kernel log has no namespace: its line may be about another one's table.
        Some(row) if matches!(row.matches, table::Match::Logged { .. }) => Confidence::Possible,
        Some(_) => Confidence::Certain,
        None => Confidence::Possible,
    };
    finding.count = group.tally.count;
    (finding.first_ms, finding.last_ms) = group.tally.times();
    wording::describe(&mut finding, window, group);
    finding
}

/// Adds a finding and claims its drops, each with the verdict of its own row.
fn add(outcome: &mut Outcome, finding: Finding, window: &EvidenceWindow, drops: &[usize]) {
    let counts = window.drops.value().map_or(&[][..], |drops| &drops.counts);
    for drop in drops {
        let row = counts
            .get(*drop)
            .and_then(|key| table::lookup(key, &Surroundings::of(window, key)));
        outcome.claims.push(Claim {
            drop: *drop,
            verdict: match row.map(|row| row.class) {
                Some(Class::NotLoss) => Verdict::Benign,
                Some(Class::Loss { .. }) => Verdict::Harmful,
                Some(Class::Decision) | None => Verdict::Unknown,
            },
            protocol: None,
            finding: finding.id.clone(),
        });
    }
    outcome.findings.push(finding);
}

fn unchecked(window: &EvidenceWindow) -> Vec<Unchecked> {
    let mut entries = Vec::new();
    if let Some(reason) = window.drops.missing() {
        entries.push(Unchecked {
            check: NAME,
            partly: window.drops.value().is_some(),
            reason: format!("drop probe: {reason}"),
        });
    }
    let nameless = window
        .drops
        .value()
        .is_some_and(|drops| !drops.has_locations && !drops.counts.is_empty());
    if nameless {
        entries.push(Unchecked {
            check: NAME,
            partly: true,
            reason: "function names are hidden: drops without a reason cannot be told apart"
                .to_owned(),
        });
    }
    entries
}
