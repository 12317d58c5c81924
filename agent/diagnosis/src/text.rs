//! Text from outside (names, log lines, packets), made safe to print and bounded.

use std::borrow::Cow;

/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// The text with hidden characters escaped as Rust does (`\n`, `\u{1b}`): terminal escape sequences hide in interface
/// aliases, process names and log lines, and no terminal and no page must be led astray by a name.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// The text cut to so many characters, the last of them an ellipsis.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let mut shorter: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        shorter.push(ELLIPSIS);
    }
    Cow::Owned(shorter)
}

/// The text cut to so many characters, then escaped.
pub fn printable_up_to(text: &str, most: usize) -> String {
    printable(&cut(text, most)).into_owned()
}

/// Control characters, line separators, and the invisible ones that turn the direction of text or make two different
/// names look alike.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_cannot_be_seen_are_escaped() {
        assert_eq!(
            printable("a\u{1b}[31m\nb\u{202e}c"),
            r"a\u{1b}[31m\nb\u{202e}c"
        );
        assert_eq!(printable("pod\u{200b}-1\u{feff}"), r"pod\u{200b}-1\u{feff}");
        assert_eq!(printable("Grüße 網"), "Grüße 網");
    }

    #[test]
    fn a_cut_keeps_whole_characters_and_ends_with_an_ellipsis() {
        for (most, expected) in [(4, "äöüß"), (3, "äö…"), (1, "…"), (0, "")] {
            assert_eq!(cut("äöüß", most), expected);
        }
    }

    #[test]
    fn an_escape_is_never_cut() {
        assert_eq!(printable_up_to("a\u{1b}bc", 3), r"a\u{1b}…");
    }
}
