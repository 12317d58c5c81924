//! The last line of a text: what was checked for how long, what was lost, and what a window of this length cannot see.

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::{CHECKS, Check, UNHANDLED_PROTOCOL},
    evidence::Why,
    finding::Unmade,
};

use crate::wording::seconds;

/// The advice where the kernel refused because a capability is missing.
const NEXT: &str = "run it as root on the host, or give the container BPF, PERFMON, NET_ADMIN, SYS_PTRACE and SYSLOG, \
                    as the chart does";

/// The events that UnhandledProtocol finds and that come so seldom that a shorter window may miss them: the default
/// intervals of LLDP (IEEE 802.1AB, msgTxInterval) and of CDP.
const SLOW_EVENTS: [(u64, &str); 2] = [(30_000, "LLDP: every 30 s"), (60_000, "CDP: every 60 s")];

/// `all 20 checks, 35 s. Lost: ..`
pub(super) fn checked(diagnosis: &Diagnosis, window: &EvidenceWindow) -> String {
    let duration = seconds(window.duration_ms);
    let mut text = format!("{}, {duration}.", checks(diagnosis));
    if window.drops.value().is_some() {
        let lost = diagnosis.lost;
        text.push_str(&format!(
            " Lost: {} counts, {} samples.",
            lost.counts, lost.samples
        ));
        let slower: Vec<&str> = SLOW_EVENTS
            .iter()
            .filter(|(every_ms, _)| window.duration_ms < *every_ms)
            .filter(|_| diagnosis.checks.contains(&&UNHANDLED_PROTOCOL))
            .map(|(_, name)| *name)
            .collect();
        if !slower.is_empty() {
            text.push_str(&format!(
                " Not seen in {duration} can still exist ({}).",
                slower.join(", ")
            ));
        }
    }
    text
}

fn checks(diagnosis: &Diagnosis) -> String {
    let state_of = |check: &Check| {
        let entries = diagnosis
            .unchecked
            .iter()
            .filter(|entry| entry.check == check && entry.is_blind());
        entries.map(|entry| entry.unmade).min()
    };
    let with_state = |state: Option<Unmade>| -> Vec<&str> {
        let checks = diagnosis.checks.iter();
        let checks = checks.filter(|check| state_of(check) == state);
        checks.map(|check| check.name).collect()
    };
    let (whole, partly) = (with_state(None), with_state(Some(Unmade::Part)));
    let total = diagnosis.checks.len();
    if whole.len() == total && total == CHECKS.len() {
        return format!("all {total} checks");
    }
    if whole.len() == total {
        return format!("only {} as asked", whole.join(", "));
    }
    let mut text = format!("{} of {total} checks", whole.len());
    if !whole.is_empty() {
        text.push_str(&format!(" ({})", whole.join(", ")));
    }
    if !partly.is_empty() {
        text.push_str(&format!(
            ", {} in part ({})",
            partly.len(),
            partly.join(", ")
        ));
    }
    text
}

/// The advice for a run that could not check everything.
pub(super) fn next(diagnosis: &Diagnosis, window: &EvidenceWindow) -> Option<String> {
    let lacks_capability =
        |why: &Why| matches!(why, Why::Permission { capabilities } if !capabilities.is_empty());
    let is_refused = window.drops.why().is_some_and(lacks_capability);
    (is_refused && !diagnosis.unchecked.is_empty()).then(|| NEXT.to_owned())
}
