//! A report as text for people: verdict, ledger, findings, what was not checked. Pure.
//!
//! What was just diagnosed and what was stored are the same type, so that both give the same text.

mod act;
mod also;
mod choice;
mod findings;
mod ledger;
mod left_out;
mod listed;
mod remedies;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::{
    NodeNetReport,
    report::{Finding, RunResult, Unchecked},
    severity::Severity,
};

use choice::Choice;
use ledger::Rows;
use text::{hang, paint, severity_style, wrap};

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

/// The whole text of a report, ending with a line break: one text a result.
pub(crate) fn render(report: &NodeNetReport, style: Style) -> String {
    let status = report.status.as_ref();
    let name = report.metadata.name.as_deref().unwrap_or_default();
    let agent = status.and_then(|status| status.agent.as_ref());
    let node = agent
        .and_then(|agent| agent.host.as_deref())
        .unwrap_or(name);
    let results = status.map_or(&[][..], |status| status.results.as_slice());
    let texts: Vec<String> = match results {
        [] => vec![wrap(
            "",
            "",
            &format!("{node}: no verdict: no diagnosis has a result on this node."),
            style.width,
        )],
        [only] => vec![result(node, only, style)],
        several => several
            .iter()
            .map(|one| {
                let title = format!("Diagnosis {}", one.diagnosis);
                let title = wrap("", "", &title, style.width);
                format!("{title}\n\n{}", result(node, one, style))
            })
            .collect(),
    };
    let mut text = texts.join("\n\n");
    text.push('\n');
    text
}

/// The text of one result on the node of this name.
fn result(node: &str, result: &RunResult, style: Style) -> String {
    let about = about(result);
    let rows = Rows::of(&result.ledger, style.wide);
    let choice = match style.wide {
        true => Choice::all(&result.findings),
        false => Choice::of(&result.findings, &about, &rows.own),
    };
    let mut acts = act::act(result, &about, &choice.shown, node, style.width);
    let also = also::also(&choice.folded);
    if !also.is_empty() {
        acts.push(hang(&act::label("Also"), &also, style.width));
    }
    let mut blocks = vec![headline(node, result, &about, style)];
    if !acts.is_empty() {
        blocks.push(acts.join("\n"));
    }
    if !result.ledger.is_empty() {
        blocks.push(rows.text(style));
    }
    let named = result.verdict.as_ref().map_or(0, |verdict| verdict.named);
    let named = about.get(..usize::try_from(named).unwrap_or_default());
    blocks.extend(findings::findings(
        &choice.shown,
        named.unwrap_or(&about),
        style,
    ));
    blocks.extend(not_checked(result, style));
    blocks.extend(over(result, style));
    blocks.extend(last(result, &choice.shown, style));
    blocks.join("\n\n")
}

/// The findings that the verdict is about, the first one first.
fn about(result: &RunResult) -> Vec<&Finding> {
    let ids = result.verdict.iter().flat_map(|verdict| &verdict.about);
    ids.filter_map(|id| result.findings.iter().find(|finding| finding.id == *id))
        .collect()
}

/// The first sentences, in the colour of the worst that they are about.
fn headline(node: &str, result: &RunResult, about: &[&Finding], style: Style) -> String {
    let sentence = match &result.verdict {
        Some(verdict) => verdict.sentence.clone(),
        None => left_out::without_verdict(result),
    };
    let text = wrap("", "", &format!("{node}: {sentence}"), style.width);
    let severities = about.iter().map(|finding| severity(finding));
    match severities.max() {
        Some(worst) if worst > Severity::Info => paint_all(&text, worst, style),
        _ => text,
    }
}

fn severity(finding: &Finding) -> Severity {
    Severity::from_status(&finding.severity)
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

/// Checks that could not be made, those with one reason on one line.
fn not_checked(result: &RunResult, style: Style) -> Option<String> {
    if result.unchecked.is_empty() {
        return None;
    }
    // A check that could not be made at all is not "checked in part" for its other reasons.
    let whole: BTreeSet<&str> = result
        .unchecked
        .iter()
        .filter(|entry| !entry.partly)
        .map(|entry| entry.check.as_str())
        .collect();
    let shared = shared_reasons(&result.unchecked, style);
    let mut by_reason: BTreeMap<(bool, bool, &str), BTreeSet<&str>> = BTreeMap::new();
    for entry in &result.unchecked {
        let check = entry.check.as_str();
        let why = why(entry).filter(|why| shared.contains(why));
        by_reason
            .entry((
                !whole.contains(check),
                entry.too_rare,
                why.unwrap_or(&entry.reason),
            ))
            .or_default()
            .insert(check);
    }
    let mut lines = vec!["Not checked".to_owned()];
    for ((partly, too_rare, reason), checks) in by_reason {
        let checks: Vec<&str> = checks.into_iter().collect();
        let in_part = if partly && !too_rare {
            " checked in part;"
        } else {
            ""
        };
        let line = format!("{}:{in_part} {reason}", checks.join(", "));
        lines.push(wrap("  ", "    ", &line, style.width));
    }
    let next = result.verdict.as_ref().and_then(|one| one.next.as_ref());
    lines.extend(next.map(|next| wrap("  ", "    ", &format!("Next: {next}"), style.width)));
    Some(lines.join("\n"))
}

/// `the kernel gives no drop reasons`, of `sizes of lost packets: the kernel gives no drop reasons`; `None` for what comes
/// too seldom, whose reason is about one protocol.
fn why(entry: &Unchecked) -> Option<&str> {
    let (_, why) = entry.reason.split_once(": ")?;
    (!entry.too_rare).then_some(why)
}

/// The reasons that keep several checks from different evidence: a person reads them once, with `-o wide` each.
fn shared_reasons(unchecked: &[Unchecked], style: Style) -> BTreeSet<&str> {
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in unchecked.iter().filter(|_| !style.wide) {
        if let Some(why) = why(entry) {
            reasons.entry(why).or_default().insert(&entry.reason);
        }
    }
    reasons.retain(|_, whole| whole.len() > 1);
    reasons.into_keys().collect()
}

/// Findings of earlier windows that are over.
fn over(result: &RunResult, style: Style) -> Option<String> {
    if result.resolved.is_empty() {
        return None;
    }
    let mut lines = vec!["No longer found".to_owned()];
    for resolved in &result.resolved {
        let times = [
            ("first seen", &resolved.first_seen),
            ("last seen", &resolved.last_seen),
            ("over at", &resolved.resolved_time),
        ];
        let times = times.into_iter().filter_map(|(name, time)| {
            let time = time.as_ref()?;
            Some(format!("{name} {}", time.0))
        });
        let unsure = (resolved.resolved_time.is_none())
            .then(|| "no window could look for it since".to_owned());
        let times: Vec<String> = times.chain(unsure).collect();
        let line = format!("{}: {}", resolved.id, times.join(", "));
        lines.push(wrap("  ", "    ", &line, style.width));
    }
    Some(lines.join("\n"))
}

/// The last lines: what was checked, and what this text leaves out.
fn last(result: &RunResult, shown: &[&Finding], style: Style) -> Option<String> {
    let mut sentences = Vec::new();
    if let Some(verdict) = &result.verdict {
        sentences.push(format!("Checked: {}", verdict.checked));
    }
    if findings::proofs_left_out(shown, style) {
        sentences.push("More proofs, ids and times: -o wide.".to_owned());
    }
    sentences.extend(left_out::left_out(result));
    (!sentences.is_empty()).then(|| wrap("", "", &sentences.join(" "), style.width))
}
