//! The work of a node's agent.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn has its own type and path"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NodeNetReportStatus;
use crate::{interfaces::Interfaces, limits, severity::Severity};

/// The diagnoses that a node works on. Written only by the controller.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "netdiag.dev",
    version = "v1alpha1",
    kind = "NodeNetReport",
    plural = "nodenetreports",
    shortname = "nnr",
    category = "netdiag",
    status = "NodeNetReportStatus",
    derive = "PartialEq",
    doc = "What one node is to look for and what its agent found. Named after the node; made by the controller.",
    printcolumn(
        name = "Agent",
        type_ = "string",
        json_path = ".status.agent.version",
        description = "Version of the agent that wrote the report."
    ),
    printcolumn(
        name = "Kernel",
        type_ = "string",
        json_path = ".status.agent.kernel",
        description = "The node's kernel (uname -r)."
    ),
    printcolumn(
        name = "Probes",
        type_ = "string",
        json_path = ".status.summary.probes",
        description = "Probes that work, of all; status.probes names the others and what they lack."
    ),
    printcolumn(
        name = "Harm",
        type_ = "string",
        json_path = ".status.summary.harm",
        description = "Worst harm found: Outage, Loss, Delay, Unknown, Cost or None; empty without a finding."
    ),
    printcolumn(
        name = "Severity",
        type_ = "string",
        json_path = ".status.summary.severity",
        description = "Worst severity found; empty without a finding. Warning and Critical ask for an act."
    ),
    printcolumn(
        name = "Lost",
        type_ = "integer",
        json_path = ".status.summary.lost",
        description = "Packets that were lost in the last window and were wanted; nobody decided to drop them."
    ),
    printcolumn(
        name = "Unexplained",
        type_ = "integer",
        json_path = ".status.summary.unexplained",
        description = "Packets of the last window that counters have and no known cause explains."
    ),
    printcolumn(
        name = "Last Window",
        type_ = "date",
        json_path = ".status.summary.lastWindow",
        description = "Time since the last window ended."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the node was first assigned a diagnosis."
    ),
    selectable = ".status.summary.harm",
    selectable = ".status.summary.severity",
    selectable = ".status.agent.version",
    selectable = ".status.agent.kernel"
)]
#[serde(rename_all = "camelCase")]
pub struct NodeNetReportSpec {
    /// The diagnoses that select this node.
    #[serde(default)]
    // Atomic, though names are unique: server-side apply of an empty list to a map list takes the list away, and with
    // it the whole spec, which the API server then refuses as missing.
    #[schemars(length(max = limits::ASSIGNMENTS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub assignments: Vec<Assignment>,
    /// Diagnoses that select this node and found no room in `assignments`. The agent has nothing to do for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REFUSED))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub refused: Vec<Refusal>,
}

/// A run of a diagnosis that a node has no room for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The NodeNetDiagnosis.
    #[schemars(length(min = 1, max = limits::NAME))]
    pub name: String,
    /// Its uid.
    #[schemars(length(min = 1, max = limits::UID))]
    pub uid: String,
    /// The run.
    pub run_generation: i64,
}

/// One diagnosis for one node, with its settings resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The NodeNetDiagnosis.
    #[schemars(length(min = 1, max = limits::NAME))]
    pub name: String,
    /// Its uid: a diagnosis that was deleted and made again is another one.
    #[schemars(length(min = 1, max = limits::UID))]
    pub uid: String,
    /// The run; a new one discards the window that is running and starts another.
    pub run_generation: i64,
    /// The time at which the controller assigned this run, by its clock: for people, nothing is computed from it.
    pub assigned_time: Time,
    /// The `elapsedSeconds` of the run at that moment. Deadlines count from it.
    #[serde(default)]
    pub assigned_after_seconds: i64,
    /// The checks to report; empty: all that the agent knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::CHECKS), inner(length(max = limits::WORD)))]
    pub checks: Vec<String>,
    /// The interfaces to report; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Interfaces>,
    /// Look into the network namespaces of pods too.
    #[serde(default)]
    pub pods: bool,
    /// Report no finding below this severity.
    #[serde(default)]
    pub min_severity: Severity,
    /// One window, or one after the other.
    pub mode: Mode,
    /// Seconds of a window.
    #[schemars(range(min = 1, max = *limits::CONTINUOUS_SECONDS.end()))]
    pub window_seconds: i32,
    /// Seconds over which the nodes of the run spread their results, so that they do not write all at once. 0: a small
    /// fleet.
    #[schemars(range(min = 0, max = limits::SPREAD_SECONDS))]
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spread_seconds: i32,
    /// End the running window and start none; results stay.
    #[serde(default)]
    pub suspend: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// The repetition of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// For one window.
    Once,
    /// In windows back to back.
    Continuous,
}

impl Mode {
    /// The word that resources use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Once => "Once",
            Self::Continuous => "Continuous",
        }
    }
}
