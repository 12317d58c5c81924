//! Types and reasons of conditions, and how a condition moves.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::limits;

/// NodeNetDiagnosis: work is going on.
pub const PROGRESSING: &str = "Progressing";
/// NodeNetDiagnosis: every node has finished, failed or is unreachable.
pub const COMPLETE: &str = "Complete";
/// NodeNetDiagnosis: nodes are affected, each by a finding of Warning or worse.
pub const FINDINGS_PRESENT: &str = "FindingsPresent";
/// NodeNetDiagnosis: something could not be looked at.
pub const DEGRADED: &str = "Degraded";
/// NodeNetReport: the agent is at work.
pub const READY: &str = "Ready";

/// Reasons of conditions.
pub mod reasons {
    /// Complete: every selected node reported.
    pub const ALL_REPORTED: &str = "AllReported";
    /// Complete: some nodes failed or did not answer in time.
    pub const GRACE_PERIOD_OVER: &str = "GracePeriodOver";
    /// Complete: a later run has the place of its results on some nodes, and the answer stands as it was then.
    pub const RESULTS_GONE: &str = "ResultsGone";
    /// Complete and Degraded: the spec selects no node.
    pub const NO_NODES_SELECTED: &str = "NoNodesSelected";
    /// Complete and Degraded: every node of the run was deleted.
    pub const NODES_DELETED: &str = "NodesDeleted";
    /// Progressing: windows are running. The others: the answer is yet to come.
    pub const RUNNING: &str = "Running";
    /// Progressing: nothing left to do.
    pub const COMPLETED: &str = "Complete";
    /// Progressing and Complete: `spec.suspend` is set.
    pub const SUSPENDED: &str = "Suspended";
    /// FindingsPresent: no loss was found.
    pub const NO_LOSS: &str = "NoLoss";
    /// FindingsPresent: no loss is proven; of some drops nobody can tell whether they are.
    pub const NO_PROVEN_LOSS: &str = "NoProvenLoss";
    /// FindingsPresent: packets are lost or late, or connections fail, and it asks for no act: too few of them, or no
    /// fault of the nodes.
    pub const NOTHING_TO_ACT_ON: &str = "NothingToActOn";
    /// FindingsPresent: packets were lost, and what explains them is not among what the diagnosis asks for.
    pub const NOT_ASKED_FOR: &str = "NotAskedFor";
    /// FindingsPresent: the worst is a Warning.
    pub const WARNING: &str = "Warning";
    /// FindingsPresent: the worst is Critical.
    pub const CRITICAL: &str = "Critical";
    /// FindingsPresent: nobody has reported yet.
    pub const NO_REPORT_YET: &str = "NoReportYet";
    /// Degraded: every check was made on every node that reported.
    pub const ALL_CHECKED: &str = "AllChecked";
    /// Degraded: some nodes were not checked, or in part. FindingsPresent: none was checked in full.
    pub const NODES_UNCHECKED: &str = "NodesUnchecked";
    /// Progressing: nodes get their assignments.
    pub const ASSIGNING: &str = "Assigning";
    /// Degraded: `spec.nodes.names` has names that no node has.
    pub const NODES_NOT_FOUND: &str = "NodesNotFound";
    /// Degraded: the controller could not give some nodes their part.
    pub const NODES_NOT_ASSIGNED: &str = "NodesNotAssigned";
    /// Degraded: some nodes already have as many diagnoses as an agent takes.
    pub const TOO_MANY_DIAGNOSES: &str = "TooManyDiagnoses";
    /// Ready: the agent watches its assignments.
    pub const AGENT_RUNNING: &str = "AgentRunning";
    /// Ready: the API server's CRD is older than the agent; fields that it does not have are left out.
    pub const SCHEMA_OLDER: &str = "SchemaOlder";
    /// Ready: the API server refused the full status, because its CRD is older than the agent.
    pub const SCHEMA_MISMATCH: &str = "SchemaMismatch";
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub enum Status {
    True,
    False,
    Unknown,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// True if a condition of this type is there and holds.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == type_ && condition.status == Status::True.as_str())
}

/// True if a condition of this type is there for this reason.
pub fn has_reason(conditions: &[Condition], type_: &str, reason: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == type_ && condition.reason == reason)
}

/// A condition as it is now. The time of its transition is that of the previous one of its type, unless the status
/// changed.
pub fn condition(
    previous: &[Condition],
    type_: &str,
    status: Status,
    reason: &str,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let unchanged = previous
        .iter()
        .find(|condition| condition.type_ == type_ && condition.status == status.as_str());
    Condition {
        type_: type_.to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.to_owned(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: unchanged.map_or_else(
            || Time::from(now),
            |condition| condition.last_transition_time.clone(),
        ),
    }
}

/// A list of `metav1.Condition` by type, bounded as Kubernetes bounds it for its own resources.
pub(crate) fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": limits::CONDITIONS,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "description": "What it is about.",
                    "type": "string", "minLength": 1, "maxLength": 316,
                },
                "status": {
                    "description": "True, False or Unknown.",
                    "type": "string", "maxLength": limits::WORD,
                },
                "reason": {
                    "description": "Why, as one word for programs.",
                    "type": "string", "minLength": 1, "maxLength": 1024,
                },
                "message": {
                    "description": "Why, for people.",
                    "type": "string", "maxLength": 32_768,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string", "format": "date-time",
                },
                "observedGeneration": {
                    "description": "The generation of the spec that it is about.",
                    "type": "integer", "format": "int64",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_of_transition_moves_with_the_status_alone() {
        let of = |previous: &[Condition], status, reason, now| {
            condition(previous, COMPLETE, status, reason, "", Some(1), now)
        };
        let first = of(&[], Status::False, reasons::RUNNING, at(10));
        assert_eq!(first.last_transition_time, Time::from(at(10)));
        let later = of(&[first], Status::False, reasons::NO_NODES_SELECTED, at(20));
        assert_eq!(later.reason, reasons::NO_NODES_SELECTED);
        assert_eq!(later.last_transition_time, Time::from(at(10)));
        let done = of(&[later], Status::True, reasons::ALL_REPORTED, at(30));
        assert_eq!(done.last_transition_time, Time::from(at(30)));
        assert!(has_reason(
            std::slice::from_ref(&done),
            COMPLETE,
            reasons::ALL_REPORTED
        ));
        assert!(is_true(&[done], COMPLETE));
    }
}
