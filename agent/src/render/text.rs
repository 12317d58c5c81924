//! Text helpers: escaping of what came from outside, wrapping, colours.

use anstyle::{AnsiColor, Style};
use netdiag_crds::severity::Severity;
use netdiag_diagnosis::text::printable;
use textwrap::{Options, WordSplitter};

/// Wraps a text at `width` columns with one prefix for its first line and spaces of the same width for the rest.
pub(super) fn hang(prefix: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(textwrap::core::display_width(prefix));
    wrap(prefix, &indent, text, width)
}

/// Wraps a text at `width` columns. Words are broken only where one is longer than a line, never at a hyphen, because
/// names hold hyphens.
pub(super) fn wrap(first: &str, rest: &str, text: &str, width: usize) -> String {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(&printable(text), options)
}

/// Breaks a shell command that is too long for a line where it means the same broken: at spaces outside quotes, with a
/// backslash, and within the quoted rules of nft behind a semicolon, where nft takes a line break for white space.
pub(super) fn wrap_command(indent: &str, command: &str, width: usize) -> String {
    let command = printable(command);
    let room = width.saturating_sub(indent.len());
    let mut lines = Vec::new();
    let mut rest: &str = &command;
    loop {
        let margin = if lines.is_empty() { "" } else { "  " };
        let fits = |end: usize| {
            let line = rest.get(..end).unwrap_or(rest);
            textwrap::core::display_width(line) + margin.len() + " \\".len() <= room
        };
        let done = command.len() - rest.len();
        let points = break_points(&command).into_iter().filter_map(|(at, end)| {
            let at = at.checked_sub(done).filter(|at| *at > 0)?;
            Some((at, end))
        });
        let mut best = None;
        for point in points {
            if best.is_none() || fits(point.0) {
                best = Some(point);
            }
        }
        match best {
            Some((at, end)) if !fits(rest.len()) => {
                let (line, more) = rest.split_at(at);
                lines.push(format!("{indent}{margin}{line}{end}"));
                rest = more.trim_start_matches(' ');
            }
            _ => {
                lines.push(format!("{indent}{margin}{rest}"));
                return lines.join("\n");
            }
        }
    }
}

/// Spaces at which a command may be broken, and how its line then ends.
fn break_points(command: &str) -> Vec<(usize, &'static str)> {
    let has_rules = command.split(' ').any(|word| word == "nft");
    let (mut quoted, mut escaped) = (false, false);
    let mut previous = ' ';
    let mut points = Vec::new();
    for (at, character) in command.char_indices() {
        if character == ' ' && !quoted && !escaped {
            points.push((at, " \\"));
        } else if character == ' ' && quoted && has_rules && previous == ';' {
            points.push((at, ""));
        }
        quoted ^= character == '\'' && !escaped;
        escaped = character == '\\' && !quoted && !escaped;
        previous = character;
    }
    points
}

/// The colour of a severity, for terminals.
pub(super) fn severity_style(severity: Severity) -> Style {
    let style = Style::new().bold();
    match severity {
        Severity::Info => style.fg_color(Some(AnsiColor::Cyan.into())),
        Severity::Warning => style.fg_color(Some(AnsiColor::Yellow.into())),
        Severity::Critical => style.fg_color(Some(AnsiColor::Red.into())),
    }
}

/// Colours the first occurrence of `part` in `text`.
pub(super) fn paint(text: String, part: &str, style: Style, colour: bool) -> String {
    if !colour {
        return text;
    }
    text.replacen(part, &format!("{style}{part}{style:#}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "ip netns exec 'a name with spaces that is long' ip link set dev eth0 mtu 1500";
        assert_eq!(
            wrap_command("  ", command, 60),
            "  ip netns exec 'a name with spaces that is long' ip link \\\n    set dev eth0 mtu 1500"
        );
        assert_eq!(wrap_command("  ", "ip link", 60), "  ip link");
    }

    #[test]
    fn rules_of_nft_are_broken_behind_semicolons() {
        let command = "nft 'table netdev x { chain in { type filter hook ingress device eth0 priority 0; drop; }; }'";
        assert_eq!(
            wrap_command("  ", command, 90),
            "  nft 'table netdev x { chain in { type filter hook ingress device eth0 priority 0;\n    drop; }; }'"
        );
    }

    #[test]
    fn an_escaped_quote_does_not_open_a_quoted_part() {
        let command = r"echo 'it'\''s one' two";
        let spaces: Vec<usize> = break_points(command).iter().map(|(at, _)| *at).collect();
        assert_eq!(spaces, [4, 18]);
    }
}
