//! A part of a check that could not be made.

use serde::Serialize;

/// Something that could not be checked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unchecked {
    /// The check it concerns.
    pub check: &'static str,
    /// True when the check was made in part.
    pub partly: bool,
    /// Why, and what would help.
    pub reason: String,
}
