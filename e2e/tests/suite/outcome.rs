//! The questions that tests ask of a report.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use netdiag_e2e::lab::Watched;
use netdiag_e2e::{process, programs};
use serde_json::Value;

/// The result of a diagnosis.
pub struct Outcome {
    /// The NodeNetDiagnosis; null where no cluster asked.
    pub diagnosis: Value,
    /// The node's result in its NodeNetReport.
    pub result: Value,
    /// The evidence that it comes from; null where a cluster asked.
    pub evidence: Value,
    /// The file with that evidence.
    pub recording: Option<PathBuf>,
}

impl Outcome {
    /// Of a window without a cluster.
    pub fn of_watched(watched: &Watched) -> Result<Self> {
        let recording = fs::read(&watched.recording)?;
        let mut recording: Value = serde_json::from_slice(&recording)?;
        Ok(Self {
            diagnosis: Value::Null,
            result: watched.report["status"]["results"][0].clone(),
            evidence: recording["evidence"].take(),
            recording: Some(watched.recording.clone()),
        })
    }

    /// Asserts how bad the diagnosis says it is, where a cluster asked.
    #[track_caller]
    pub fn assert_rolled_up(&self, severity: &str) {
        if !self.diagnosis.is_null() {
            let summary = &self.diagnosis["status"]["summary"];
            assert_eq!(summary["severity"], severity, "{summary:#}");
        }
    }

    /// Asserts how many nodes the diagnosis says are affected, where a cluster asked.
    #[track_caller]
    pub fn assert_affected(&self, count: u64) {
        if !self.diagnosis.is_null() {
            let nodes = &self.diagnosis["status"]["nodes"];
            assert_eq!(nodes["affected"], count, "{nodes:#}");
        }
    }

    /// The one finding of that check and cause on an interface of the node's own namespace.
    #[track_caller]
    pub fn finding(&self, check: &str, cause: &str, interface: &str) -> &Value {
        self.finding_in("", check, cause, interface)
    }

    /// The same in a pod's namespace; the pod by its name, empty for the node's own.
    #[track_caller]
    pub fn finding_in(&self, pod: &str, check: &str, cause: &str, interface: &str) -> &Value {
        let matches = |finding: &&Value| {
            let subject = &finding["subject"];
            finding["check"] == check
                && finding["cause"] == cause
                && subject["interface"] == interface
                && subject["pod"]["name"].as_str().unwrap_or("") == pod
        };
        let found: Vec<&Value> = self.all().iter().filter(matches).collect();
        match found[..] {
            [finding] => finding,
            _ => panic!("{} findings in {:#}", found.len(), self.result),
        }
    }

    /// Every finding.
    pub fn all(&self) -> &Vec<Value> {
        static NONE: Vec<Value> = Vec::new();
        self.result["findings"].as_array().unwrap_or(&NONE)
    }

    /// Findings of Warning or worse about the node or its pods. The agent sees every namespace of the machine that the
    /// test runs on, and what goes on in others is not the test's.
    pub fn alarming(&self) -> Vec<&Value> {
        let ours = |finding: &&Value| {
            let subject = &finding["subject"];
            subject["netns"].is_null() || subject["pod"]["namespace"] == "shop"
        };
        let alarming = |finding: &&Value| finding["severity"] != "Info";
        self.all().iter().filter(ours).filter(alarming).collect()
    }

    /// Findings of Warning or worse about others on the machine that the test runs on.
    pub fn is_disturbed(&self) -> bool {
        let alarming = self.all().iter();
        let alarming = alarming.filter(|finding| finding["severity"] != "Info");
        alarming.count() > self.alarming().len()
    }

