//! One block a finding: what, whom it hurts, what ends it, the proof, why.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use netdiag_crds::{
    harm::{Culprit, Harm},
    report::{Evidence, Finding, Subject},
    severity::Severity,
};
use netdiag_diagnosis::text::printable;

use super::{
    Style, remedies, severity,
    text::{hang, paint, severity_style, wrap, wrap_command},
};
use crate::wording::sentence;

/// Columns of the labels (`What`, `Because`) with their indentation.
const LABEL: usize = 13;
const INDENT: &str = "    ";
/// Proofs of a finding without `-o wide`.
const PROOFS: usize = 2;

/// The number of findings of one kind that are told in full; the others repeat what these say, for another device.
fn told_in_full(severity: Severity) -> usize {
    match severity {
        Severity::Info => 2,
        Severity::Warning | Severity::Critical => 5,
    }
}

/// The findings that are shown, by id, with their numbers.
type Numbered<'a> = BTreeMap<&'a str, (usize, &'a Finding)>;

/// The context that the blocks of findings share.
struct Context<'a> {
    numbers: Numbered<'a>,
    /// Their headlines stand in the first sentence.
    named: &'a [&'a Finding],
    style: Style,
}

/// All these findings, numbered, in the order given. The headlines of the `named` stand in the first sentence.
pub(super) fn findings(findings: &[&Finding], named: &[&Finding], style: Style) -> Vec<String> {
    let numbers: Numbered<'_> = findings
        .iter()
        .enumerate()
        .map(|(index, finding)| (finding.id.as_str(), (index + 1, *finding)))
        .collect();
    let context = Context {
        numbers,
        named,
        style,
    };
    let mut told: BTreeMap<(&str, &str, Severity), usize> = BTreeMap::new();
    let mut blocks: Vec<String> = Vec::new();
    let mut last_was_short = false;
    for (index, finding) in findings.iter().enumerate() {
        let told = told
            .entry((
                finding.check.as_str(),
                finding.cause.as_str(),
                severity(finding),
            ))
            .or_default();
        *told += 1;
        let short = !style.wide && *told > told_in_full(severity(finding));
        let block = if short {
            in_short(index + 1, finding, style)
        } else {
            in_full(index + 1, finding, &context)
        };
        match blocks.last_mut() {
            Some(last) if short && last_was_short => {
                last.push('\n');
                last.push_str(&block);
            }
            _ => blocks.push(block),
        }
        last_was_short = short;
    }
    blocks
}

fn heading(number: usize, finding: &Finding) -> String {
    let subject = &finding.subject;
    let mut parts = vec![
        format!("[{number}] {}", finding.severity),
        format!("{}/{}", finding.check, finding.cause),
    ];
    parts.extend(
        [
            subject.interface.clone(),
            subject.protocol.clone(),
            owner(subject),
            subject
                .container
                .as_ref()
                .map(|name| format!("container {name}")),
            subject.process.clone(),
        ]
        .into_iter()
        .flatten(),
    );
    parts.join("  ")
}

fn painted(text: String, finding: &Finding, style: Style) -> String {
    let colour = severity_style(severity(finding));
    paint(text, &finding.severity, colour, style.colour)
}

fn in_short(number: usize, finding: &Finding, style: Style) -> String {
    let line = format!(
        "{}: {}",
        heading(number, finding),
        sentence(&finding.summary)
    );
    let mut text = painted(wrap("", INDENT, &line, style.width), finding, style);
    let command = finding
        .remedies
        .first()
        .and_then(|remedy| remedy.command.as_deref())
        .filter(|_| severity(finding) > Severity::Info);
    if let Some(command) = command {
        text.push('\n');
        text.push_str(&wrap_command("       ", command, style.width));
    }
    text
}

