//! `NodeNetDiagnosis`: what a person applies, and what the controller answers.

mod spec;
mod status;

pub use spec::{Continuous, NodeNetDiagnosis, NodeNetDiagnosisSpec, NodeSelection, Once};
pub use status::{
    CommonFactor, Coverage, FleetCounter, FleetFinding, NodeCounts, NodeFinding, NodeFindings,
    NodeNetDiagnosisStatus, Omitted, Summary,
};
