//! The identity of a finding.

use super::Subject;
use crate::causes::{Check, Mechanism};

/// A finding's check, cause and subject: readable, and the same in every window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId {
    text: String,
    check: &'static Check,
    /// The length of check and cause in the text.
    cause_length: usize,
}

impl FindingId {
    pub(super) fn new(cause: &Mechanism, subject: &Subject) -> Self {
        let check = cause.check();
        let mut text = format!("{}/{cause}", check.name);
        let cause_length = text.len();
        let subject = subject.key();
        if !subject.is_empty() {
            text.push('/');
            text.push_str(&subject);
        }
        Self {
            text,
            check,
            cause_length,
        }
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The check of the finding.
    pub fn check(&self) -> &'static Check {
        self.check
    }

    /// The subject's part of it; empty when the finding is about the node as a whole.
    pub fn subject(&self) -> &str {
        let rest = self.text.get(self.cause_length + 1..);
        rest.unwrap_or_default()
    }
}
