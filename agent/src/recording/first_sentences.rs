//! docs/first-sentences.md: the first sentence about every recording, with the judgement of a person who has read it.
//!
//! `UPDATE_FIRST_SENTENCES=1 cargo test -p netdiag-agent first_sentence` writes the sentences of now; those that have
//! changed are `unread` until somebody judges them in the file.

use std::{collections::BTreeMap, fs, path::Path};

use netdiag_diagnosis::{EvidenceWindow, Settings, diagnose, finding::Severity, verdict::Verdict};

use super::testdata::recordings;
use crate::{
    diagnose::report,
    render::{Style, render},
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/first-sentences.md");
const UNREAD: &str = "unread";
const JUDGEMENTS: [&str; 2] = ["true", "false"];

const HEAD: &str = "\
# First sentences

The first sentence is what a tired person reads. Below it stands for every recording of a scenario, as the agent says it
today, with the judgement of somebody who read it beside what the scenario does: `true`, or `false` with the reason in
brackets. A test compares this page with the agent; a sentence that has changed is `unread` until it is judged again
(CONTRIBUTING.md).
";

/// A row of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    judgement: String,
    sentence: String,
}

/// `<check>/<kernel>/<scenario>`.
fn name(file: &Path) -> String {
    let parts: Vec<_> = file.iter().map(|part| part.to_string_lossy()).collect();
    let check = parts.iter().rev().nth(3);
    let kernel = parts.iter().rev().nth(1);
    let scenario = parts.last().map(|file| file.replace(".json.gz", ""));
    [
        check.map(ToString::to_string),
        kernel.map(ToString::to_string),
        scenario,
    ]
    .map(Option::unwrap_or_default)
    .join("/")
}

/// The first paragraph of the text for people, on one line.
fn first_sentence(window: &EvidenceWindow) -> String {
    let diagnosis = diagnose(window, &Settings::default());
    let text = render(&report(window, &diagnosis), Style::new(None, false, false));
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ")
}

fn sentences() -> BTreeMap<String, String> {
    let rows =
        recordings().map(|(file, recording)| (name(&file), first_sentence(&recording.evidence)));
    rows.collect()
}

/// The rows of the page: `- true | <recording> | <sentence>`.
fn rows(page: &str) -> BTreeMap<String, Row> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("- "));
    let rows = lines.filter_map(|line| {
        let mut cells = line.splitn(3, " | ");
        let (judgement, name, sentence) = (cells.next()?, cells.next()?, cells.next()?);
        let row = Row {
            judgement: judgement.to_owned(),
            sentence: sentence.to_owned(),
        };
        Some((name.trim_matches('`').to_owned(), row))
    });
    rows.collect()
}

fn page(rows: &BTreeMap<String, Row>) -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for (
        name,
        Row {
            judgement,
            sentence,
        },
    ) in rows
    {
        let check = name.split('/').next().unwrap_or_default();
        if check != section {
            page.push_str(&format!("\n## {check}\n\n"));
            section = check;
        }
        page.push_str(&format!("- {judgement} | `{name}` | {sentence}\n"));
    }
    page
}

