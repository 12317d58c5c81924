//! Names and lines that others chose, made safe to print.

use crate::hidden::is_hidden;

/// `text` with control characters escaped as Rust would, and cut after `limit` characters with `..` appended.
///
/// Terminal escape sequences hide in interface aliases, process names and log lines; nothing of theirs may reach a
/// terminal. Direction overrides and other invisible format characters are escaped with them.
pub fn printable(text: &str, limit: usize) -> String {
    let mut printable = String::with_capacity(text.len().min(limit));
    let mut characters = text.chars();
    for character in characters.by_ref().take(limit) {
        if is_hidden(character) {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    if characters.next().is_some() {
        printable.push_str("..");
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(
            printable("a\u{1b}[31mb\n\u{202e}c", 99),
            "a\\u{1b}[31mb\\n\\u{202e}c"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(printable("äöü", 2), "äö..");
        assert_eq!(printable("äöü", 3), "äöü");
    }
}
