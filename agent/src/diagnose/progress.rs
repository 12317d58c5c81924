//! The output on stderr while the window runs: a line that is rewritten every second on a terminal, one line elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use netdiag_diagnosis::evidence::NodeFacts;

use netdiag_diagnosis::text::printable;

use crate::collect::WindowProgress;

/// The progress line.
pub(super) struct ProgressLine {
    on_terminal: bool,
    said: bool,
}

impl ProgressLine {
    /// A line on stderr.
    pub(super) fn new() -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
            said: false,
        }
    }

    /// Shows how far the window is.
    pub(super) fn show(&mut self, progress: &WindowProgress<'_>) {
        if self.said && !self.on_terminal {
            return;
        }
        self.said = true;
        let line = line(progress, self.on_terminal);
        let mut stderr = std::io::stderr().lock();
        // Nobody may be reading; the diagnosis goes on all the same.
        let _ = if self.on_terminal {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        };
    }

    /// Takes the line away from a terminal.
    pub(super) fn clear(&self) {
        if self.on_terminal && self.said {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(progress: &WindowProgress<'_>, running: bool) -> String {
    let NodeFacts { name, kernel, .. } = progress.node;
    let interfaces = match progress.interfaces {
        Some(1) => ", 1 interface".to_owned(),
        Some(count) => format!(", {count} interfaces"),
        None => String::new(),
    };
    let seconds = |duration: Duration| duration.as_secs();
    let time = if running {
        format!(
            "{} s of {} s",
            seconds(progress.elapsed),
            seconds(progress.duration)
        )
    } else {
        format!("for {} s", seconds(progress.duration))
    };
    let who = format!("{name} ({kernel})");
    format!("netdiag: watching {}{interfaces}, {time}", printable(&who))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_node_its_kernel_and_the_time() {
        let node = NodeFacts {
            name: "node-17".to_owned(),
            kernel: "6.1.0".to_owned(),
            ..NodeFacts::default()
        };
        let progress = WindowProgress {
            node: &node,
            interfaces: Some(6),
            start_unix_ms: 0,
            elapsed: Duration::from_millis(21_400),
            duration: Duration::from_secs(35),
        };
        assert_eq!(
            line(&progress, true),
            "netdiag: watching node-17 (6.1.0), 6 interfaces, 21 s of 35 s"
        );
        assert_eq!(
            line(&progress, false),
            "netdiag: watching node-17 (6.1.0), 6 interfaces, for 35 s"
        );
    }
}
