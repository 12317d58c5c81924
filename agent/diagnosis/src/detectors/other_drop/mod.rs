//! Every drop that no other check explains, in the kernel's own words.
//!
//! Nothing is guessed: a finding says the reason and the function, and a table (`rows`) says what they mean, whether
//! they are worth a warning and what helps. What the table calls no loss is silent, unless it is so much that whoever
//! watches drops must have seen it.

mod judge;
mod listeners;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod text;

use self::{
    judge::{Drops, Group},
    listeners::ListenOverflow,
};
use super::{
    Detector,
    kit::{Evidence, Need, proof, say},
};
use crate::{
    Window,
    causes::{
        Cause, Check, LISTEN_OVERFLOWS, Mechanism, NO_DEVICE, NOT_LOSS, OTHER_DROP, REMAINDER,
    },
    finding::{Assessment, Finding, Harm, Outcome, Subject, Text},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::part(
        Evidence::FunctionNames,
        "drops without a reason cannot be told apart",
    ),
];

/// The `OtherDrop` check.
pub(super) struct OtherDrop;

impl Detector for OtherDrop {
    fn check(&self) -> &'static Check {
        &OTHER_DROP
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn judge(&self, window: &Window<'_>, so_far: &Outcome) -> Outcome {
        let leftovers = judge::leftovers(window, so_far);
        let mut outcome = Outcome {
            findings: listeners::overflows(window)
                .map(|found| listen_overflow(&found))
                .collect(),
            ..Outcome::default()
        };
        for group in &leftovers.groups {
            outcome.extend(group.drops.explained_by(of_group(window, group)));
        }
        if !leftovers.folded.is_empty() {
            let drops = Drops::of(&leftovers.folded);
            let text = text::remainder(leftovers.folded.len(), &drops);
            let finding = of_node(window, &REMAINDER, unknown(drops.tally.count), &drops, text);
            outcome.extend(drops.explained_by(finding));
        }
        let nowhere = &leftovers.nowhere;
        if nowhere.tally.count > 0 || window.lost.counts > 0 {
            outcome.extend(nowhere.explained_by(no_device(window, nowhere)));
        }
        if let Some(drops) = leftovers.frequent_not_loss(window) {
            let text = text::not_loss(window, drops);
            let finding = of_node(window, &NOT_LOSS, Assessment::none(), drops, text);
            outcome.extend(drops.explained_by(finding));
        }
        outcome
    }
}

fn of_group(window: &Window<'_>, group: &Group<'_>) -> Finding {
    let subject = Subject::of_place(group.link, Some(group.namespace));
    let assessment = group.drops.assessment();
    let text = text::group(group, &subject, assessment.severity());
    let mut finding = Finding::new(
        Mechanism::Kernel(group.cause.to_owned()),
        assessment,
        subject,
        text,
    );
    finding.confidence = group.drops.confidence();
    group.drops.tally.measure(&mut finding);
    finding.evidence = proof::drops(window, &group.drops.tally);
    finding.details = say::flows(window, &group.drops.tally).collect();
    finding.remedies = text::remedies(window, group);
    finding
}

/// Packets of which nothing tells whether anybody misses them.
fn unknown(packets: u64) -> Assessment {
    Assessment::of(Harm::Unknown).with_packets(packets)
}

/// A finding about drops of the whole node.
fn of_node(
    window: &Window<'_>,
    cause: &'static Cause,
    assessment: Assessment,
    drops: &Drops,
    text: Text,
) -> Finding {
    let mut finding = Finding::new(cause, assessment, Subject::default(), text);
    drops.tally.measure(&mut finding);
    finding.evidence = proof::drops(window, &drops.tally);
    finding
}

/// Drops that cannot be given to a device, and those that found the counting map full.
fn no_device(window: &Window<'_>, drops: &Drops) -> Finding {
    let count = drops.tally.count.saturating_add(window.lost.counts);
    let text = text::no_device(window, drops, count);
    let mut finding = of_node(window, &NO_DEVICE, unknown(count), drops, text);
    finding.count = count;
    finding.details = say::flows(window, &drops.tally).collect();
    finding.evidence.extend(text::lost_counts(window));
    finding
}

fn listen_overflow(found: &ListenOverflow<'_>) -> Finding {
    let subject = Subject::of_namespace(found.namespace);
    let text = text::listen_overflow(found, &subject);
    let mut finding = Finding::new(&LISTEN_OVERFLOWS, found.assessment(), subject, text);
    found.refused.measure(&mut finding);
    finding.evidence = text::listen_overflow_proof(found).into_iter().collect();
    finding.remedies = vec![text::listen_overflow_remedy(found)];
    finding
}
