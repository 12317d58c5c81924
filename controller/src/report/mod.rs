//! NodeNetReport: one for each node, through which a node gets its assignments and gives its results.

pub mod decide;
pub mod labels;
pub mod reconcile;

/// Name of this controller in logs and metrics.
pub const NAME: &str = "report";
