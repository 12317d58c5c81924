//! Results on stdout.

use std::io::{self, IsTerminal, Write};

use crate::render::Style;

/// The look that suits stdout: its width, and colours on a terminal unless NO_COLOR is set.
pub(crate) fn style(wide: bool) -> Style {
    let stdout = io::stdout();
    let on_terminal = stdout.is_terminal();
    let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0);
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style::new(width, on_terminal && !no_colour, wide)
}

/// Prints. A reader that closes the pipe (`| head`) has read enough.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
