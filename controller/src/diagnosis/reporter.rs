//! A node that has reported, and what of its findings is asked for.

use k8s_openapi::api::core::v1::Node;
use netdiag_crds::{
    NodeNetReport,
    report::{Finding, RunResult},
    severity::Severity,
};

/// A node that has reported.
#[derive(Clone, Copy)]
pub struct Reporter<'a> {
    /// Its name.
    pub name: &'a str,
    /// The node.
    pub node: &'a Node,
    /// Its report.
    pub report: &'a NodeNetReport,
    /// What it found in this run.
    pub result: &'a RunResult,
}

impl<'a> Reporter<'a> {
    /// Its findings that are asked for. A cause is at least as severe as what it causes, so the causes of what is kept
    /// are kept too.
    pub fn findings(&self, least: Severity) -> impl Iterator<Item = &'a Finding> + use<'a> {
        self.result
            .findings
            .iter()
            .filter(move |finding| severity(finding) >= least)
    }

    /// The worst of its findings that are asked for.
    pub fn worst(&self, least: Severity) -> Option<Severity> {
        self.findings(least).map(severity).max()
    }
}

/// A finding's severity.
pub fn severity(finding: &Finding) -> Severity {
    Severity::from_status(&finding.severity)
}
