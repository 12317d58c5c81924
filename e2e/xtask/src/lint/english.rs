//! The mechanical part of plain English, for readers whose first language is another one.
//!
//! A doc comment begins with a noun phrase or a third-person verb, and comments, strings and documents use the common
//! word for a thing. The rest of good English is for reviewers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{files, prose};

/// A word or a phrase that is not used, and its replacement.
struct Rule {
    /// The words, in lower case.
    phrase: &'static str,
    instead: &'static str,
    /// Words before it in a sentence that make another, common phrase of it.
    unless_after: &'static [&'static str],
}

const fn rule(phrase: &'static str, instead: &'static str) -> Rule {
    Rule {
        phrase,
        instead,
        unless_after: &[],
    }
}

/// Few: those that stood here often, and that a dictionary does not explain well.
const RULES: [Rule; 16] = [
    Rule {
        // To leave something as it is.
        unless_after: &["leave", "leaves", "leaving", "left"],
        ..rule("alone", "`only`, or `by itself`")
    },
    rule("mend", "`fix`"),
    rule("mends", "`fixes`"),
    rule("mended", "`fixed`"),
    rule("mending", "`fixing`"),
    rule("so-manieth", "the number"),
    rule("but for", "`except` or `except for`"),
    rule("all but", "`except`, or `almost`"),
    rule("nothing but", "`only`"),
    rule(", since", "`because`, or `from .. on` for a time"),
    rule("in vain", "`without success`"),
    rule("for want of", "`without`"),
    rule("as yet", "`so far`"),
    rule("hence", "`so`, or `from now`"),
    rule("whence", "`from which`"),
    rule("thereby", "`so`, or `by this`"),
];

/// First words of a question, which a doc comment answers and does not ask.
const QUESTIONS: [&str; 6] = ["What", "How", "Whether", "When", "Where", "Whose"];

/// Not read: the folder in which the words that are looked for stand, and a page that a run of the scenarios writes,
/// with their names and what an agent said then.
const NOT_READ: [&str; 2] = ["e2e/xtask/src/lint/", "docs/kernels.md"];

/// Reads all files of a checkout that people read; returns a line for each word to replace.
pub fn check_folder(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files::of_checkout(root)?
        .iter()
        .filter(|path| is_read(path))
    {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| format!("failed to read {path}"))?;
        found.extend(check(path, &text));
    }
    Ok(found)
}

fn is_read(path: &str) -> bool {
    let ends_with = |ending: &[&str]| ending.iter().any(|ending| path.ends_with(ending));
    !NOT_READ.iter().any(|begin| path.starts_with(begin))
        && match path.split('/').next() {
            Some("charts" | "examples") => ends_with(&[".yaml", ".tpl", ".txt", ".json", ".md"]),
            _ => ends_with(&[".rs", ".md"]),
        }
}

/// Lists the words to replace in one file, as `file:line: word: what to write`.
fn check(path: &str, source: &str) -> Vec<String> {
    let is_rust = path.ends_with(".rs");
    let prose = if is_rust {
        prose::of_rust(source)
    } else {
        prose::of_text(source)
    };
    let mut found = if is_rust {
        questions(source)
    } else {
        Vec::new()
    };
    for rule in &RULES {
        let offsets = offsets(&prose, rule.phrase).into_iter();
        let offsets = offsets.filter(|at| !has_before(&prose[..*at], rule.unless_after));
        found.extend(offsets.map(|at| {
            let line = prose[..at].matches('\n').count() + 1;
            (line, format!("`{}`: write {}", rule.phrase, rule.instead))
        }));
    }
    found.sort();
    let line = |(line, what): (usize, String)| format!("{path}:{line}: {what}");
    found.into_iter().map(line).collect()
}

/// Finds the doc comments that begin with a question.
fn questions(source: &str) -> Vec<(usize, String)> {
    let mut before = None;
    let mut found = Vec::new();
    for (line, text) in (1..).zip(source.lines()) {
        let text = text.trim_start();
        let marker = ["///", "//!"]
            .into_iter()
            .find(|marker| text.starts_with(marker));
        if let Some(marker) = marker.filter(|marker| before != Some(*marker)) {
            let first = text[marker.len()..].split_whitespace().next();
            if let Some(first) = first.filter(|first| QUESTIONS.contains(first)) {
                let what = format!("`{first}`: begin a doc comment with a noun phrase or a verb");
                found.push((line, what));
            }
        }
        before = marker;
    }
    found
}