fn in_full(number: usize, finding: &Finding, context: &Context<'_>) -> String {
    let Style { width, wide, .. } = context.style;
    let mut title = format!(
        "{}  ({})",
        heading(number, finding),
        finding.confidence.to_lowercase()
    );
    title.push_str(&effects(finding, &context.numbers));
    let mut lines = vec![painted(
        wrap("", INDENT, &title, width),
        finding,
        context.style,
    )];
    lines.push(hang(&label("What"), &what(finding, context), width));
    if let Some(impact) = &finding.impact {
        lines.push(hang(&label("Hurts"), &sentence(impact), width));
    }
    lines.extend(remedies::remedies(&finding.remedies, &label("Do"), width));
    lines.extend(proofs(finding, context.style));
    let mut previous = "";
    for detail in finding.evidence.iter().filter(|fact| is_detail(fact)) {
        let name = match detail.name.as_str() {
            name if name == previous => "",
            name => name,
        };
        lines.push(hang(&label(name), &detail.value, width));
        if !name.is_empty() {
            previous = name;
        }
    }
    for cause in &finding.caused_by {
        let because = because(cause, &context.numbers);
        lines.push(hang(&label("Because"), &because, width));
    }
    if wide {
        lines.push(hang(&label("Harm"), &harm(finding), width));
        lines.push(hang(&label("Id"), &finding.id, width));
        lines.push(hang(&label("Seen"), &seen(finding), width));
        let docs = finding.docs.as_ref();
        lines.extend(docs.map(|docs| hang(&label("Docs"), docs, width)));
    }
    lines.join("\n")
}

/// The mechanism, behind the headline where that has not been said.
fn what(finding: &Finding, context: &Context<'_>) -> String {
    let headline = finding.summary.trim_end_matches('.');
    let what = finding.explanation.as_deref().unwrap_or_default();
    let is_named = context.named.iter().any(|named| named.id == finding.id);
    let is_said = is_named || begin_alike(headline, what);
    match (is_said, what.is_empty()) {
        (true, false) => sentence(what),
        (_, true) => sentence(headline),
        (false, false) if headline.is_empty() => sentence(what),
        (false, false) => format!("{} {}", sentence(headline), sentence(what)),
    }
}

/// The first words from which two sentences are taken to say the same.
const WORDS_ALIKE: usize = 4;

