//! One block a finding: what, whether it hurts, the proof, why, and what ends it.

use std::collections::BTreeMap;

use netdiag_diagnosis::{
    finding::{Finding, FindingId, Proof, Remedy, Severity},
    text::printable,
};

use super::{
    Style,
    text::{hang, paint, seconds, sentence, severity_style, wrap, wrap_command},
};

/// Columns of the labels (`Impact`, `Because`) with their indentation.
const LABEL: usize = 13;
const INDENT: &str = "    ";

/// How many of one kind are told in full; the others repeat what these say, for another device.
fn told_in_full(severity: Severity) -> usize {
    match severity {
        Severity::Info => 2,
        Severity::Warning | Severity::Critical => 5,
    }
}

/// All findings, numbered, in the order given.
pub(super) fn findings(findings: &[Finding], style: Style) -> Vec<String> {
    let numbers: BTreeMap<&FindingId, usize> = findings
        .iter()
        .enumerate()
        .map(|(index, finding)| (&finding.id, index + 1))
        .collect();
    let mut told: BTreeMap<(&str, &str, Severity), usize> = BTreeMap::new();
    let mut blocks: Vec<String> = Vec::new();
    let mut last_was_short = false;
    for (index, finding) in findings.iter().enumerate() {
        let told = told
            .entry((
                finding.check().name,
                finding.cause.name(),
                finding.severity(),
            ))
            .or_default();
        *told += 1;
        let short = !style.wide && *told > told_in_full(finding.severity());
        let block = if short {
            in_short(index + 1, finding, style)
        } else {
            in_full(index + 1, finding, &numbers, findings, style)
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
        format!("[{number}] {}", finding.severity().as_str()),
        format!("{}/{}", finding.check().name, finding.cause),
    ];
    parts.extend(
        [
            subject.interface.clone(),
            subject.protocol.clone(),
            subject.place(),
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
    let severity = finding.severity();
    paint(
        text,
        severity.as_str(),
        severity_style(severity),
        style.colour,
    )
}

fn in_short(number: usize, finding: &Finding, style: Style) -> String {
    let line = format!(
        "{}: {}",
        heading(number, finding),
        sentence(&finding.text.headline)
    );
    let mut text = painted(wrap("", INDENT, &line, style.width), finding, style);
    let command = finding
        .remedies
        .first()
        .and_then(|remedy| remedy.command.as_deref())
        .filter(|_| finding.severity() > Severity::Info);
    if let Some(command) = command {
        text.push('\n');
        text.push_str(&wrap_command("       ", command, style.width));
    }
    text
}

fn in_full(
    number: usize,
    finding: &Finding,
    numbers: &BTreeMap<&FindingId, usize>,
    all: &[Finding],
    style: Style,
) -> String {
    let width = style.width;
    let title = format!(
        "{}  ({})",
        heading(number, finding),
        finding.confidence.as_str().to_lowercase()
    );
    let mut lines = vec![painted(wrap("", INDENT, &title, width), finding, style)];
    let explanation = if finding.text.what.is_empty() {
        &finding.text.headline
    } else {
        &finding.text.what
    };
    lines.push(wrap(INDENT, INDENT, &sentence(explanation), width));
    if !finding.text.hurts.is_empty() {
        lines.push(hang(
            &label("Impact"),
            &sentence(&finding.text.hurts),
            width,
        ));
    }
    let mut previous = "";
    for (name, text) in &finding.details {
        let name = if *name == previous { "" } else { *name };
        lines.push(hang(&label(name), text, width));
        if !name.is_empty() {
            previous = name;
        }
    }
    lines.extend(proofs(finding, width));
    for cause in &finding.caused_by {
        lines.push(hang(
            &label("Because"),
            &because(cause, numbers, all),
            width,
        ));
    }
    lines.extend(remedies(&finding.remedies, width));
    if style.wide {
        lines.push(hang(&label("Id"), finding.id.as_str(), width));
        lines.push(hang(&label("Seen"), &seen(finding), width));
        lines.push(hang(&label("Docs"), &finding.check().docs(), width));
    }
    lines.join("\n")
}

fn label(name: &str) -> String {
    let room = LABEL - INDENT.len();
    if name.len() < room {
        format!("{INDENT}{name:<room$}")
    } else {
        format!("{INDENT}{name} ")
    }
}

/// The facts, with where each was read in a column of its own.
fn proofs(finding: &Finding, width: usize) -> Vec<String> {
    let rows: Vec<(String, String)> = finding
        .evidence
        .iter()
        .map(|proof| {
            let fact = format!("{}: {}{}", proof.name, proof.value, unit(proof));
            (
                printable(&fact).into_owned(),
                printable(&proof.source).into_owned(),
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
fn unit(proof: &Proof) -> String {
    match (proof.unit, proof.value.as_str()) {
        ("", _) => String::new(),
        (unit, "1") => format!(" {}", unit.strip_suffix('s').unwrap_or(unit)),
        (unit, _) => format!(" {unit}"),
    }
}

fn because(cause: &FindingId, numbers: &BTreeMap<&FindingId, usize>, all: &[Finding]) -> String {
    let found = numbers
        .get(cause)
        .and_then(|number| all.get(number - 1).map(|finding| (number, finding)));
    match found {
        Some((number, finding)) => {
            let why = if finding.consequence.is_empty() {
                &finding.text.headline
            } else {
                &finding.consequence
            };
            format!("[{number}] {}", sentence(why))
        }
        None => cause.as_str().to_owned(),
    }
}

fn remedies(remedies: &[Remedy], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, remedy) in remedies.iter().enumerate() {
        let name = if index == 0 { "Remedy" } else { "" };
        let number = if remedies.len() > 1 {
            format!("{}. ", index + 1)
        } else {
            String::new()
        };
        let prefix = format!("{}{number}", label(name));
        let end = if remedy.command.is_some() { ":" } else { "." };
        let text = remedy.text.trim_end_matches(['.', ':']);
        lines.push(hang(&prefix, &format!("{text}{end}"), width));
        let indent = " ".repeat(prefix.len());
        if let Some(command) = &remedy.command {
            lines.push(wrap_command(&indent, command, width));
        }
        if let Some(effect) = &remedy.effect {
            lines.push(hang(&format!("{indent}Effect: "), &sentence(effect), width));
        }
    }
    lines
}

fn seen(finding: &Finding) -> String {
    if finding.count == 0 {
        return "a state, not an event".to_owned();
    }
    let first = seconds(finding.first_ms);
    if finding.count == 1 {
        return format!("once, {first} after the start");
    }
    format!(
        "{} times, first {first} and last {} after the start",
        finding.count,
        seconds(finding.last_ms)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::text;
    use netdiag_diagnosis::{
        causes::PEER_MTU_SMALLER,
        finding::{Assessment, Culprit, Harm, Subject},
    };

    #[test]
    fn one_is_not_many() {
        let unit_of = |value: u64| unit(&Proof::new("seen", value, "packets", "kfree_skb"));
        assert_eq!(
            (unit_of(1), unit_of(2)),
            (" packet".into(), " packets".into())
        );

        let mut finding = Finding::new(
            &PEER_MTU_SMALLER,
            Assessment::of(Harm::Outage).by(Culprit::Here),
            Subject::default(),
            text("veth1 loses packets", "Its peer takes less.", "Everybody."),
        );
        finding.count = 1;
        assert_eq!(seen(&finding), "once, 0 s after the start");
    }
}
