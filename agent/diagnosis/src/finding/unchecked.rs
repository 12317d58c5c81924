//! A part of a check that could not be made.

use crate::causes::Check;

/// Something that could not be checked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    /// The check it concerns.
    pub check: &'static Check,
    /// The part that was not made.
    pub unmade: Unmade,
    /// Why, and what would help.
    pub reason: String,
}

/// The part of a check that was not made, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmade {
    /// All of it.
    All,
    /// The part whose evidence could not be read, or was lost.
    Part,
    /// Nothing: all evidence was read, but something that the check looks for comes less often than the window is long.
    TooRare,
}

impl Unchecked {
    /// A check that was made, in part or whole.
    pub fn is_made(&self) -> bool {
        self.unmade != Unmade::All
    }

    /// Evidence was missing, so that something may have gone unseen although it happened within the window.
    pub fn is_blind(&self) -> bool {
        self.unmade != Unmade::TooRare
    }

    /// A check that was made in part.
    pub fn in_part(check: &'static Check, reason: impl Into<String>) -> Self {
        Self {
            check,
            unmade: Unmade::Part,
            reason: reason.into(),
        }
    }

    /// A check that was made in a window too short for all that it looks for.
    pub fn too_rare(check: &'static Check, reason: impl Into<String>) -> Self {
        Self {
            check,
            unmade: Unmade::TooRare,
            reason: reason.into(),
        }
    }
}
