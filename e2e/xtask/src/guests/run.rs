//! A run of guests.

use std::path::Path;
use std::time::Instant;

use crate::setup::Images;
use crate::workspace::Workspace;

/// The part that every boot of a run has in common.
pub struct Run<'a> {
    pub workspace: &'a Workspace,
    pub images: &'a Images<'a>,
    /// The image with the programs under test.
    pub programs: &'a Path,
    pub folder: &'a Path,
    /// The time at which the whole run must have ended.
    pub deadline: Instant,
}
