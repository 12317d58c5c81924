//! The answer of a window as its report keeps it: decided once, so that the text is the same wherever it is shown.

use netdiag_crds::report::{WindowVerdict, answer};
use netdiag_diagnosis::{Diagnosis, EvidenceWindow, verdict::Verdict};

use super::{
    checked::{checked, next},
    sentences::{NAMED, named, sentences},
    text::escaped,
};

/// The longest first sentence that names several problems, in characters: three lines of 110 columns or four of 80, so
/// that a command stands within the first six lines. A longer one is not read.
const SENTENCE: usize = 300;

/// The answer of a diagnosis, uncut.
pub(super) fn verdict(diagnosis: &Diagnosis, window: &EvidenceWindow) -> WindowVerdict {
    let verdict = &Verdict::of(diagnosis, window);
    let with = |count| sentences(verdict, diagnosis, window, count);
    let fitting = (2..=NAMED)
        .rev()
        .map(|count| (with(count), count))
        .find(|(text, _)| text.chars().count() <= SENTENCE);
    let (sentence, count) = fitting.unwrap_or_else(|| (with(1), 1));
    let about = verdict.findings();
    WindowVerdict {
        answer: word(verdict).to_owned(),
        sentence: escaped(&sentence),
        about: about.iter().map(|one| escaped(one.id.as_str())).collect(),
        named: i64::try_from(named(verdict, count).min(about.len())).unwrap_or_default(),
        checked: escaped(&checked(diagnosis, window)),
        next: next(diagnosis, window),
    }
}

fn word(verdict: &Verdict<'_>) -> &'static str {
    match verdict {
        Verdict::Affected(_) => answer::AFFECTED,
        Verdict::Withheld(_) => answer::WITHHELD,
        Verdict::Slight(_) => answer::SLIGHT,
        Verdict::Unserved(_) => answer::UNSERVED,
        Verdict::Open(_) => answer::OPEN,
        Verdict::Costly(_) => answer::COSTLY,
        Verdict::Clear => answer::CLEAR,
    }
}
