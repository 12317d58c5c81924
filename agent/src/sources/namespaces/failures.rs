//! What a walk over the namespaces had to leave out.

use std::io;

use super::MOST_NAMESPACES;

/// Counts of what was left out, by why.
#[derive(Default)]
pub struct Failures {
    /// Processes whose namespace is closed to the agent.
    pub refused: usize,
    /// Namespaces beyond the limit.
    pub beyond_limit: usize,
    not_opened: usize,
    no_descriptors: bool,
}

impl Failures {
    /// Notes a namespace that could not be opened.
    pub fn open(&mut self, error: &io::Error) {
        self.not_opened += 1;
        self.no_descriptors |= error.raw_os_error() == Some(libc::EMFILE);
    }

    /// What is missing, in words.
    pub fn describe(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.refused > 0 {
            missing.push(format!(
                "the namespaces of {} processes are closed to the agent (it needs SYS_PTRACE, and an AppArmor profile \
                 that allows ptrace)",
                self.refused
            ));
        }
        if self.beyond_limit > 0 {
            missing.push(format!(
                "{} namespaces beyond the limit of {MOST_NAMESPACES}",
                self.beyond_limit
            ));
        }
        if self.not_opened > 0 {
            let why = if self.no_descriptors {
                " (the limit of open files is reached)"
            } else {
                ""
            };
            missing.push(format!(
                "{} namespaces could not be opened{why}",
                self.not_opened
            ));
        }
        missing
    }
}
