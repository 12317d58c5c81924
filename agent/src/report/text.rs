//! Strings that a node's users can choose (names, log lines, packets), made fit to print and to store.

use std::borrow::Cow;

use crate::hidden::is_hidden;

/// Ends a string that was cut.
const ELLIPSIS: char = '…';

/// The text with control characters escaped as Rust does (`\n`, `\u{1b}`), and so with other characters that cannot be
/// seen: a terminal or a page must not be led astray by a name.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Cuts to so many characters, the last of them an ellipsis.
pub(super) fn cut(text: &mut String, characters: usize) {
    if let Cow::Owned(shorter) = shortened(text, characters) {
        *text = shorter;
    }
}

/// The same for a text that may be absent.
pub(super) fn cut_option(text: &mut Option<String>, characters: usize) {
    if let Some(text) = text {
        cut(text, characters);
    }
}

fn shortened(text: &str, characters: usize) -> Cow<'_, str> {
    if text.chars().nth(characters).is_none() {
        return Cow::Borrowed(text);
    }
    let mut shorter: String = text.chars().take(characters.saturating_sub(1)).collect();
    if characters > 0 {
        shorter.push(ELLIPSIS);
    }
    Cow::Owned(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_cannot_be_seen_are_escaped() {
        assert_eq!(
            escaped("a\u{1b}[31m\nb\u{202e}c"),
            r"a\u{1b}[31m\nb\u{202e}c"
        );
        assert_eq!(escaped("pod\u{200b}-1\u{feff}"), r"pod\u{200b}-1\u{feff}");
        assert_eq!(escaped("Grüße 網"), "Grüße 網");
    }

    #[test]
    fn a_cut_keeps_whole_characters_and_ends_with_an_ellipsis() {
        let mut text = "äöüß".to_owned();
        cut(&mut text, 4);
        assert_eq!(text, "äöüß");
        cut(&mut text, 3);
        assert_eq!(text, "äö…");
        cut(&mut text, 0);
        assert_eq!(text, "");
    }
}
