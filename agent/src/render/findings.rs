//! One block a finding: what, whom it hurts, what ends it, the proof, why.

use std::collections::BTreeMap;

use netdiag_diagnosis::{
    finding::{Culprit, Finding, FindingId, Harm, Proof, Severity},
    text::printable,
};

use super::{
    Style, remedies,
    text::{hang, paint, seconds, sentence, severity_style, wrap, wrap_command},
};

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
type Numbered<'a> = BTreeMap<&'a FindingId, (usize, &'a Finding)>;

/// The context that the blocks of findings share.
struct Context<'a> {
    numbers: Numbered<'a>,
    /// Their headlines stand in the first sentence.
    named: &'a [&'a FindingId],
    style: Style,
}

/// All these findings, numbered, in the order given. The headlines of the `named` stand in the first sentence.
pub(super) fn findings(findings: &[&Finding], named: &[&FindingId], style: Style) -> Vec<String> {
    let numbers: Numbered<'_> = findings
        .iter()
        .enumerate()
        .map(|(index, finding)| (&finding.id, (index + 1, *finding)))
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

fn in_full(number: usize, finding: &Finding, context: &Context<'_>) -> String {
    let Style { width, wide, .. } = context.style;
    let mut title = format!(
        "{}  ({})",
        heading(number, finding),
        finding.confidence.as_str().to_lowercase()
    );
    title.push_str(&effects(finding, &context.numbers));
    let mut lines = vec![painted(
        wrap("", INDENT, &title, width),
        finding,
        context.style,
    )];
    lines.push(hang(&label("What"), &what(finding, context), width));
    if !finding.text.hurts.is_empty() {
        lines.push(hang(&label("Hurts"), &sentence(&finding.text.hurts), width));
    }
    lines.extend(remedies::remedies(&finding.remedies, &label("Do"), width));
    lines.extend(proofs(finding, context.style));
    let mut previous = "";
    for (name, text) in &finding.details {
        let name = if *name == previous { "" } else { *name };
        lines.push(hang(&label(name), text, width));
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
        lines.push(hang(&label("Id"), finding.id.as_str(), width));
        lines.push(hang(&label("Seen"), &seen(finding), width));
        lines.push(hang(&label("Docs"), &finding.check().docs(), width));
    }
    lines.join("\n")
}

/// The mechanism, behind the headline where that has not been said.
fn what(finding: &Finding, context: &Context<'_>) -> String {
    let headline = finding.text.headline.trim_end_matches('.');
    let what = &finding.text.what;
    let is_said = context.named.contains(&&finding.id) || begin_alike(headline, what);
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
        .map(|(number, other)| (*number, other.severity()))
        .filter(|(_, severity)| *severity > finding.severity())
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
    if name.len() < room {
        format!("{INDENT}{name:<room$}")
    } else {
        format!("{INDENT}{name} ")
    }
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
        .take(shown)
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

fn because(cause: &FindingId, numbers: &Numbered<'_>) -> String {
    match numbers.get(cause) {
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

/// Proofs that are left out of the blocks of these findings.
pub(super) fn proofs_left_out(findings: &[&Finding], style: Style) -> bool {
    !style.wide
        && findings
            .iter()
            .any(|finding| finding.evidence.len() > PROOFS)
}

/// `Loss, 140 of 8141 packets; a change on this node ends it`.
fn harm(finding: &Finding) -> String {
    let assessment = &finding.assessment;
    let mut text = assessment.harm.as_str().to_owned();
    if assessment.is_decision {
        text.push_str(" as meant: a decision");
    }
    match (assessment.share(), assessment.packets) {
        (Some(share), _) => text.push_str(&format!(
            ", {} of {} packets",
            share.lost,
            share.lost.saturating_add(share.carried)
        )),
        (None, Some(1)) => text.push_str(", 1 packet"),
        (None, Some(packets)) => text.push_str(&format!(", {packets} packets")),
        (None, None) => {}
    }
    text.push_str(match (assessment.culprit, assessment.harm) {
        (_, Harm::None) | (Culprit::Unknown, _) => "",
        (Culprit::Here, _) => "; a change on this node ends it",
        (Culprit::Elsewhere, _) => "; only a change elsewhere ends it",
    });
    text
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
