//! A finding: a symptom, its proved cause, whom it hurts, and what ends it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// One proved symptom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Identity: check, cause and subject; the same in every window.
    #[schemars(length(max = limits::FINDING_ID))]
    pub id: String,
    /// The symptom.
    #[schemars(length(max = limits::WORD))]
    pub check: String,
    /// What was proved about it.
    #[schemars(length(max = limits::WORD))]
    pub cause: String,
    /// `Info`, `Warning` or `Critical`.
    #[schemars(length(max = limits::WORD))]
    pub severity: String,
    /// `Certain`, `Likely` or `Possible`.
    #[schemars(length(max = limits::WORD))]
    pub confidence: String,
    /// What it is about.
    #[serde(default)]
    pub subject: Subject,
    /// One line, readable alone.
    #[schemars(length(max = limits::LINE))]
    pub summary: String,
    /// What happens, in sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub explanation: Option<String>,
    /// Whether and whom it hurts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub impact: Option<String>,
    /// The facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::EVIDENCE))]
    pub evidence: Vec<Evidence>,
    /// Names of the neighbours, such as switches, that the packets announce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::NEIGHBOURS), inner(length(max = limits::LINE)))]
    pub neighbours: Vec<String>,
    /// Ids of the findings that make this one happen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::CAUSES), inner(length(max = limits::FINDING_ID)))]
    pub caused_by: Vec<String>,
    /// Ways to end it, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REMEDIES))]
    pub remedies: Vec<Remedy>,
    /// The number of findings that are folded into this one; absent when it stands for itself only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<i64>,
    /// Events within the window.
    #[serde(default)]
    pub count: i64,
    /// Its first event; with `continuous` the first of all windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Time>,
    /// Its last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
    /// The page that explains the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub docs: Option<String>,
}

/// What a finding is about; each part when it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Interface name in its own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub interface: Option<String>,
    /// Interface index in its own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<i64>,
    /// The network namespace, by name or number; absent for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub netns: Option<String>,
    /// The pod whose namespace it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME))]
    pub container: Option<String>,
    /// The process, as `comm (pid N)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub process: Option<String>,
    /// The protocol by its usual name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub protocol: Option<String>,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Its namespace.
    #[schemars(length(max = limits::NAME))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(max = limits::NAME))]
    pub name: String,
    /// Its uid.
    #[schemars(length(max = limits::UID))]
    pub uid: String,
}

/// One fact that supports a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was counted or read.
    #[schemars(length(max = limits::LINE))]
    pub name: String,
    /// The value.
    #[schemars(length(max = limits::LINE))]
    pub value: String,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub unit: Option<String>,
    /// Where it was read: `kfree_skb`, `netlink`, `/proc/net/ptype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub source: Option<String>,
}

/// One way to end a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remedy {
    /// What to do, a sentence.
    #[schemars(length(max = limits::PARAGRAPH))]
    pub text: String,
    /// The command for root on the node, quoted for a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::COMMAND))]
    pub command: Option<String>,
    /// What changes by it, side effects first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub effect: Option<String>,
}
