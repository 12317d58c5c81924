//! The first lines under the verdict: what to type and where, and how to take it back.

use netdiag_diagnosis::{
    finding::{Acts, Change, Finding, Remedy},
    ledger::LedgerEntry,
    text::printable,
    verdict::Verdict,
};

use super::{
    ledger::is_open,
    text::{hang, sentence, wrap_command},
};

/// Columns of the labels with their indentation.
const LABEL: usize = 9;
/// The room between a command and the note beside it.
const GAP: usize = 4;

/// The lines `Do` and `Undo`; none where nothing is to be done.
pub(super) fn act(
    verdict: &Verdict<'_>,
    ledger: &[LedgerEntry],
    node: &str,
    width: usize,
) -> Vec<String> {
    let findings = verdict.findings();
    let Some(finding) = findings.first() else {
        return match verdict {
            Verdict::Clear if !ledger.is_empty() && !ledger.iter().any(is_open) => {
                vec![nothing(ledger, width)]
            }
            _ => Vec::new(),
        };
    };
    let Some(first) = finding.remedies.first() else {
        return Vec::new();
    };
    let mut remedies = finding.remedies.iter();
    let typed = remedies.find_map(|remedy| Some((remedy, remedy.command.as_ref()?)));
    // Advice may be the best that there is; what can be typed comes under it.
    let mut lines = Vec::new();
    if first.command.is_none() {
        lines.push(hang(&label("Do"), &sentence(&first.text), width));
    }
    if let Some((remedy, command)) = typed {
        let name = match (&remedy.change, lines.is_empty()) {
            (_, true) => "Do",
            (Some(_), false) => "Or",
            (None, false) => "Look",
        };
        lines.extend(command_lines(name, command, remedy, finding, node, width));
    }
    lines
}

/// A command with its undo, and where and until when it acts.
fn command_lines(
    name: &str,
    command: &str,
    remedy: &Remedy,
    finding: &Finding,
    node: &str,
    width: usize,
) -> Vec<String> {
    let indent = " ".repeat(LABEL);
    let labelled = |name: &str, command: &str| {
        let wrapped = wrap_command(&indent, command, width);
        let rest = wrapped.get(LABEL..).unwrap_or_default();
        format!("{}{rest}", label(name))
    };
    let mut lines = vec![labelled(name, command)];
    let undo = remedy
        .change
        .as_ref()
        .and_then(|change| change.undo.as_ref());
    lines.extend(undo.map(|undo| labelled("Undo", undo)));
    let note = note(remedy, finding, node);
    let note = printable(&note);
    // Beside the first command that leaves room.
    let measure = textwrap::core::display_width;
    let fits =
        |line: &&mut String| !line.contains('\n') && measure(line) + GAP + measure(&note) <= width;
    match lines.iter_mut().find(fits) {
        Some(line) => line.push_str(&format!("{}{note}", " ".repeat(GAP))),
        None => lines.push(hang(&indent, &note, width)),
    }
    lines
}

/// The place where it must run, and the time until which it lasts.
fn note(remedy: &Remedy, finding: &Finding, node: &str) -> String {
    let Some(change) = &remedy.change else {
        return format!("on {node}; changes nothing");
    };
    let lasts = match finding.subject.netns {
        Some(_) => "until reboot or until its pod ends",
        None => "until reboot",
    };
    let mut note = match &change.acts {
        Acts::Now => format!("on {node}, {lasts}"),
        Acts::NextSocket => format!("on {node}, {lasts}; then restart the program"),
        Acts::NextListen => format!("on {node}, {lasts}; then restart the program that listens"),
        Acts::Elsewhere(host) => format!("on {host}"),
    };
    if let Change { undo: None, .. } = change {
        note.push_str("; no command takes it back");
    }
    note
}

/// The advice where nobody misses what the counters have.
fn nothing(ledger: &[LedgerEntry], width: usize) -> String {
    let mut counters: Vec<&str> = ledger.iter().map(|entry| entry.counter).collect();
    counters.sort_unstable();
    counters.dedup();
    let text = format!(
        "nothing; leave benign drops out of the alert on {}",
        counters.join(", ")
    );
    hang(&label("Do"), &text, width)
}

/// A label with its indentation.
pub(super) fn label(name: &str) -> String {
    format!("  {name:<room$}", room = LABEL - 2)
}
