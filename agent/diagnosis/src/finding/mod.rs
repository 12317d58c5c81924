//! What a detector says: a symptom (`check`), its proved cause, whom it hurts, and what ends it.

mod claim;
mod confidence;
mod outcome;
mod proof;
mod remedy;
mod severity;
mod subject;
mod text;
mod unchecked;

use std::borrow::Cow;

use serde::Serialize;

pub use claim::{Claim, Verdict};
pub use confidence::Confidence;
pub use outcome::Outcome;
pub use proof::Proof;
pub use remedy::Remedy;
pub use severity::Severity;
pub use subject::Subject;
pub use text::Text;
pub use unchecked::Unchecked;

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
    /// Its sentences.
    pub text: Text,
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
    /// A finding with its identity and its sentences; the detector adds facts and remedies.
    pub fn new(
        check: &'static str,
        cause: impl Into<Cow<'static, str>>,
        severity: Severity,
        subject: Subject,
        text: Text,
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
            text,
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
