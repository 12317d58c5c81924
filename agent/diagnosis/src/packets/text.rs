//! Text from the wire, made safe to print.

use crate::text::printable_up_to;

/// The longest name from an announcement in a line; LLDP allows 255 bytes.
const LONGEST: usize = 64;

/// Bytes as text: invalid UTF-8 replaced, hidden characters escaped, at most 64 characters. Trailing NULs, which some
/// senders pad with, are left out.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    printable_up_to(text.trim_end_matches('\0'), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_and_invalid_bytes_are_replaced() {
        assert_eq!(printable(b"leaf-3a\0\0"), "leaf-3a");
        assert_eq!(printable(&[0xff, b'a']), "\u{fffd}a");
        assert_eq!(printable(b"leaf\x1b[31m\n"), "leaf\\u{1b}[31m\\n");
    }

    #[test]
    fn long_text_is_bounded() {
        assert_eq!(printable(&[b'x'; 511]).chars().count(), LONGEST);
    }
}
