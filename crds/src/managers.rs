//! Field managers of server-side apply, one for each writer of each part.

/// The controller, writing `spec.assignments`, the owner and the labels of a NodeNetReport.
pub const CONTROLLER_REPORT: &str = "netdiag-controller/report";
/// The controller, writing the status of a NodeNetDiagnosis.
pub const CONTROLLER_DIAGNOSIS: &str = "netdiag-controller/diagnosis";
/// An agent, writing the status of its node's NodeNetReport.
pub const AGENT: &str = "netdiag-agent";
