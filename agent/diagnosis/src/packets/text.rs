//! Text from the wire, made safe to print.

use std::fmt::Write;

/// What a name in an announcement may take of a line; LLDP allows 255 bytes.
const LONGEST: usize = 64;

/// Bytes as text: invalid UTF-8 replaced, control and direction characters escaped, at most 64 characters and an
/// ellipsis. Trailing NULs, which some senders pad with, are left out.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    let mut safe = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            safe.push('…');
            break;
        }
        if character.is_control() || changes_direction(character) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Characters that reorder or hide the text around them: zero width, marks, embeddings, isolates, byte order mark.
fn changes_direction(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_would_steer_a_terminal() {
        assert_eq!(printable(b"leaf\x1b[31m\n"), "leaf\\u{1b}[31m\\n");
        assert_eq!(printable("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(printable(b"leaf-3a\0\0"), "leaf-3a");
    }

    #[test]
    fn bounds_long_text_and_replaces_invalid_bytes() {
        let long = printable(&[b'x'; 511]);
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
        assert_eq!(printable(&[0xff, b'a']), "\u{fffd}a");
    }
}
