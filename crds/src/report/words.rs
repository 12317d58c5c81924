//! Words of a report's status that programs compare. The schema does not know them: a newer agent may have more.

/// States of a result.
pub mod state {
    /// Its first window runs.
    pub const RUNNING: &str = "Running";
    /// A window has ended with a result.
    pub const FINISHED: &str = "Finished";
    /// No window could be watched to its end.
    pub const FAILED: &str = "Failed";
}

/// What a booking of the ledger means for those whose packets they were.
pub mod verdict {
    /// Nobody misses them.
    pub const BENIGN: &str = "Benign";
    /// They are loss.
    pub const HARMFUL: &str = "Harmful";
    /// Not known.
    pub const UNKNOWN: &str = "Unknown";
}
