//! Text helpers: escaping of what came from outside, wrapping, colours.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use netdiag_diagnosis::finding::Severity;
use textwrap::{Options, WordSplitter};

/// Makes a text from outside (names of interfaces, pods and processes, LLDP fields, log lines) safe for a terminal:
/// control characters and those that change the direction of the text are shown by their number.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let escape = |character: char| {
        if is_hidden(character) {
            character.escape_unicode().to_string()
        } else {
            character.to_string()
        }
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Control characters, and the invisible ones that reorder or join text (Unicode's bidirectional controls).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Wraps a text at `width` columns with one prefix for its first line and spaces of the same width for the rest.
pub fn hang(prefix: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(textwrap::core::display_width(prefix));
    wrap(prefix, &indent, text, width)
}

/// Wraps a text at `width` columns. Words are broken only where one is longer than a line, never at a hyphen, since
/// names hold hyphens.
pub fn wrap(first: &str, rest: &str, text: &str, width: usize) -> String {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(&printable(text), options)
}

/// Breaks a shell command that is too long for a line where a shell lets it be continued: at spaces outside quotes.
pub fn wrap_command(indent: &str, command: &str, width: usize) -> String {
    let command = printable(command);
    let room = width.saturating_sub(indent.len());
    if textwrap::core::display_width(&command) <= room {
        return format!("{indent}{command}");
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in shell_words(&command) {
        let length = textwrap::core::display_width(&line) + 1 + textwrap::core::display_width(word);
        if !line.is_empty() && length + 2 > room {
            lines.push(format!("{indent}{line} \\"));
            line = String::from("  ");
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(format!("{indent}{line}"));
    lines.join("\n")
}

/// Splits at spaces outside single quotes; the words keep their quotes.
fn shell_words(command: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    command
        .split(move |character| {
            let splits = character == ' ' && !quoted && !escaped;
            quoted ^= character == '\'' && !escaped;
            escaped = character == '\\' && !quoted && !escaped;
            splits
        })
        .filter(|word| !word.is_empty())
}

/// The colour of a severity, for terminals.
pub fn severity_style(severity: Severity) -> Style {
    let style = Style::new().bold();
    match severity {
        Severity::Info => style.fg_color(Some(AnsiColor::Cyan.into())),
        Severity::Warning => style.fg_color(Some(AnsiColor::Yellow.into())),
        Severity::Critical => style.fg_color(Some(AnsiColor::Red.into())),
    }
}

/// Colours the first occurrence of `part` in `text`.
pub fn paint(text: String, part: &str, style: Style, colour: bool) -> String {
    if !colour {
        return text;
    }
    text.replacen(part, &format!("{style}{part}{style:#}"), 1)
}

/// `1 counter`, `3 counters`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// A duration for people: `35 s`, `0.5 s`. Short ones with one decimal, where it is not 0.
pub fn seconds(milliseconds: u64) -> String {
    let tenths = milliseconds.saturating_add(50) / 100;
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} s", milliseconds.saturating_add(500) / 1000)
    }
}

/// The sentence with one full stop at its end.
pub fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?', ':']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_shown_by_number() {
        assert_eq!(
            printable("eth0\x1b[31m\u{202e}x\n"),
            "eth0\\u{1b}[31m\\u{202e}x\\u{a}"
        );
        assert_eq!(printable("br-größe"), "br-größe");
    }

    #[test]
    fn names_are_not_broken_at_their_hyphens() {
        assert_eq!(
            hang("1. ", "port of leaf-switch-3a", 20),
            "1. port of\n   leaf-switch-3a"
        );
    }

    #[test]
    fn a_long_command_still_means_the_same_to_a_shell() {
        let command =
            "nft 'table netdev lldp { chain in { drop; }; }' && ip link set dev eth0 mtu 1500";
        let wrapped = wrap_command("  ", command, 60);
        assert_eq!(
            wrapped,
            "  nft 'table netdev lldp { chain in { drop; }; }' && ip \\\n    link set dev eth0 mtu 1500"
        );
        assert_eq!(wrap_command("  ", "ip link", 60), "  ip link");
    }

    #[test]
    fn durations_are_rounded_for_people() {
        let texts = [0, 450, 960, 3012, 9_949, 35_004].map(seconds);
        assert_eq!(texts, ["0 s", "0.5 s", "1 s", "3 s", "9.9 s", "35 s"]);
    }

    #[test]
    fn an_escaped_quote_does_not_open_a_quoted_part() {
        let words: Vec<&str> = shell_words(r"echo 'it'\''s one' two").collect();
        assert_eq!(words, ["echo", r"'it'\''s one'", "two"]);
    }
}
