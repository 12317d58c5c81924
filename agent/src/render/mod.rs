//! A diagnosis as text for people: verdict, ledger, findings, what was not checked. Pure.

mod findings;
mod ledger;
#[cfg(test)]
mod tests;
mod text;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::{CHECKS, Check, UNHANDLED_PROTOCOL},
    finding::Severity,
};

use text::{paint, seconds, severity_style, wrap};

/// More columns than this are hard to read, whatever the terminal's width.
const MAX_WIDTH: usize = 110;
/// With fewer, labels and names leave no room for text.
const MIN_WIDTH: usize = 60;

/// How the text should look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Columns.
    width: usize,
    /// Escape sequences for colours. Nothing is lost without them.
    colour: bool,
    /// Ids, times and documentation too.
    wide: bool,
}

impl Style {
    /// A style for an output of `columns` columns, if it has a width.
    pub(crate) fn new(columns: Option<u16>, colour: bool, wide: bool) -> Self {
        let width = columns.map_or(MAX_WIDTH, usize::from);
        Self {
            width: width.clamp(MIN_WIDTH, MAX_WIDTH),
            colour,
            wide,
        }
    }
}

/// The whole text, ending with a line break.
pub(crate) fn render(window: &EvidenceWindow, diagnosis: &Diagnosis, style: Style) -> String {
    let mut blocks = vec![headline(window, diagnosis, style)];
    if !diagnosis.ledger.is_empty() {
        blocks.push(ledger::ledger(&diagnosis.ledger, style));
    }
    blocks.extend(findings::findings(&diagnosis.findings, style));
    blocks.extend(not_checked(window, diagnosis, style));
    blocks.push(wrap("", "", &checked(window, diagnosis), style.width));
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

fn headline(window: &EvidenceWindow, diagnosis: &Diagnosis, style: Style) -> String {
    let verdict = verdict::verdict(window, diagnosis);
    let line = format!("{}: {verdict}", window.node.name);
    let text = wrap("", "", &line, style.width);
    match diagnosis
        .findings
        .iter()
        .map(|finding| finding.severity())
        .max()
    {
        Some(severity) if severity > Severity::Info => paint(
            text,
            severity.as_str(),
            severity_style(severity),
            style.colour,
        ),
        _ => text,
    }
}

/// What helps where the kernel refused for want of a capability.
const NEXT: &str = "Next: run it as root on the host, or give the container BPF, PERFMON, NET_ADMIN, SYS_PTRACE and \
                    SYSLOG, as the chart does";

/// Checks that could not be made, those with one reason on one line.
fn not_checked(window: &EvidenceWindow, diagnosis: &Diagnosis, style: Style) -> Option<String> {
    if diagnosis.unchecked.is_empty() {
        return None;
    }
    // A check that could not be made at all is not "checked in part" for its other reasons.
    let whole: BTreeSet<&Check> = diagnosis
        .unchecked
        .iter()
        .filter(|entry| !entry.partly)
        .map(|entry| entry.check)
        .collect();
    let mut by_reason: BTreeMap<(bool, &str), BTreeSet<&Check>> = BTreeMap::new();
    for entry in &diagnosis.unchecked {
        let partly = !whole.contains(entry.check);
        by_reason
            .entry((partly, entry.reason.as_str()))
            .or_default()
            .insert(entry.check);
    }
    let mut lines = vec!["Not checked".to_owned()];
    for ((partly, reason), checks) in by_reason {
        let checks: Vec<&str> = checks.into_iter().map(|check| check.name).collect();
        let in_part = if partly { " checked in part;" } else { "" };
        let line = format!("{}:{in_part} {reason}", checks.join(", "));
        lines.push(wrap("  ", "    ", &line, style.width));
    }
    if window
        .drops
        .missing()
        .is_some_and(|why| why.contains("CAP_"))
    {
        lines.push(wrap("  ", "    ", NEXT, style.width));
    }
    Some(lines.join("\n"))
}

/// The last line: what was checked for how long, what was lost, what a window of this length cannot see.
fn checked(window: &EvidenceWindow, diagnosis: &Diagnosis) -> String {
    let state_of = |check: &Check| {
        let entries = diagnosis
            .unchecked
            .iter()
            .filter(|entry| entry.check == check);
        entries.map(|entry| entry.partly).min()
    };
    let with_state = |state: Option<bool>| -> Vec<&str> {
        let checks = diagnosis.checks.iter();
        let checks = checks.filter(|check| state_of(check) == state);
        checks.map(|check| check.name).collect()
    };
    let (whole, partly) = (with_state(None), with_state(Some(true)));
    let total = diagnosis.checks.len();
    let mut text = if whole.len() == total && total == CHECKS.len() {
        format!("Checked: all {total} checks")
    } else if whole.len() == total {
        format!("Checked: only {} as asked", whole.join(", "))
    } else {
        let mut text = format!("Checked: {} of {total} checks", whole.len());
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
    };
    let duration = seconds(window.duration_ms);
    text.push_str(&format!(", {duration}."));
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

/// What UnhandledProtocol finds and comes so seldom that a shorter window may miss it: the default intervals of LLDP (IEEE 802.1AB,
/// msgTxInterval) and of CDP.
const SLOW_EVENTS: [(u64, &str); 2] = [(30_000, "LLDP: every 30 s"), (60_000, "CDP: every 60 s")];
