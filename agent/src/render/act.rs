//! The first lines under the verdict: what to type and where, and how to take it back.

use netdiag_crds::{
    report::{Finding, Remedy, RunResult, acts, answer, place, remedy_kind},
    severity::Severity,
};
use netdiag_diagnosis::text::printable;

use super::{
    ledger::is_open,
    severity,
    text::{hang, wrap_command},
};
use crate::wording::sentence;

/// Columns of the labels with their indentation.
const LABEL: usize = 9;
/// The room between a command and the note beside it.
const GAP: usize = 4;

/// The finding that lines are about, and the number of its block where the verdict begins with another.
#[derive(Clone, Copy)]
struct Named<'a> {
    finding: &'a Finding,
    number: Option<usize>,
}

/// A remedy with its command.
type Typed<'a> = (&'a Remedy, &'a str);

/// The lines `Do` and `Undo`; none where nothing is to be done. `shown`: the findings with a block, by their numbers.
pub(super) fn act(
    result: &RunResult,
    about: &[&Finding],
    shown: &[&Finding],
    node: &str,
    width: usize,
) -> Vec<String> {
    let named = about.iter().enumerate().map(|(index, finding)| {
        let number = shown.iter().position(|one| one.id == finding.id);
        Named {
            finding,
            number: number.map(|at| at + 1).filter(|_| index > 0),
        }
    });
    let named: Vec<Named<'_>> = named.collect();
    let has_remedy = |one: &&Named<'_>| !one.finding.remedies.is_empty();
    let Some(one) = named.iter().find(has_remedy) else {
        return about_counters(result, about, width);
    };
    let Some(first) = one.finding.remedies.first() else {
        return Vec::new();
    };
    let advice = |name: &str| {
        let whose = one.number.map(|number| format!("[{number}] "));
        let text = format!("{}{}", whose.unwrap_or_default(), sentence(&first.text));
        hang(&label(name), &text, width)
    };
    let is_look = |remedy: &Remedy| remedy.kind.as_deref() == Some(remedy_kind::LOOK);
    // Advice may be the best that there is. A command that ends it stands above, so that it is read at once, one that
    // only looks under it.
    match typed(one.finding) {
        None => {
            let mut lines = vec![advice("Do")];
            // What asks for nothing needs no second look.
            let mut asking = named
                .iter()
                .filter(|other| severity(other.finding) > Severity::Info);
            let other = asking.find_map(|other| Some((other, typed(other.finding)?)));
            lines.extend(other.into_iter().flat_map(|(other, typed)| {
                let name = if is_look(typed.0) { "Look" } else { "Do" };
                command_lines(name, typed, *other, node, width)
            }));
            lines
        }
        Some(typed) if first.command.is_none() && is_look(typed.0) => {
            let mut lines = vec![advice("Do")];
            lines.extend(command_lines("Look", typed, *one, node, width));
            lines
        }
        Some(typed) => {
            let mut lines = command_lines("Do", typed, *one, node, width);
            if first.command.is_none() {
                lines.push(advice("Or"));
            }
            lines
        }
    }
}

/// The first command of a finding.
fn typed(finding: &Finding) -> Option<Typed<'_>> {
    let mut remedies = finding.remedies.iter();
    remedies.find_map(|remedy| Some((remedy, remedy.command.as_deref()?)))
}

/// The advice where no finding of the verdict has any, and nobody misses what the counters have.
fn about_counters(result: &RunResult, about: &[&Finding], width: usize) -> Vec<String> {
    let ledger = &result.ledger;
    let verdict = result.verdict.as_ref();
    let is_clear = verdict.is_some_and(|verdict| verdict.answer == answer::CLEAR);
    if ledger.is_empty() || ledger.iter().any(is_open) || (about.is_empty() && !is_clear) {
        return Vec::new();
    }
    let nothing = if is_clear { "nothing; " } else { "" };
    let mut counters: Vec<&str> = ledger.iter().map(|entry| entry.counter.as_str()).collect();
    counters.sort_unstable();
    counters.dedup();
    let text = format!(
        "{nothing}leave benign drops out of the alert on {}",
        counters.join(", ")
    );
    vec![hang(&label("Do"), &text, width)]
}

/// A command with its undo, and where and until when it acts.
fn command_lines(
    name: &str,
    (remedy, command): Typed<'_>,
    named: Named<'_>,
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
    let mut note = note(remedy, named.finding, node);
    if let Some(number) = named.number {
        note.push_str(&format!("; for [{number}]"));
    }
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
    let is_anywhere = remedy.place.as_deref() == Some(place::CLUSTER);
    let node = if is_anywhere { place::CLUSTER } else { node };
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

/// A label with its indentation.
pub(super) fn label(name: &str) -> String {
    format!("  {name:<room$}", room = LABEL - 2)
}