/// Finds a phrase where it stands as words of its own, over the ends of lines too.
fn offsets(prose: &str, phrase: &str) -> Vec<usize> {
    let lower = prose.to_ascii_lowercase();
    let mut words = phrase.split(' ');
    let first = words.next().unwrap_or_default();
    let found = lower.match_indices(first).map(|(at, _)| at).filter(|at| {
        // A part of a name, such as `nics::first`, is no word.
        let before = lower[..*at].chars().next_back();
        let is_begin = !before.is_some_and(|before| is_of_name(before) || "-:./".contains(before));
        let mut rest = &lower[at + first.len()..];
        let follows = words.clone().all(|word| {
            let next = rest.trim_start();
            let is_next = next.len() < rest.len() && next.starts_with(word);
            rest = next.get(word.len()..).unwrap_or_default();
            is_next
        });
        let ends = !rest.starts_with(|after| is_of_name(after) || "-/".contains(after));
        (is_begin || first == ",") && follows && ends
    });
    found.collect()
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// True if one of the words stands in the sentence that is not at its end yet.
fn has_before(before: &str, words: &[&str]) -> bool {
    let sentence = before.rsplit(['.', ':', ';', '(', '|']).next();
    let mut said = sentence
        .unwrap_or_default()
        .split(|character: char| !character.is_alphanumeric());
    said.any(|word| words.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_rust(source: &str, expected: &[&str]) {
        assert_eq!(check("a.rs", source), expected, "{source}");
    }

    #[test]
    fn a_doc_comment_that_begins_with_a_question_is_found() {
        let begin = "begin a doc comment with a noun phrase or a verb";
        check_rust(
            "/// What it is.\nstruct A;",
            &[&format!("a.rs:1: `What`: {begin}")],
        );
        check_rust(
            "//! Whether so.\n",
            &[&format!("a.rs:1: `Whether`: {begin}")],
        );
        check_rust("struct A {\n    /// When.\n    /// How long.\n}", &[]);
        check_rust(
            "//! A.\n/// How long.\n",
            &[&format!("a.rs:2: `How`: {begin}")],
        );
        check_rust(
            "/// The answer.\n/// Where it is follows.\n// What is next?",
            &[],
        );
        check_rust("/// Whatever comes.\n", &[]);
    }

    #[test]
    fn a_word_is_found_in_comments_and_strings_with_what_to_write() {
        let fix = "`mend`: write `fix`";
        check_rust("f(\"mend it\");", &[&format!("a.rs:1: {fix}")]);
        check_rust("\n// Mend it.", &[&format!("a.rs:2: {fix}")]);
        check_rust("let mend = amend(commend);", &[]);
        check_rust("f(\"recommend, amends, mend_it, x::mend, mend/it\")", &[]);
        let found = check("docs/a.md", "Nothing to do.\n\n| mended |\n");
        assert_eq!(found, ["docs/a.md:3: `mended`: write `fixed`"]);
        let found = check("charts/a.yaml", "a: 1 # all, but\n# for one\n");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_phrase_is_found_over_the_ends_of_lines_and_at_its_first_one() {
        let line = "a.rs:1: `but for`: write `except` or `except for`";
        check_rust("/// Quiet but\n/// for one.", &[line]);
        check_rust("f(\"quiet but \\\n   for one\")", &[line]);
        check_rust(
            "f(\"but\", \"for\"); // but\nfor x in y {} // it is but one",
            &[],
        );
        check_rust("// butfor, but forty", &[]);
        let since = "a.rs:1: `, since`: write `because`, or `from .. on` for a time";
        check_rust("// It ends, since it must.", &[since]);
        check_rust("// It has run since noon.", &[]);
    }

    #[test]
    fn to_leave_something_as_it_is_is_no_fault() {
        check_rust("// Leave it\n// alone.", &[]);
        check_rust("// Leaves what lies below alone.", &[]);
        let only = "a.rs:1: `alone`: write `only`, or `by itself`";
        check_rust("// It was left. One alone stays.", &[only]);
        check_rust("// Read by it alone.", &[only]);
    }

    #[test]
    fn only_files_that_people_read_are_read() {
        for path in [
            "README.md",
            "agent/src/a.rs",
            "charts/a/values.yaml",
            "docs/checks/A.md",
        ] {
            assert!(is_read(path), "{path}");
        }
        for path in [
            "Cargo.toml",
            "crds/src/a.yaml",
            "e2e/xtask/src/lint/english.rs",
            "a.gz",
        ] {
            assert!(!is_read(path), "{path}");
        }
    }
}