    /// The sentence that a person reads first: in the columns and conditions of a diagnosis, or in the text that the
    /// agent makes of its recording.
    pub fn first_sentence(&self) -> Result<String> {
        if let Some(recording) = &self.recording {
            let mut replay = Command::new(programs::agent()?);
            replay.args(["diagnose", "--replay"]).arg(recording);
            let text = process::run(&mut replay)?;
            let first = text.split("\n\n").next().unwrap_or_default();
            return Ok(first.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let status = &self.diagnosis["status"];
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let mut found = conditions.filter(|one| one["type"] == "FindingsPresent");
        let message = found.next().map(|one| &one["message"]);
        let parts = [message, Some(&status["summary"]["topFinding"])];
        let parts: Vec<&str> = parts
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        Ok(parts.join(". "))
    }

    /// The agent says that this kernel gives no drop reasons.
    pub fn has_no_reasons(&self) -> bool {
        let unchecked = self.result["unchecked"].as_array();
        unchecked
            .into_iter()
            .flatten()
            .any(|entry| entry["reason"].to_string().contains("no drop reasons"))
    }

    /// A counter's ledger entry; `netns` is a pod as `namespace/name`, empty for the node's own namespace.
    pub fn ledger(&self, netns: &str, interface: &str, counter: &str) -> Option<&Value> {
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("").to_owned();
        self.result["ledger"].as_array()?.iter().find(|entry| {
            text(entry, "netns").ends_with(netns)
                && text(entry, "netns").is_empty() == netns.is_empty()
                && text(entry, "interface") == interface
                && text(entry, "counter") == counter
        })
    }

    /// Asserts that a counter rose by this much in the ledger, all of it explained.
    #[track_caller]
    pub fn assert_explained(&self, netns: &str, interface: &str, counter: &str, increase: u64) {
        let entry = self.ledger(netns, interface, counter);
        let entry = entry.unwrap_or_else(|| panic!("no entry in {:#}", self.result["ledger"]));
        assert_eq!(entry["increase"], increase, "{entry:#}");
        assert_eq!(entry["unexplained"], 0, "{entry:#}");
        assert_eq!(sum(entry), increase, "{entry:#}");
        assert!(rows(entry).iter().all(is_known), "{entry:#}");
    }

    /// The same where packets are dropped so close together that one may come while the probe is busy with another on
    /// the same CPU: at least 98 % is explained.
    #[track_caller]
    pub fn assert_nearly_explained(&self, interface: &str, counter: &str, increase: u64) {
        let entry = self.ledger("", interface, counter);
        let entry = entry.unwrap_or_else(|| panic!("no entry in {:#}", self.result["ledger"]));
        // The window goes on for a moment after the fault.
        let rose = entry["increase"].as_u64().unwrap();
        let few_more = (increase..=increase + increase / 50).contains(&rose);
        assert!(few_more, "{increase}: {entry:#}");
        assert!(is_nearly(sum(entry), rose), "{entry:#}");
        assert!(rows(entry).iter().all(is_known), "{entry:#}");
    }

    /// Asserts that every ledger entry balances.
    #[track_caller]
    pub fn assert_balanced(&self) {
        for entry in self.result["ledger"].as_array().into_iter().flatten() {
            let unexplained = entry["unexplained"].as_u64().unwrap();
            assert_eq!(entry["increase"], sum(entry) + unexplained, "{entry:#}");
        }
    }
}

/// Words that claim a loss that somebody misses.
const CLAIMS: [&str; 13] = [
    "packet loss found",
    "loss on ",
    "packets lost",
    "is lost",
    "are lost",
    "was lost",
    "were lost",
    "arrive late",
    "come about late",
    "connections fail",
    "do not get through",
    "things fail",
    "gets nothing",
];
/// Words that say what such a loss is not.
const DENIALS: [&str; 4] = [
    "no packet loss found",
    "no loss",
    "no packets lost",
    "no packets are lost",
];
/// Words after which a loss is said to be nobody's, or too small.
const QUALIFICATIONS: [&str; 2] = ["too few to act on", "no fault found"];

/// Some clause claims that something is lost which somebody misses. What was lost but is too little to act on is said as
/// that in the same clause.
pub fn claims_loss(sentence: &str) -> bool {
    let sentence = sentence.to_lowercase().replace(". ", "; ");
    sentence.split(';').any(|clause| {
        let denied = DENIALS
            .iter()
            .fold(clause.to_owned(), |left, denial| left.replace(denial, ""));
        let is_qualified = QUALIFICATIONS.iter().any(|words| clause.contains(words));
        !is_qualified && CLAIMS.iter().any(|claim| denied.contains(claim))
    })
}

/// At least 98 % of it, and no more than it.
pub fn is_nearly(counted: u64, increase: u64) -> bool {
    counted <= increase && (increase - counted) * 50 <= increase
}

/// The rows that an entry was booked to.
pub fn rows(entry: &Value) -> &[Value] {
    entry["explained"].as_array().map_or(&[], Vec::as_slice)
}

/// Packets of one row.
pub fn booked(row: &Value) -> u64 {
    row["count"].as_u64().unwrap_or(0)
}

/// Somebody has said whether these packets hurt.
pub fn is_known(row: &Value) -> bool {
    row["verdict"] != "Unknown"
}

fn sum(entry: &Value) -> u64 {
    rows(entry).iter().map(booked).sum()
}

#[test]
fn a_claim_of_loss_is_told_from_its_denial() {
    for claim in [
        "node-17: packet loss found. Warning: eth0 dropped 3 packets.",
        "loss on 1 node. TapQueueDrop/ReceiveQueueFull: VM queue full",
        "node-17: new connections fail. The connection tracking table is full.",
        "node-17: 155 of 19400 packets (0.8 %) were lost on eth0.",
        "155 packets lost on 1 node.",
        "packets do not get through on 2 nodes, packets lost on 1",
        "connections fail on 1 node; of the others 3 lost too few packets to act on",
    ] {
        assert!(claims_loss(claim), "{claim}");
    }
    for none in [
        "node-3: no packet loss found. Refused as meant: 40 packets by packet filter rules.",
        "no loss found on 1 node; 1 have harmless findings, 0 none. none: no loss in 35 s on 1 node",
        "node-8: 2 of 90211 packets were lost on eth0, too few to act on.",
        "12 packets lost on 1 node, too few to act on.",
        "packets to absent destinations do not get through on 1 node, no fault found.",
        "node-7: no proven loss. 412 drops on eth0 cannot be told apart.",
        "node-2: no fault of this node found. 10.244.9.17 does not answer.",
    ] {
        assert!(!claims_loss(none), "{none}");
    }
}
