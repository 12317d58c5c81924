//! The part of a recording of one of the project's own scenarios that describes the fault that was made.

use std::collections::BTreeMap;

use netdiag_diagnosis::{Diagnosis, finding::Finding};
use serde::{Deserialize, Serialize};

/// A fault, or its healthy twin, that was made on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// The test that made it: `bonds::lldp_on_an_active_backup_bond_under_a_bridge`.
    pub name: String,
    /// The increases of the kernel's own counters around the fault, read by the test and not by the agent: `node bond0
    /// rx_dropped`, `shop/server Tcp.InCsumErrors`.
    pub counters: BTreeMap<String, u64>,
    /// The agent's findings, which the test approved of.
    pub findings: Vec<ExpectedFinding>,
}

/// A finding in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExpectedFinding {
    /// The symptom.
    pub check: String,
    /// The cause that was proved.
    pub cause: String,
    /// The severity.
    pub severity: String,
    /// The subject: the last part of the finding's id, empty when it is about the node as a whole.
    pub subject: String,
    /// Events within the window.
    pub count: u64,
}

impl ExpectedFinding {
    /// All findings of a diagnosis, in an order of their own.
    pub fn all_of(diagnosis: &Diagnosis) -> Vec<Self> {
        let mut all: Vec<Self> = diagnosis.findings.iter().map(Self::of).collect();
        all.sort();
        all
    }

    fn of(finding: &Finding) -> Self {
        Self {
            check: finding.check().name.to_owned(),
            cause: finding.cause.to_string(),
            severity: finding.severity().as_str().to_owned(),
            subject: finding.id.subject().to_owned(),
            count: finding.count,
        }
    }
}
