//! A sentence about an installation.

use std::fmt;

use super::seen::LookError;

/// The state of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Well,
    /// Worth knowing, and no reason to fail.
    Note,
    /// To be fixed.
    Wrong,
}

/// A sentence about the installation.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its state.
    pub verdict: Verdict,
    /// For people.
    pub text: String,
}

impl Statement {
    /// As it should be.
    pub fn well(text: impl Into<String>) -> Self {
        Self::new(Verdict::Well, text)
    }

    /// Worth knowing.
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Verdict::Note, text)
    }

    /// To be fixed.
    pub fn wrong(text: impl Into<String>) -> Self {
        Self::new(Verdict::Wrong, text)
    }

    fn new(verdict: Verdict, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { verdict, text }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Well => "ok",
            Verdict::Note => "note",
            Verdict::Wrong => "WRONG",
        };
        write!(f, "{word:<6} {}", self.text)
    }
}

/// The same sentence for whatever could not be looked at.
pub fn unread(what: &str, error: &LookError) -> Statement {
    Statement::wrong(format!("{what} cannot be read: {error}"))
}
