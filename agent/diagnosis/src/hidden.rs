//! Characters that a text from outside must not bring to a terminal or a page.

/// Control characters, line separators, and the invisible ones that turn the direction of text or make two different
/// names look alike.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}
