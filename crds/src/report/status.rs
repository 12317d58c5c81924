//! The results of a node's agent.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, LedgerEntry, is_false};
use crate::{conditions, limits};

/// The agent's findings on its node. Written only by that node's agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeNetReportStatus {
    /// The generation of the spec that the agent has seen: its acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: the agent is at work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::list")]
    pub conditions: Vec<Condition>,
    /// The columns of `kubectl get`, derived from the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub summary: Option<ReportSummary>,
    /// The agent and its kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub agent: Option<AgentInfo>,
    /// The state of the agent's probes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::PROBES))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub probes: Vec<Probe>,
    /// The facts of the node, most telling first: kernel, OS image, drivers, firmware, MTU, bond mode, switch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::FACTS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub facts: Vec<Fact>,
    /// One for each assigned diagnosis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::ASSIGNMENTS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["diagnosis".into()]))]
    pub results: Vec<RunResult>,
}

impl NodeNetReportStatus {
    /// True if the agent could store only the least: its results then say how far they are, not what was found.
    pub fn is_minimal(&self) -> bool {
        conditions::has_reason(
            &self.conditions,
            conditions::READY,
            conditions::reasons::SCHEMA_MISMATCH,
        )
    }
}

/// The columns of `kubectl get nnr` that the rest does not hold as such.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportSummary {
    /// Probes that work (attached, or idle until a question needs them), of all: `4/5`.
    #[schemars(length(max = limits::WORD))]
    pub probes: String,
    /// Worst harm among the findings of Warning or worse, else among all; decisions aside. Empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub harm: Option<String>,
    /// Worst severity; empty for none.
    #[schemars(length(max = limits::WORD))]
    pub severity: String,
    /// Findings of all results, those left out too.
    pub findings: i64,
    /// Packets of the last window that were lost (harm `Loss` or `Outage`), decisions aside; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<i64>,
    /// Packets of the last window whose verdict is unknown or that are not explained at all.
    pub unexplained: i64,
    /// The time at which the last window ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_window: Option<Time>,
}

/// Something that the node is or runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// The kind of fact, with the devices that it is about: `kernel`, `driver eth0,eth1`, `switch`.
    #[schemars(length(max = limits::WORD))]
    pub name: String,
    /// Its value.
    #[schemars(length(max = limits::LINE))]
    pub value: String,
}

/// The agent and its kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentInfo {
    /// The agent's version.
    #[schemars(length(max = limits::WORD))]
    pub version: String,
    /// `uname -r`.
    #[schemars(length(max = limits::LINE))]
    pub kernel: String,
    /// True if the kernel describes its types (/sys/kernel/btf/vmlinux), which the probes need.
    pub btf: bool,
    /// The host's name, in a report without a cluster whose own name is not quite the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub host: Option<String>,
}

/// The state of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The probe.
    #[schemars(length(min = 1, max = limits::WORD))]
    pub name: String,
    /// `Attached`, `Idle` (no question needs it now), `Degraded` or `Unavailable`.
    #[schemars(length(max = limits::WORD))]
    pub state: String,
    /// The way in which it reads: `tp_btf`, `raw_tracepoint`, `netlink`, ..
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub backend: Option<String>,
    /// Why it is degraded or unavailable, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub reason: Option<String>,
}

/// The result of one diagnosis on this node. Everything below it is replaced as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// The NodeNetDiagnosis; `local` for a diagnosis without a cluster.
    #[schemars(length(min = 1, max = limits::NAME))]
    pub diagnosis: String,
    /// Its uid.
    #[serde(
        default,
        rename = "diagnosisUID",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = limits::UID))]
    pub diagnosis_uid: Option<String>,
    /// The run that this is the result of.
    pub run_generation: i64,
    /// `Running`, `Finished` or `Failed`.
    #[schemars(length(max = limits::WORD))]
    pub state: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub message: Option<String>,
    /// The time in which the agent watched; with `continuous` the last window that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub window: Option<Window>,
    /// The answer of that window in words; absent before its end, and from agents before this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub verdict: Option<WindowVerdict>,
    /// The findings, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::FINDINGS))]
    pub findings: Vec<Finding>,
    /// Findings of Warning or worse of earlier windows that are over, the newest first; kept for three windows or an
    /// hour, whichever is longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::RESOLVED))]
    pub resolved: Vec<ResolvedFinding>,
    /// Counters that rose, and where each increase went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LEDGER))]
    pub ledger: Vec<LedgerEntry>,
    /// The checks that could not be made, or only in part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::UNCHECKED))]
    pub unchecked: Vec<Unchecked>,
    /// The counts and samples that full maps and rings lost; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub lost: Option<Lost>,
    /// The parts that did not fit into this object; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub omitted: Option<Omitted>,
}

/// The answer of a window in words, as it was given when the window ended. It stays as it was when findings do not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowVerdict {
    /// The kind of answer: `Affected`, `Withheld` (it could not look), `Slight` (too few to act on), `Unserved` (no
    /// fault of this node), `Open` (wanted and unwanted packets cannot be told apart), `Costly` or `Clear`.
    #[schemars(length(max = limits::WORD))]
    pub answer: String,
    /// The first sentences, without the node's name.
    #[schemars(length(max = limits::PARAGRAPH))]
    pub sentence: String,
    /// Ids of the findings that it is about, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::ABOUT), inner(length(max = limits::FINDING_ID)))]
    pub about: Vec<String>,
    /// The number of these whose own summaries stand in the sentence.
    #[serde(default)]
    pub named: i64,
    /// The checks that were made, for how long, what was lost, and what such a window cannot see.
    #[schemars(length(max = limits::PARAGRAPH))]
    pub checked: String,
    /// The change that would let the agent check the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub next: Option<String>,
}

/// A finding that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedFinding {
    /// Its identity.
    #[schemars(length(max = limits::FINDING_ID))]
    pub id: String,
    /// Its first event of all windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Time>,
    /// Its last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
    /// The end of the first window that looked for it and did not find it; absent while no window could look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_time: Option<Time>,
}

/// The time in which the agent watched, by the node's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The time at which it began.
    pub start_time: Time,
    /// The time at which it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// Seconds it lasted, or is to last.
    pub duration_seconds: i32,
    /// The number of windows begun since the last that gave a result: an interrupted one is discarded and begun anew. 0
    /// when this node had no room for it.
    pub attempts: i32,
}

/// Something that could not be checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unchecked {
    /// The check it concerns.
    #[schemars(length(max = limits::WORD))]
    pub check: String,
    /// True when the check was made in part.
    #[serde(default)]
    pub partly: bool,
    /// True when all evidence was read, but something that the check looks for comes less often than the window is
    /// long.
    #[serde(default, skip_serializing_if = "is_false")]
    pub too_rare: bool,
    /// Why, and what would help.
    #[schemars(length(max = limits::PARAGRAPH))]
    pub reason: String,
}

/// The counts and samples that full maps and rings lost within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Packet samples.
    #[serde(default)]
    pub samples: i64,
    /// Drops that found the counting map full.
    #[serde(default)]
    pub map_entries: i64,
}

/// By how much the lists of a result are shorter than what was found, so that the object stays small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Omitted {
    /// Findings left out (only Info), or folded into one of the same check, cause and severity.
    #[serde(default)]
    pub findings: i64,
    /// Ledger entries summed into one of the same counter.
    #[serde(default)]
    pub ledger: i64,
    /// Facts left out of the findings that are listed.
    #[serde(default)]
    pub evidence: i64,
}
