//! The first lines under the verdict: what to type and where, and how to take it back.

use netdiag_crds::report::{Finding, LedgerEntry, Remedy, RunResult, acts, answer, remedy_kind};
use netdiag_diagnosis::text::printable;

use super::{
    ledger::is_open,
    text::{hang, wrap_command},
};
use crate::wording::sentence;

/// Columns of the labels with their indentation.
const LABEL: usize = 9;
/// The room between a command and the note beside it.
const GAP: usize = 4;

/// The lines `Do` and `Undo`; none where nothing is to be done.
pub(super) fn act(result: &RunResult, about: &[&Finding], node: &str, width: usize) -> Vec<String> {
    let Some(finding) = about.first() else {
        let ledger = &result.ledger;
        let verdict = result.verdict.as_ref();
        let is_clear = verdict.is_some_and(|verdict| verdict.answer == answer::CLEAR);
        return match is_clear && !ledger.is_empty() && !ledger.iter().any(is_open) {
            true => vec![nothing(ledger, width)],
            false => Vec::new(),
        };
    };
    let Some(first) = finding.remedies.first() else {
        return Vec::new();
    };
    let mut remedies = finding.remedies.iter();
    let typed = remedies.find_map(|remedy| Some((remedy, remedy.command.as_ref()?)));
    let advice = |name: &str| hang(&label(name), &sentence(&first.text), width);
    let typed = typed.map(|(remedy, command)| (remedy.kind.as_deref(), remedy, command));
    // Advice may be the best that there is. A command that ends it stands above, so that it is read at once, one that
    // only looks under it.
    match typed {
        None => vec![advice("Do")],
        Some((Some(remedy_kind::LOOK), remedy, command)) if first.command.is_none() => {
            let mut lines = vec![advice("Do")];
            lines.extend(command_lines("Look", command, remedy, finding, node, width));
            lines
        }
        Some((_, remedy, command)) => {
            let mut lines = command_lines("Do", command, remedy, finding, node, width);
            if first.command.is_none() {
                lines.push(advice("Or"));
            }
            lines
        }
    }
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
    let undo = remedy.undo.as_ref();
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
    match remedy.kind.as_deref() {
        Some(remedy_kind::LOOK) => return format!("on {node}; changes nothing"),
        Some(_) => {}
        // An older agent does not tell what changes something.
        None => return format!("on {node}"),
    }
    let lasts = match finding.subject.netns {
        Some(_) => "until reboot or until its pod ends",
        None => "until reboot",
    };
    let mut note = match remedy.acts.as_deref() {
        Some(acts::NEXT_SOCKET) => format!("on {node}, {lasts}; then restart the program"),
        Some(acts::NEXT_LISTEN) => {
            format!("on {node}, {lasts}; then restart the program that listens")
        }
        Some(acts::ELSEWHERE) => format!("on {}", remedy.place.as_deref().unwrap_or_default()),
        _ => format!("on {node}, {lasts}"),
    };
    if remedy.undo.is_none() {
        note.push_str("; no command takes it back");
    }
    note
}

/// The advice where nobody misses what the counters have.
fn nothing(ledger: &[LedgerEntry], width: usize) -> String {
    let mut counters: Vec<&str> = ledger.iter().map(|entry| entry.counter.as_str()).collect();
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
