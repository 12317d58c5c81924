//! A diagnosis as text for people: verdict, ledger, findings, what was not checked. Pure.

mod act;
mod also;
mod choice;
mod findings;
mod ledger;
mod remedies;
#[cfg(test)]
mod tests;
mod text;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::{CHECKS, Check, UNHANDLED_PROTOCOL},
    evidence::Why,
    finding::Severity,
    verdict::Verdict,
};

use choice::Choice;
use ledger::Rows;
use text::{hang, paint, seconds, severity_style, wrap};

/// More columns than this are hard to read, whatever the terminal's width.
const MAX_WIDTH: usize = 110;
/// With fewer, labels and names leave no room for text.
const MIN_WIDTH: usize = 60;

/// The look of the text.
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
    let verdict = &Verdict::of(diagnosis, window);
    let rows = Rows::of(&diagnosis.ledger, style.wide);
    let choice = match style.wide {
        true => Choice::all(&diagnosis.findings),
        false => Choice::of(&diagnosis.findings, verdict, &rows.own),
    };
    let node = &window.node.name;
    let mut acts = act::act(verdict, &diagnosis.ledger, node, style.width);
    let (first, count) = headline(verdict, window, diagnosis, lines_of(&acts), style);
    let also = also::also(&choice.folded);
    if !also.is_empty() {
        acts.push(hang(&act::label("Also"), &also, style.width));
    }
    let mut blocks = vec![first];
    if !acts.is_empty() {
        blocks.push(acts.join("\n"));
    }
    if !diagnosis.ledger.is_empty() {
        blocks.push(rows.text(style));
    }
    let named = verdict::named(verdict, count);
    blocks.extend(findings::findings(&choice.shown, &named, style));
    blocks.extend(not_checked(window, diagnosis, style));
    let mut last = checked(window, diagnosis);
    if findings::proofs_left_out(&choice.shown, style) {
        last.push_str(" More proofs, ids and times: -o wide.");
    }
    blocks.push(wrap("", "", &last, style.width));
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

/// The lines that a reader sees first: the sentence, a blank line, the command and its undo.
const FIRST_LINES: usize = 6;

/// The lines of a sentence that names several problems; a longer one is not read.
const SENTENCE_LINES: usize = 3;

fn lines_of(texts: &[String]) -> usize {
    texts.iter().map(|text| text.lines().count()).sum()
}

/// The first sentence, and how many findings it names: as many as leave the command within the first lines.
fn headline(
    verdict: &Verdict<'_>,
    window: &EvidenceWindow,
    diagnosis: &Diagnosis,
    acts: usize,
    style: Style,
) -> (String, usize) {
    let with = |named: usize| {
        let sentences = verdict::sentences(verdict, diagnosis, window, named);
        wrap(
            "",
            "",
            &format!("{}: {sentences}", window.node.name),
            style.width,
        )
    };
    let room = FIRST_LINES.saturating_sub(1 + acts).min(SENTENCE_LINES);
    let fitting = (2..=verdict::NAMED)
        .rev()
        .map(|named| (with(named), named))
        .find(|(text, _)| text.lines().count() <= room);
    let (text, named) = fitting.unwrap_or_else(|| (with(1), 1));
    let severity = verdict.severity();
    let text = match severity > Severity::Info {
        true => paint_all(&text, severity, style),
        false => text,
    };
    (text, named)
}

/// Every line in the colour of a severity, so that no escape sequence spans a line break.
fn paint_all(text: &str, severity: Severity, style: Style) -> String {
    let lines = text.lines();
    let painted = lines.map(|line| {
        paint(
            line.to_owned(),
            line,
            severity_style(severity),
            style.colour,
        )
    });
    painted.collect::<Vec<_>>().join("\n")
}

/// The advice where the kernel refused because a capability is missing.
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
    let lacks_capability =
        |why: &Why| matches!(why, Why::Permission { capabilities } if !capabilities.is_empty());
    if window.drops.why().is_some_and(lacks_capability) {
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

/// The events that UnhandledProtocol finds and that come so seldom that a shorter window may miss them: the default
/// intervals of LLDP (IEEE 802.1AB, msgTxInterval) and of CDP.
const SLOW_EVENTS: [(u64, &str); 2] = [(30_000, "LLDP: every 30 s"), (60_000, "CDP: every 60 s")];
