//! The first sentence: is there packet loss, whose, and is the answer known at all.

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    finding::{Finding, Severity, Verdict},
    ledger::LedgerEntry,
};

use super::text::{counted, sentence};

/// A window shorter than this was interrupted, and nothing that it did not see is healthy for that.
const SHORTEST_MS: u64 = 1_000;

/// The verdict, one to three sentences.
pub(super) fn verdict(window: &EvidenceWindow, diagnosis: &Diagnosis) -> String {
    let worst: Vec<&Finding> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.severity() > Severity::Info)
        .collect();
    if let Some(first) = worst.first() {
        return with_problems(first, &worst);
    }
    if let Some(reason) = window.links.missing()
        && window.links.value().is_none()
    {
        return format!("no verdict: the drop counters could not be read: {reason}.");
    }
    let totals = Totals::of(&diagnosis.ledger);
    if totals.harmful > 0 {
        return format!(
            "packet loss found, {} packets, but its finding is not among those asked for.",
            totals.harmful
        );
    }
    if totals.unknown > 0 {
        return with_unknown(window, diagnosis, &totals);
    }
    without_loss(window, diagnosis)
}

/// Something of severity Warning or worse was found.
fn with_problems(first: &Finding, worst: &[&Finding]) -> String {
    let what = if worst.iter().any(|finding| finding.count > 0) {
        "packet loss found"
    } else {
        "no loss yet, but something that needs a look"
    };
    let mut text = format!(
        "{what}. {}: {}",
        first.severity().as_str(),
        sentence(&first.text.headline)
    );
    if let Some(remedy) = first.remedies.first() {
        text.push_str(" To do: ");
        text.push_str(&sentence(&remedy.text));
    }
    if worst.len() > 1 {
        let others = worst.len() - 1;
        let (noun, verb) = if others == 1 {
            ("finding", "needs")
        } else {
            ("findings", "need")
        };
        text.push_str(&format!(" {others} more {noun} {verb} attention."));
    }
    text
}

/// Nothing harmful is proved, but not every packet is accounted for.
fn with_unknown(window: &EvidenceWindow, diagnosis: &Diagnosis, totals: &Totals) -> String {
    let because = if window.drops.value().is_none() {
        " The drop probe could not look."
    } else {
        ""
    };
    let what = match diagnosis.ledger.as_slice() {
        [only] => format!(
            "{} {} rose by {}",
            device(only),
            only.counter,
            only.increase
        ),
        many => format!("{} counters rose by {} in all", many.len(), totals.increase),
    };
    if totals.unknown == totals.increase {
        format!("{what}; harmful or harmless is not known.{because}")
    } else {
        format!(
            "{what}; of {} packets it is not known whether they were harmful, the rest was harmless.{because}",
            totals.unknown
        )
    }
}

/// No harm and nothing unknown; whether that is a verdict of health depends on what could be checked.
fn without_loss(window: &EvidenceWindow, diagnosis: &Diagnosis) -> String {
    let rose = match diagnosis.ledger.len() {
        0 => "No drop counter rose.".to_owned(),
        1 => "One counter rose; harmless frames explain all of it.".to_owned(),
        many => format!("{many} counters rose; harmless frames explain all of them."),
    };
    let whole = diagnosis
        .unchecked
        .iter()
        .filter(|entry| !entry.partly)
        .map(|entry| entry.check)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    if window.duration_ms < SHORTEST_MS {
        format!("no verdict: it ended within its first second. {rose}")
    } else if whole > 0 {
        format!(
            "no verdict: {} of {} could not be made. {rose}",
            whole,
            counted(diagnosis.checks.len(), "check", "checks")
        )
    } else if diagnosis.unchecked.is_empty() {
        format!("no packet loss found. {rose}")
    } else {
        format!("no packet loss found in what could be checked. {rose}")
    }
}

fn device(entry: &LedgerEntry) -> String {
    let name = entry.interface.as_deref();
    match (&entry.place, name) {
        (Some(place), Some(name)) => format!("{place} {name}"),
        (Some(place), None) => place.clone(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "the node's".to_owned(),
    }
}

/// What all counters say together, each packet as often as it was counted.
struct Totals {
    increase: u64,
    harmful: u64,
    /// Booked as unknown, or not explained at all.
    unknown: u64,
}

impl Totals {
    fn of(ledger: &[LedgerEntry]) -> Self {
        let sum = |values: &mut dyn Iterator<Item = u64>| values.fold(0, u64::saturating_add);
        let booked = |verdict: Verdict| {
            sum(&mut ledger
                .iter()
                .flat_map(|entry| &entry.explained)
                .filter(|booking| booking.verdict == verdict)
                .map(|booking| booking.count))
        };
        Self {
            increase: sum(&mut ledger.iter().map(|entry| entry.increase)),
            harmful: booked(Verdict::Harmful),
            unknown: booked(Verdict::Unknown)
                .saturating_add(sum(&mut ledger.iter().map(|entry| entry.unexplained))),
        }
    }
}
