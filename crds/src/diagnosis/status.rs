//! The answer of the controller.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{conditions, limits, report::is_false};

/// The findings on the selected nodes. Written only by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeNetDiagnosisStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The number of the run: 1, and one more with each new one. Results of another run are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_generation: Option<i64>,
    /// Fingerprint of the fields of the spec that begin a new run when they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub run_inputs: Option<String>,
    /// With `once`: the nodes of the run are chosen, and no other joins it.
    #[serde(default)]
    pub nodes_frozen: bool,
    /// With `once`: names of the nodes that were selected when the run began and still exist. `omitted` counts those
    /// that did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::MEMBERS), inner(length(max = limits::NAME)))]
    pub members: Option<Vec<String>>,
    /// The time for which the run has been going on, as of this status: the time in which the controller was at work
    /// and the API server answered it. Deadlines count in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_seconds: Option<i64>,
    /// `Progressing`, `Complete`, `FindingsPresent` and `Degraded`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::list")]
    pub conditions: Vec<Condition>,
    /// The columns of `kubectl get`, derived from the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The numbers of nodes by state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// The nodes that `nodes.all` leaves out, where it leaves out any or could not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// Counters that rose, all nodes together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::FLEET_LEDGER))]
    pub ledger: Vec<FleetCounter>,
    /// Findings of all nodes by check, cause, severity and protocol, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::FLEET_FINDINGS))]
    pub findings: Vec<FleetFinding>,
    /// Every node with a finding, worst first, as many as fit; `omitted` counts the rest. The proof is in the node's
    /// NodeNetReport.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::NODE_FINDINGS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub node_findings: Vec<NodeFindings>,
    /// The parts that did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<Omitted>,
    /// The time at which the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// The time at which the run was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
}

/// The columns of `kubectl get nnd`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// `Once` or `Continuous`.
    #[schemars(length(max = limits::WORD))]
    pub mode: String,
    /// The state of the run: `Running`, `Suspended`, `Complete` or `Degraded`.
    #[schemars(length(max = limits::WORD))]
    pub state: String,
    /// Nodes that reported, of those selected: `212/300`.
    #[schemars(length(max = limits::WORD))]
    pub nodes: String,
    /// Nodes with a finding of Warning or worse.
    #[schemars(length(max = limits::WORD))]
    pub affected: String,
    /// Worst severity; empty for none.
    #[schemars(length(max = limits::WORD))]
    pub severity: String,
    /// The worst finding in a few words.
    #[schemars(length(max = limits::LINE))]
    pub top_finding: String,
}

/// The numbers of nodes by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// Selected by the spec.
    pub selected: i32,
    /// Reported a result of this run, a failed one too.
    pub reported: i32,
    /// Have a finding of Warning or worse.
    pub affected: i32,
    /// Gave no answer in time.
    pub unreachable: i32,
    /// Reported that they failed.
    pub failed: i32,
    /// Have no room for another diagnosis.
    #[serde(default)]
    pub refused: i32,
    /// Could not be given their part by the controller.
    #[serde(default)]
    pub not_assigned: i32,
    /// Match the spec but can have no agent, and are not selected: no Linux, or not covered by the DaemonSet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_covered: i32,
}

fn is_zero(count: &i32) -> bool {
    *count == 0
}

/// The nodes that can have no agent, which `nodes.all` does not select.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Some of them, in order; `nodes.notCovered` is their number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::EXAMPLE_NODES), inner(length(max = limits::NAME)))]
    pub not_covered: Vec<String>,
    /// The reason why the agents' DaemonSet could not be read. Then every Linux node is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub unread: Option<String>,
}

/// A counter over all nodes: `increase` is the sum of the four parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetCounter {
    /// The counter in the kernel's spelling.
    #[schemars(length(max = limits::WORD))]
    pub counter: String,
    /// The increase.
    pub increase: i64,
    /// Booked to something that hurts nobody.
    pub benign: i64,
    /// Booked to loss.
    pub harmful: i64,
    /// Booked to something of which it is not known whether it hurts.
    pub unknown: i64,
    /// Booked to nothing.
    pub unexplained: i64,
}

/// A finding over all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetFinding {
    /// The symptom.
    #[schemars(length(max = limits::WORD))]
    pub check: String,
    /// The cause that was proved.
    #[schemars(length(max = limits::WORD))]
    pub cause: String,
    /// The effect on the packets: `None`, `Cost`, `Delay`, `Loss`, `Outage` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub harm: Option<String>,
    /// True for what somebody decided: a rule, a policy, a closed port, a shaper.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decision: bool,
    /// The severity.
    #[schemars(length(max = limits::WORD))]
    pub severity: String,
    /// The protocol, where the finding is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub protocol: Option<String>,
    /// Nodes that have it.
    pub nodes: i32,
    /// Some of them.
    #[schemars(length(max = limits::EXAMPLE_NODES), inner(length(max = limits::NAME)))]
    pub example_nodes: Vec<String>,
    /// One line.
    #[schemars(length(max = limits::LINE))]
    pub summary: String,
    /// The properties that its nodes share and the others have not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::COMMON_FACTORS))]
    pub common_factors: Vec<CommonFactor>,
}

/// Something that nodes with a finding have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommonFactor {
    /// The property: `kernel 6.1.0-56-cloud-amd64`, `node label pool=vm-small`; in brackets others that exactly the same
    /// nodes have.
    #[schemars(length(max = limits::LINE))]
    pub factor: String,
    /// Nodes with the finding that have it, of all with the finding: `12/12`.
    #[schemars(length(max = limits::WORD))]
    pub affected: String,
    /// Nodes without the finding that have it, of all without: `4/288`.
    #[schemars(length(max = limits::WORD))]
    pub unaffected: String,
}

/// The findings of one node in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeFindings {
    /// The node.
    #[schemars(length(max = limits::NAME))]
    pub name: String,
    /// Its findings, worst first, 32 at most; its NodeNetReport has the rest.
    #[schemars(length(max = limits::FINDINGS_PER_NODE))]
    pub findings: Vec<NodeFinding>,
}

/// A finding of one node in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeFinding {
    /// The symptom.
    #[schemars(length(max = limits::WORD))]
    pub check: String,
    /// The cause that was proved.
    #[schemars(length(max = limits::WORD))]
    pub cause: String,
    /// The effect on the packets: `None`, `Cost`, `Delay`, `Loss`, `Outage` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub harm: Option<String>,
    /// True for what somebody decided: a rule, a policy, a closed port, a shaper.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decision: bool,
    /// The severity.
    #[schemars(length(max = limits::WORD))]
    pub severity: String,
    /// The interface it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub interface: Option<String>,
    /// The pod it is about, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::FINDING_ID))]
    pub pod: Option<String>,
    /// The protocol it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub protocol: Option<String>,
    /// One line.
    #[schemars(length(max = limits::LINE))]
    pub summary: String,
    /// The cause of this cause, as check/cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub caused_by: Option<String>,
    /// The first remedy's command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::COMMAND))]
    pub command: Option<String>,
    /// The command that takes that one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::COMMAND))]
    pub undo: Option<String>,
}

/// The parts that did not fit into the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Omitted {
    /// Nodes with findings that `nodeFindings` leaves out, the mildest.
    pub nodes: i32,
    /// Rolled-up findings that `findings` leaves out, the mildest.
    pub findings: i32,
    /// Selected nodes that `members` has no room for; they are not assigned.
    #[serde(default)]
    pub members: i32,
}
