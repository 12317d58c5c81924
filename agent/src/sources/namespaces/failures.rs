//! The parts that a walk over the namespaces had to leave out.

use std::io;

use netdiag_diagnosis::evidence::Missing;

use super::processes;
use crate::{bounded::Overflows, privileges::Restrictions};

/// Counts of what was left out, by why.
#[derive(Default)]
pub(super) struct Failures {
    /// Processes whose namespace is closed to the agent.
    pub refused: usize,
    /// The restrictions of this process, where some are.
    pub restrictions: Restrictions,
    /// Processes and namespaces beyond their limits.
    pub overflows: Overflows,
    not_opened: usize,
    no_descriptors: bool,
}

impl Failures {
    /// Notes a namespace that could not be opened.
    pub(super) fn open(&mut self, error: &io::Error) {
        self.not_opened += 1;
        self.no_descriptors |= error.raw_os_error() == Some(libc::EMFILE);
    }

    /// Describes the missing parts in words.
    pub(super) fn describe(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if self.refused > 0 {
            let mut closed = processes::closed(&self.restrictions);
            closed.text.push_str(
                "; pods among them are not named, their counters and perhaps their links not read",
            );
            missing.push(closed);
        }
        missing.extend(self.overflows.missing());
        if self.not_opened > 0 {
            let why = if self.no_descriptors {
                " (the limit of open files is reached)"
            } else {
                ""
            };
            missing.push(Missing::failed(format!(
                "{} namespaces could not be opened{why}",
                self.not_opened
            )));
        }
        missing
    }
}
