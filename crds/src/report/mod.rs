//! `NodeNetReport`: what one node is to do, and what its agent found.

mod finding;
mod ledger;
mod spec;
mod status;
mod words;

pub use finding::{Evidence, Finding, Pod, Remedy, Subject};
pub use ledger::{Explained, LedgerEntry};
pub use spec::{Assignment, Mode, NodeNetReport, NodeNetReportSpec, Refusal};
pub use status::{
    AgentInfo, Lost, NodeNetReportStatus, Omitted, Probe, ReportSummary, RunResult, Unchecked,
    Window,
};
pub use words::{state, verdict};
