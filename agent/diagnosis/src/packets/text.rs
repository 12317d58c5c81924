//! Text from the wire, made safe to print.

use std::fmt::Write;

use crate::hidden::is_hidden;

/// What a name in an announcement may take of a line; LLDP allows 255 bytes.
const LONGEST: usize = 64;

/// Bytes as text: invalid UTF-8 replaced, hidden characters escaped, at most 64 characters and an ellipsis. Trailing
/// NULs, which some senders pad with, are left out.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    let mut safe = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            safe.push('…');
            break;
        }
        if is_hidden(character) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
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
