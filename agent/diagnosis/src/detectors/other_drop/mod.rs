//! Every drop that no other check explains, in the kernel's own words.
//!
//! Nothing is guessed: a table (`rows`) says what a reason or a function means and which kind of mechanism it is, and
//! the sampled packets and the traffic beside them say what harm it did. What nobody misses is silent, unless it is so
//! much that a person who watches drops must have seen it.

mod advice;
mod class;
mod group;
mod harm;
mod judge;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod text;

use self::judge::{Judged, Nowhere};
use super::{
    Detector,
    kit::{Evidence, Need, Tally, proof, say, untold},
};
use crate::{
    Window,
    causes::{Cause, Check, Mechanism, NO_DEVICE, NOT_LOSS, OTHER_DROP, REMAINDER},
    evidence::DropCount,
    finding::{Assessment, Decision, Finding, Harm, Outcome, Subject, Text, Unchecked},
};

const NEEDS: &[Need] = &[
    Need::all(Evidence::Drops, "drop probe"),
    Need::part(
        Evidence::FunctionNames,
        "drops without a reason cannot be told apart",
    ),
];

/// The drop is the verdict of a rule as far as its reason, its function, counters and the log tell: connection tracking
/// refuses packets at the same function.
pub(in crate::detectors) fn is_refused_by_rule(
    window: &Window<'_>,
    index: usize,
    key: &DropCount,
) -> bool {
    let row = rows::lookup(key, &table::Surroundings::of(window, index, key));
    row.is_some_and(|row| row.class == class::Class::Decision(Decision::Rule))
}

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
        let mut outcome = Outcome::default();
        for judged in &leftovers.listed {
            let finding = of_group(window, judged);
            outcome.extend(judge::explained(finding, &judged.group.drops.tally));
        }
        if !leftovers.folded.is_empty() {
            outcome.extend(remainder(window, &leftovers.folded));
        }
        let ended = text::ended_links(window);
        let ended = ended.map(|reason| Unchecked::in_part(&OTHER_DROP, reason));
        outcome.unchecked.extend(ended);
        let nowhere = &leftovers.nowhere;
        if nowhere.tally.count > 0 || window.lost.counts > 0 {
            let finding = no_device(window, nowhere);
            outcome.extend(Outcome::explained(finding, nowhere.verdicts()));
        }
        let unmissed = &leftovers.unmissed;
        if leftovers.is_unmissed_frequent(window) {
            let text = text::not_loss(window, unmissed);
            let finding = of_node(window, &NOT_LOSS, Assessment::none(), unmissed, text);
            outcome.extend(judge::explained(finding, unmissed));
        } else {
            outcome.claims.extend(untold(unmissed));
        }
        outcome
    }
}

fn of_group(window: &Window<'_>, judged: &Judged<'_>) -> Finding {
    let Judged {
        group, assessment, ..
    } = judged;
    let subject = Subject::of_place(group.link, Some(group.namespace));
    let text = text::group(window, judged, &subject);
    let mut finding = Finding::new(
        Mechanism::Kernel(group.cause.to_owned()),
        assessment.clone(),
        subject,
        text,
    );
    finding.symptom = text::symptom(judged);
    finding.confidence = group.confidence();
    group.drops.tally.measure(&mut finding);
    finding.evidence = proof::drops(window, &group.drops.tally);
    finding.evidence.extend(text::noise(group.drops.noise));
    finding.details = say::flows(window, &group.drops.tally).collect();
    finding.remedies = match judged.ended.is_empty() {
        true => text::remedies(window, group),
        false => vec![text::ended_remedy()],
    };
    finding
}

/// A finding about drops of the whole node.
fn of_node(
    window: &Window<'_>,
    cause: &'static Cause,
    assessment: Assessment,
    tally: &Tally,
    text: Text,
) -> Finding {
    let mut finding = Finding::new(cause, assessment, Subject::default(), text);
    tally.measure(&mut finding);
    finding.evidence = proof::drops(window, tally);
    finding
}

/// The groups that are too many to list.
fn remainder(window: &Window<'_>, folded: &[Judged<'_>]) -> Outcome {
    let mut tally = Tally::default();
    for judged in folded {
        tally.merge(&judged.group.drops.tally);
    }
    let assessment = Assessment {
        decision: judge::common_decision(folded),
        ..Assessment::of(Harm::Unknown).with_packets(tally.count)
    };
    let text = text::remainder(window, folded, &tally, &assessment);
    let finding = of_node(window, &REMAINDER, assessment, &tally, text);
    let verdicts = folded.iter().flat_map(|judged| {
        let keys = judged.group.drops.tally.keys.iter();
        keys.map(|key| (*key, judged.verdict()))
    });
    Outcome::explained(finding, verdicts)
}

/// Drops that cannot be given to a device, and those that found the counting map full.
fn no_device(window: &Window<'_>, nowhere: &Nowhere) -> Finding {
    let tally = &nowhere.tally;
    let count = tally.count.saturating_add(window.lost.counts);
    let assessment = nowhere.assess(window, window.lost.counts);
    let text = text::no_device(window, tally, count, &assessment);
    let mut finding = of_node(window, &NO_DEVICE, assessment, tally, text);
    finding.count = count;
    finding.details = say::flows(window, tally).collect();
    finding.evidence.extend(text::lost_counts(window));
    finding
}
