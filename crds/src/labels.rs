//! Labels that the controller sets on a NodeNetReport, to select reports by.

/// The worst harm that the node's agent found, as in the column HARM.
pub const HARM: &str = "netdiag.dev/harm";
/// The worst severity that the node's agent found, as in the column SEVERITY.
pub const SEVERITY: &str = "netdiag.dev/severity";
