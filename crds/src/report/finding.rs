//! A finding: a symptom, its proved cause, whom it hurts, and what ends it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    harm::{Culprit, Harm, Suffering},
    limits,
    severity::Severity,
};

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
    /// The cause that was proved.
    #[schemars(length(max = limits::WORD))]
    pub cause: String,
    /// The effect on the packets: `None` (nobody misses them), `Cost` (they arrive, with more CPU or less throughput),
    /// `Delay` (they arrive late), `Loss`, `Outage` (of a flow, a service or a device nothing gets through), or
    /// `Unknown`. Absent: an agent before this field wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub harm: Option<String>,
    /// True for what somebody decided: a rule, a policy, a closed port, a shaper. Always `Info`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decision: bool,
    /// With `decision`, who decided: `Rule` (the packet filter), `Program` (tc, XDP, BPF), `Policy` (IPsec, a security
    /// module, a device's filter), `Setting`, `ClosedPort`, or `Several`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub decided_by: Option<String>,
    /// True where samples prove that connections died: nothing gets through of `flows`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub connections_died: bool,
    /// The place where a change would end it: `Here`, `Elsewhere` (another host, the peer, the wire) or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub culprit: Option<String>,
    /// The packets that `harm` is about, within the window; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<i64>,
    /// Packets that were carried in the same direction meanwhile; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<i64>,
    /// True if the destination is nobody's whom this node serves, or had gone away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub towards_nobody: bool,
    /// Some of the flows that it was seen to hit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::FLOWS), inner(length(max = limits::LINE)))]
    pub flows: Vec<String>,
    /// `Info`, `Warning` or `Critical`.
    #[schemars(length(max = limits::WORD))]
    pub severity: String,
    /// `Certain`, `Likely` or `Possible`.
    #[schemars(length(max = limits::WORD))]
    pub confidence: String,
    /// The subject.
    #[serde(default)]
    pub subject: Subject,
    /// One line, readable by itself.
    #[schemars(length(max = limits::LINE))]
    pub summary: String,
    /// The same without numbers and places, as a roll-up has it, for a cause that is the kernel's own name. Absent for
    /// others: a roll-up has words for these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub symptom: Option<String>,
    /// The events in the kernel, in sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub explanation: Option<String>,
    /// The answer whether it hurts, and whom.
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
    /// The effect on a finding that names this one in `causedBy`, as a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub consequence: Option<String>,
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
    /// The address of the page that explains the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub docs: Option<String>,
}

impl Finding {
    /// Whom it hurts. A report without `harm` is an older agent's: `Loss` where its severity is Warning or worse, else
    /// `Unknown`.
    pub fn harm(&self) -> Harm {
        match &self.harm {
            Some(word) => Harm::from_status(word),
            None if Severity::from_status(&self.severity) > Severity::Info => Harm::Loss,
            None => Harm::Unknown,
        }
    }

    /// The suffering of the traffic.
    pub fn suffering(&self) -> Suffering {
        let harm = self.harm();
        Suffering {
            harm,
            connections_died: harm == Harm::Outage && self.connections_died,
        }
    }

    /// The place where a change would end it.
    pub fn culprit(&self) -> Culprit {
        let known = self.culprit.as_deref().map(Culprit::from_status);
        known.unwrap_or_default()
    }
}

/// True if a flag that is left out when it is not set can be left out.
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

/// The subject of a finding; each part when it is known.
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
    /// The thing that was counted or read.
    #[schemars(length(max = limits::LINE))]
    pub name: String,
    /// The value.
    #[schemars(length(max = limits::LINE))]
    pub value: String,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub unit: Option<String>,
    /// The place where it was read: `kfree_skb`, `netlink`, `/proc/net/ptype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub source: Option<String>,
}

/// One way to end a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remedy {
    /// `Look` (changes nothing) or `Change`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub kind: Option<String>,
    /// The act, as a sentence.
    #[schemars(length(max = limits::PARAGRAPH))]
    pub text: String,
    /// The command for root on the node, quoted for a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::COMMAND))]
    pub command: Option<String>,
    /// The place to do it: this node, another host by name, or `any host with kubectl`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LINE))]
    pub place: Option<String>,
    /// The time at which it acts: `Now`, `NextSocket` (for sockets opened from then on), `NextListen` (after the next
    /// listen() of the program) or `Elsewhere` (it is done on another host).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::WORD))]
    pub acts: Option<String>,
    /// The command that takes it back, with the values that are set now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::COMMAND))]
    pub undo: Option<String>,
    /// The changes that it makes, side effects first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub effect: Option<String>,
    /// The file or field that keeps it, on one node and on a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PARAGRAPH))]
    pub lasting: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_agents_finding_has_the_harm_that_its_severity_says() {
        let finding = |harm: Option<&str>, severity: &str| Finding {
            harm: harm.map(str::to_owned),
            severity: severity.to_owned(),
            ..Finding::default()
        };
        assert_eq!(finding(None, "Critical").harm(), Harm::Loss);
        assert_eq!(finding(None, "Warning").harm(), Harm::Loss);
        assert_eq!(finding(None, "Info").harm(), Harm::Unknown);
        assert_eq!(finding(Some("Outage"), "Info").harm(), Harm::Outage);
        assert_eq!(finding(Some("None"), "Warning").harm(), Harm::None);
        assert_eq!(finding(None, "Info").culprit(), Culprit::Unknown);
    }

    #[test]
    fn a_finding_of_the_first_release_reads_and_writes_unchanged() {
        let old = serde_json::json!({
            "id": "a", "check": "LinkMtu", "cause": "PeerMtuSmaller", "severity": "Critical", "confidence": "Certain",
            "subject": {}, "summary": "s", "count": 1, "remedies": [{"text": "t", "command": "c", "effect": "e"}],
        });
        let finding: Finding = serde_json::from_value(old.clone()).unwrap();
        assert!(!finding.decision && finding.packets.is_none());
        assert_eq!(serde_json::to_value(&finding).unwrap(), old);
    }
}