fn begin_alike(one: &str, other: &str) -> bool {
    let begin = |text: &str| {
        let words = text.split_whitespace().take(WORDS_ALIKE);
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    begin(one) == begin(other)
}

/// `, causes [1] (Critical)`: the findings that name this one and are worse.
fn effects(finding: &Finding, numbers: &Numbered<'_>) -> String {
    let mut worse: Vec<(usize, Severity)> = numbers
        .values()
        .filter(|(_, other)| other.caused_by.contains(&finding.id))
        .map(|(number, other)| (*number, severity(other)))
        .filter(|(_, worse)| *worse > severity(finding))
        .collect();
    worse.sort_unstable();
    let worse: Vec<String> = worse
        .iter()
        .map(|(number, severity)| format!("[{number}] ({})", severity.as_str()))
        .collect();
    match worse.is_empty() {
        true => String::new(),
        false => format!("  causes {}", worse.join(", ")),
    }
}

fn label(name: &str) -> String {
    let room = LABEL - INDENT.len();
    let name = printable(name);
    if name.len() < room {
        format!("{INDENT}{name:<room$}")
    } else {
        format!("{INDENT}{name} ")
    }
}

/// A labelled line of its own, such as `Sender`: only these name no source.
fn is_detail(fact: &Evidence) -> bool {
    fact.source.is_none()
}

/// The owner of a namespace in a few words: the pod, the namespace's name or number; `None` for the node's own.
pub(super) fn owner(subject: &Subject) -> Option<String> {
    let netns = subject.netns.as_deref()?;
    Some(match &subject.pod {
        Some(pod) => format!("pod {}/{}", pod.namespace, pod.name),
        None if netns.starts_with("net:[") => netns.to_owned(),
        None => format!("netns {netns}"),
    })
}

/// The facts, with where each was read in a column of its own.
fn proofs(finding: &Finding, style: Style) -> Vec<String> {
    let width = style.width;
    let shown = match style.wide {
        true => finding.evidence.len(),
        false => PROOFS,
    };
    let rows: Vec<(String, String)> = finding
        .evidence
        .iter()
        .filter(|fact| !is_detail(fact))
        .take(shown)
        .map(|proof| {
            let fact = format!("{}: {}{}", proof.name, proof.value, unit(proof));
            (
                printable(&fact).into_owned(),
                printable(proof.source.as_deref().unwrap_or_default()).into_owned(),
            )
        })
        .collect();
    let measure = textwrap::core::display_width;
    let source = rows.iter().map(|(_, source)| measure(source)).max();
    let room = width.saturating_sub(LABEL + 2 + source.unwrap_or(0));
    let column = rows
        .iter()
        .map(|(fact, _)| measure(fact))
        .filter(|length| *length <= room)
        .max()
        .unwrap_or(0);
    rows.iter()
        .enumerate()
        .map(|(index, (fact, source))| {
            let line = format!("{fact:<column$}  {source}");
            let name = if index == 0 { "Proof" } else { "" };
            hang(&label(name), line.trim_end(), width)
        })
        .collect()
}

/// The unit behind its number: ` packets`, ` packet` for one, nothing where there is none.
fn unit(proof: &Evidence) -> String {
    match (
        proof.unit.as_deref().unwrap_or_default(),
        proof.value.as_str(),
    ) {
        ("", _) => String::new(),
        (unit, "1" | "+1") => format!(" {}", unit.strip_suffix('s').unwrap_or(unit)),
        (unit, _) => format!(" {unit}"),
    }
}

fn because(cause: &str, numbers: &Numbered<'_>) -> String {
    match numbers.get(cause) {
        Some((number, finding)) => {
            let why = finding.consequence.as_ref().unwrap_or(&finding.summary);
            format!("[{number}] {}", sentence(why))
        }
        None => cause.to_owned(),
    }
}

/// Proofs that are left out of the blocks of these findings.
pub(super) fn proofs_left_out(findings: &[&Finding], style: Style) -> bool {
    !style.wide
        && findings
            .iter()
            .map(|finding| finding.evidence.iter().filter(|fact| !is_detail(fact)))
            .any(|proofs| proofs.count() > PROOFS)
}

/// `Loss, 140 of 8141 packets; a change on this node ends it`.
fn harm(finding: &Finding) -> String {
    let mut text = finding.harm().as_str().to_owned();
    if finding.decision {
        text.push_str(" as meant: a decision");
    }
    match (finding.packets, finding.carried) {
        (Some(lost), Some(carried)) => {
            text.push_str(&format!(
                ", {lost} of {} packets",
                lost.saturating_add(carried)
            ));
        }
        (Some(1), None) => text.push_str(", 1 packet"),
        (Some(packets), None) => text.push_str(&format!(", {packets} packets")),
        (None, _) => {}
    }
    text.push_str(match (finding.culprit(), finding.harm()) {
        (_, Harm::None) | (Culprit::Unknown, _) => "",
        (Culprit::Here, _) => "; a change on this node ends it",
        (Culprit::Elsewhere, _) => "; only a change elsewhere ends it",
    });
    text
}

/// Times by the node's clock; the first one is that of all windows.
fn seen(finding: &Finding) -> String {
    if finding.count == 0 {
        return "a state, not an event".to_owned();
    }
    let at = |name: &str, time: &Option<Time>| {
        let time = time.as_ref()?;
        Some(format!("{name} {}", time.0))
    };
    let times = match finding.count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let first = at("first", &finding.first_seen);
    let last = at("last", &finding.last_seen).filter(|_| finding.count > 1);
    let parts = [Some(format!("{times} in the window")), first, last];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn one_is_not_many() {
        let unit_of = |value: &str| {
            unit(&Evidence {
                value: value.to_owned(),
                unit: Some("packets".to_owned()),
                ..Evidence::default()
            })
        };
        assert_eq!(
            (unit_of("1"), unit_of("2")),
            (" packet".into(), " packets".into())
        );

        let finding = Finding {
            count: 1,
            first_seen: Some(Time(Timestamp::UNIX_EPOCH)),
            last_seen: Some(Time(Timestamp::UNIX_EPOCH)),
            ..Finding::default()
        };
        assert_eq!(
            seen(&finding),
            "once in the window, first 1970-01-01T00:00:00Z"
        );
    }
}
