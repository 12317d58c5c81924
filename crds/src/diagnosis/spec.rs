//! The wish of a person.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn has its own type and path"
)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::NodeNetDiagnosisStatus;
use crate::{checks, interfaces::Interfaces, limits, selector::NodeSelector, severity::Severity};

/// Explains packet loss inside the network stack of the selected nodes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "netdiag.dev",
    version = "v1alpha1",
    kind = "NodeNetDiagnosis",
    plural = "nodenetdiagnoses",
    shortname = "nnd",
    category = "netdiag",
    status = "NodeNetDiagnosisStatus",
    derive = "PartialEq",
    doc = "Explains packet loss inside the network stack of the selected nodes: apply one, read its status.",
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".status.summary.mode",
        description = "Once (one window, then done) or Continuous."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.summary.state",
        description = "How the run stands: Running, Suspended, Complete or Degraded (some nodes were not looked at, or in part)."
    ),
    printcolumn(
        name = "Nodes",
        type_ = "string",
        json_path = ".status.summary.nodes",
        description = "Nodes that reported, of those selected."
    ),
    printcolumn(
        name = "Affected",
        type_ = "string",
        json_path = ".status.summary.affected",
        description = "Nodes with a finding of Warning or worse."
    ),
    printcolumn(
        name = "Severity",
        type_ = "string",
        json_path = ".status.summary.severity",
        description = "Worst severity found; empty without a finding. Warning and Critical ask for an act."
    ),
    printcolumn(
        name = "Top Finding",
        type_ = "string",
        json_path = ".status.summary.topFinding",
        description = "The worst finding in a few words; status.findings and status.nodeFindings have them all."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the diagnosis was applied."
    ),
    selectable = ".status.summary.mode",
    selectable = ".status.summary.state",
    selectable = ".status.summary.severity"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.once) && has(self.continuous))").message(
        "spec.once and spec.continuous exclude each other: keep one of them, or none for once over 35 s"
    ),
    validation = Rule::new("!(has(self.ttlSecondsAfterFinished) && has(self.continuous))").message(
        "spec.ttlSecondsAfterFinished has no effect with spec.continuous, which never finishes: remove one of them"
    )
)]
pub struct NodeNetDiagnosisSpec {
    /// The nodes to look at: exactly one of `all`, `names` and `selector`.
    pub nodes: NodeSelection,
    /// The checks to report; absent: all. Causes of a reported finding are reported with it, whatever their check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "checks::known_checks", description = checks::description())]
    pub checks: Option<Vec<String>>,
    /// The interfaces of the node's own network namespace to report; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Interfaces>,
    /// Look into the network namespaces of pods too; true by default.
    #[serde(default = "yes")]
    pub pods: bool,
    /// Report no finding below this severity, by default `Info`: report all. Causes of a reported finding are kept.
    #[serde(default)]
    pub min_severity: Severity,
    /// Watch for one window, then finish. The default where neither mode is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// Watch in windows back to back until deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuous: Option<Continuous>,
    /// End running windows and start none; results stay.
    #[serde(default)]
    pub suspend: bool,
    /// Free text; change it to run again. The annotation `netdiag.dev/rerun` does the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::RERUN))]
    pub rerun: Option<String>,
    /// Delete this diagnosis so many seconds after it is complete; absent: keep it. With `once` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = limits::TTL_SECONDS))]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// Which nodes to look at. A misspelt member selects nothing and is refused, never the whole fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.all), has(self.names), has(self.selector)].filter(given, given).size() == 1")
        .message("spec.nodes needs exactly one of all: true, names: [..] and selector: {..}"),
    validation = Rule::new("!has(self.all) || self.all")
        .message("spec.nodes.all can only be true; to look at some nodes give names or selector instead")
)]
pub struct NodeSelection {
    /// `true`: every node where an agent can be: Linux, and where the agents' DaemonSet puts one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// Nodes by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = limits::NODE_NAMES), inner(length(min = 1, max = limits::NAME)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub names: Option<Vec<String>>,
    /// Nodes by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NodeSelector>,
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Once {
    /// Seconds to watch, 1 to 3600. By default 35, because LLDP comes every 30 s and a failed reassembly shows after 30
    /// s; a shorter window says in `unchecked` what it cannot see.
    #[serde(default = "Once::default_seconds")]
    #[schemars(range(min = *limits::ONCE_SECONDS.start(), max = *limits::ONCE_SECONDS.end()))]
    pub duration_seconds: i32,
}

impl Once {
    fn default_seconds() -> i32 {
        35
    }
}

impl Default for Once {
    fn default() -> Self {
        Self {
            duration_seconds: Self::default_seconds(),
        }
    }
}

/// Windows back to back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Continuous {
    /// Seconds of each window, and between reports of a node: 60 to 86400, by default 300.
    #[serde(default = "Continuous::default_seconds")]
    #[schemars(range(min = *limits::CONTINUOUS_SECONDS.start(), max = *limits::CONTINUOUS_SECONDS.end()))]
    pub interval_seconds: i32,
}

impl Continuous {
    fn default_seconds() -> i32 {
        300
    }
}

impl Default for Continuous {
    fn default() -> Self {
        Self {
            interval_seconds: Self::default_seconds(),
        }
    }
}

fn yes() -> bool {
    true
}