#[test]
fn every_first_sentence_was_read_and_judged() {
    let now = sentences();
    let written = rows(&fs::read_to_string(PAGE).unwrap_or_default());
    if std::env::var_os("UPDATE_FIRST_SENTENCES").is_some() {
        let judged = |name: &String, sentence: &String| {
            let row = written.get(name).filter(|row| row.sentence == *sentence);
            row.map_or_else(|| UNREAD.to_owned(), |row| row.judgement.clone())
        };
        let rows = now.into_iter().map(|(name, sentence)| {
            let judgement = judged(&name, &sentence);
            (
                name,
                Row {
                    judgement,
                    sentence,
                },
            )
        });
        fs::write(PAGE, page(&rows.collect())).unwrap();
        return;
    }
    let mut wrong = Vec::new();
    for (name, sentence) in &now {
        match written.get(name) {
            Some(row) if row.sentence != *sentence => {
                wrong.push(format!(
                    "{name}\n  read: {}\n  now:  {sentence}",
                    row.sentence
                ));
            }
            Some(row)
                if !JUDGEMENTS
                    .iter()
                    .any(|judged| row.judgement.starts_with(judged)) =>
            {
                wrong.push(format!("{name} is {}", row.judgement));
            }
            Some(_) => {}
            None => wrong.push(format!("{name} is not on the page: {sentence}")),
        }
    }
    let gone = written.keys().filter(|name| !now.contains_key(*name));
    wrong.extend(gone.map(|name| format!("{name} is no recording any more")));
    assert!(
        wrong.is_empty(),
        "read these, then write them with UPDATE_FIRST_SENTENCES=1 and judge the rows that are `{UNREAD}`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_page_is_read_as_it_is_written() {
    let row = |judgement: &str, sentence: &str| Row {
        judgement: judgement.to_owned(),
        sentence: sentence.to_owned(),
    };
    let rows_of_page = BTreeMap::from([
        ("a/6.1/x".to_owned(), row("true", "node: 1 | 2 lost.")),
        (
            "b/6.1/y".to_owned(),
            row("false (it is late)", "node: fine."),
        ),
    ]);
    assert_eq!(rows(&page(&rows_of_page)), rows_of_page);
}

/// The lines within which a person must find what to do.
const FIRST_LINES: usize = 6;

/// The line of the first act above the findings' blocks, and that of the first command; lines count from 1.
#[derive(Debug)]
struct FirstLines {
    act: Option<usize>,
    command: Option<usize>,
}

impl FirstLines {
    fn of(text: &str, commands: &[&str]) -> Self {
        let head = (1..).zip(text.lines().take_while(|line| !line.starts_with('[')));
        let mut head = head.filter_map(|(number, line)| {
            let (label, behind) = line.strip_prefix("  ")?.split_once(' ')?;
            Some((number, label, behind.trim_start()))
        });
        let act = head.clone().find(|(_, label, _)| *label == "Do");
        let is_command = |behind: &str| {
            let begin: Vec<&str> = behind.split_whitespace().take(2).collect();
            commands
                .iter()
                .any(|command| command.starts_with(&begin.join(" ")))
        };
        let command = head.find(|(_, label, behind)| {
            ["Do", "Look"].contains(label) && is_command(behind.trim_end_matches(" \\"))
        });
        Self {
            act: act.map(|(line, ..)| line),
            command: command.map(|(line, ..)| line),
        }
    }
}

/// A call to act is found at once: a finding of Warning or worse, or one of the verdict with a remedy.
#[test]
fn what_to_do_stands_within_the_first_lines() {
    let mut late = Vec::new();
    let (mut acts, mut commands): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (file, recording) in recordings() {
        let window = &recording.evidence;
        let diagnosis = diagnose(window, &Settings::default());
        let text = render(&report(window, &diagnosis), Style::new(None, false, false));
        let verdict = Verdict::of(&diagnosis, window);
        let named = verdict.findings();
        let remedies = || named.iter().flat_map(|one| &one.remedies);
        // Beside what asks for an act, the first advice is enough.
        let asking = named.iter().filter(|one| one.severity() > Severity::Info);
        let first = named.iter().find(|one| !one.remedies.is_empty());
        let typed: Vec<&str> = asking
            .chain(first)
            .flat_map(|one| &one.remedies)
            .filter_map(|remedy| remedy.command.as_deref())
            .collect();
        let lines = FirstLines::of(&text, &typed);
        acts.extend(lines.act);
        commands.extend(lines.command);
        let (asks, is_typed) = (remedies().next().is_some(), !typed.is_empty());
        let is_late = |line: Option<usize>| line.is_none_or(|line| line > FIRST_LINES);
        if asks && is_late(lines.act) || is_typed && is_late(lines.command) {
            late.push(format!("{}: {lines:?}", name(&file)));
        }
    }
    for (what, lines) in [("act", &mut acts), ("command", &mut commands)] {
        lines.sort_unstable();
        println!(
            "{}: in {} recordings, at line {:?} in the median, {:?} at most",
            what,
            lines.len(),
            lines.get(lines.len() / 2),
            lines.last()
        );
    }
    assert!(late.is_empty(), "{}", late.join("\n"));
}

/// A colon does not end a sentence: what follows begins with a capital only where it is a name.
#[test]
fn no_ordinary_word_is_capital_behind_a_colon() {
    const NAMES: [&str; 4] = ["Ethernet", "Realtek", "Linux", "Cisco"];
    let mut wrong = Vec::new();
    for (file, recording) in recordings() {
        let window = &recording.evidence;
        let diagnosis = diagnose(window, &Settings::default());
        let text = render(&report(window, &diagnosis), Style::new(None, false, false));
        let head = text.lines().take_while(|line| !line.starts_with('['));
        let head: Vec<&str> = head.flat_map(str::split_whitespace).collect();
        let behind = head.windows(2).filter(|pair| pair[0].ends_with(':'));
        let is_ordinary = |word: &str| {
            let mut letters = word.chars();
            letters.next().is_some_and(char::is_uppercase)
                && letters.next().is_some_and(char::is_lowercase)
                && !NAMES.contains(&word)
        };
        let words = behind.filter(|pair| is_ordinary(pair[1]));
        wrong.extend(words.map(|pair| format!("{}: {}", name(&file), pair.join(" "))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
