//! Strings that a node's users can choose (names, log lines, packets), made fit to print and to store.

use std::borrow::Cow;

use netdiag_diagnosis::text;

/// The text, safe to print.
pub(super) fn escaped(text: &str) -> String {
    text::printable(text).into_owned()
}

/// Cuts to so many characters, the last of them an ellipsis.
pub(super) fn cut(text: &mut String, characters: usize) {
    if let Cow::Owned(shorter) = text::cut(text, characters) {
        *text = shorter;
    }
}

/// The same for a text that may be absent.
pub(super) fn cut_option(text: &mut Option<String>, characters: usize) {
    if let Some(text) = text {
        cut(text, characters);
    }
}
