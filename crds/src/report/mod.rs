//! `NodeNetReport`: what one node is to do, and what its agent found.

mod finding;
mod ledger;
mod spec;
mod status;
mod words;

pub(crate) use finding::is_false;
pub use finding::{Evidence, Finding, Pod, Remedy, Subject};
pub use ledger::{Explained, LedgerEntry};
pub use spec::{Assignment, Mode, NodeNetReport, NodeNetReportSpec, Refusal};
pub use status::{
    AgentInfo, Fact, Lost, NodeNetReportStatus, Omitted, Probe, ReportSummary, ResolvedFinding,
    RunResult, Unchecked, Window, WindowVerdict,
};
pub use words::{acts, answer, fact, place, remedy_kind, state, verdict};
