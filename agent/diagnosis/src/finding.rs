//! What a detector says: a symptom (`check`), its proved cause, whom it hurts, and what ends it.

mod remedy;
mod subject;

use std::borrow::Cow;

use serde::Serialize;

pub use remedy::Remedy;
pub use subject::Subject;

/// How bad it is. The order is the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Severity {
    /// Harmless, or context for another finding; never makes a node affected.
    Info,
    /// Packets are lost, or will be.
    Warning,
    /// Traffic fails.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word that resources and output use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }
}

/// How sure the cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Confidence {
    /// Consistent with the evidence, not proved.
    Possible,
    /// The evidence fits no other known cause.
    Likely,
    /// Proved by the evidence.
    Certain,
}

impl Confidence {
    /// The word that resources and output use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "Possible",
            Self::Likely => "Likely",
            Self::Certain => "Certain",
        }
    }
}

/// A finding's identity: check, cause and subject, readable and the same in every window.
/// Made by [`Finding::new`] alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FindingId(String);

impl FindingId {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One fact that supports a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What was counted or read, readable on its own: `UNHANDLED_PROTO at __netif_receive_skb_core, dev bond0`.
    pub name: String,
    /// The value as text.
    pub value: String,
    /// Its unit (`frames`, `bytes`); empty for none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub unit: &'static str,
    /// Where it was read: `kfree_skb`, `netlink`, `/proc/net/ptype`.
    pub source: String,
}

impl Proof {
    /// A fact with its value and source.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "values are numbers and fresh strings; a reference at each call would only be noise"
    )]
    pub fn new(
        name: impl Into<String>,
        value: impl ToString,
        unit: &'static str,
        source: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
            unit,
            source: source.into(),
        }
    }
}

/// One proved symptom.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable identity.
    pub id: FindingId,
    /// The symptom: a detector's name.
    pub check: &'static str,
    /// What was proved about it: one of the detector's causes, or the kernel's own drop reason.
    pub cause: Cow<'static, str>,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What it is about.
    pub subject: Subject,
    /// One line, readable alone in a list.
    pub summary: String,
    /// What happens, in sentences.
    pub explanation: String,
    /// Whether and whom it hurts.
    pub impact: String,
    /// The facts.
    pub evidence: Vec<Proof>,
    /// Labelled lines of its own for people, such as `Sender`: (label, text).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<(&'static str, String)>,
    /// Findings that make this one happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caused_by: Vec<FindingId>,
    /// What this finding does to another that names it in `caused_by`, as a clause that follows "Because [n]".
    #[serde(skip)]
    pub consequence: String,
    /// Ordered, best first.
    pub remedies: Vec<Remedy>,
    /// Events within the window.
    pub count: u64,
    /// Milliseconds since the window began of its first event.
    pub first_ms: u64,
    /// The same of its last.
    pub last_ms: u64,
}

impl Finding {
    /// A finding with its identity and nothing said about it yet; the detector fills the rest.
    pub fn new(
        check: &'static str,
        cause: impl Into<Cow<'static, str>>,
        severity: Severity,
        subject: Subject,
    ) -> Self {
        let cause = cause.into();
        let key = subject.key();
        let id = if key.is_empty() {
            format!("{check}/{cause}")
        } else {
            format!("{check}/{cause}/{key}")
        };
        Self {
            id: FindingId(id),
            check,
            cause,
            severity,
            confidence: Confidence::Certain,
            subject,
            summary: String::new(),
            explanation: String::new(),
            impact: String::new(),
            evidence: Vec::new(),
            details: Vec::new(),
            caused_by: Vec::new(),
            consequence: String::new(),
            remedies: Vec::new(),
            count: 0,
            first_ms: 0,
            last_ms: 0,
        }
    }

    /// The page that explains this check.
    pub fn docs(&self) -> String {
        format!("docs/checks/{}.md", self.check)
    }
}

/// `1 packet`, `12 packets`: how texts of findings count.
pub(crate) fn counted_packets(count: u64) -> String {
    match count {
        1 => "1 packet".to_owned(),
        count => format!("{count} packets"),
    }
}

/// Something that could not be checked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unchecked {
    /// The check it concerns.
    pub check: &'static str,
    /// True when the check was made in part.
    pub partly: bool,
    /// Why, and what would help.
    pub reason: String,
}

/// Whether a drop hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Verdict {
    /// Nobody misses the packet.
    Benign,
    /// Somebody wanted it.
    Harmful,
    /// Not known.
    Unknown,
}

/// A detector's word on one key of the drop evidence: what it was and which finding explains it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// Index into [`crate::evidence::Drops::counts`].
    pub drop: usize,
    /// Whether it hurts.
    pub verdict: Verdict,
    /// Protocol by name, when known: `LLDP`.
    pub protocol: Option<String>,
    /// The finding that explains it.
    pub finding: FindingId,
}
