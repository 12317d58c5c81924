//! Custom resources of netdiag.dev/v1alpha1.
//!
//! The Rust types are the source: `crdgen` prints the CustomResourceDefinitions and the reference in docs/api.md from
//! them. Spec fields are validated by the API server (schema and CEL), so that a wrong spec is refused when it is
//! applied. Status fields are bounded but never enumerations: server-side apply refuses a whole write for one unknown
//! enum value, and a newer agent must be able to report to an older CRD.

pub mod checks;
pub mod conditions;
pub mod diagnosis;
pub mod harm;
pub mod interfaces;
pub mod labels;
pub mod limits;
pub mod managers;
pub mod reference;
pub mod report;
mod rule;
pub mod schema;
pub mod selector;
pub mod severity;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use diagnosis::{NodeNetDiagnosis, NodeNetDiagnosisSpec, NodeNetDiagnosisStatus};
pub use report::{NodeNetReport, NodeNetReportSpec, NodeNetReportStatus};

/// The API group of all netdiag resources.
pub const GROUP: &str = "netdiag.dev";
/// The version of the API.
pub const VERSION: &str = "v1alpha1";
