//! A part of a check that could not be made.

use crate::causes::Check;

/// Something that could not be checked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    /// The check it concerns.
    pub check: &'static Check,
    /// True when the check was made in part.
    pub partly: bool,
    /// Why, and what would help.
    pub reason: String,
}

impl Unchecked {
    /// A check that was made in part.
    pub fn in_part(check: &'static Check, reason: impl Into<String>) -> Self {
        Self {
            check,
            partly: true,
            reason: reason.into(),
        }
    }
}
