//! The result of a detector: a symptom (`check`), its proved cause, whom it hurts, and what ends it.

mod assessment;
mod claim;
mod confidence;
mod decision;
mod guard;
mod harm;
mod id;
mod outcome;
mod proof;
mod remedy;
mod severity;
mod share;
mod subject;
mod text;
mod unchecked;

pub use assessment::Assessment;
pub use claim::{Claim, Claims, Verdict};
pub use confidence::Confidence;
pub use decision::Decision;
pub use harm::{Culprit, Harm};
pub use id::FindingId;
pub use outcome::Outcome;
pub use proof::Proof;
pub use remedy::{Acts, Change, Place, Remedy};
pub use severity::Severity;
pub use share::Share;
pub use subject::Subject;
pub use text::Text;
pub use unchecked::{Unchecked, Unmade};

use crate::causes::{Check, Mechanism};

/// One proved symptom.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable identity.
    pub id: FindingId,
    /// The cause that was proved.
    pub cause: Mechanism,
    /// The harm, whether it was meant so, and who can end it.
    pub assessment: Assessment,
    /// The certainty of the cause.
    pub confidence: Confidence,
    /// The device, pod or process that the finding is about.
    pub subject: Subject,
    /// Its sentences.
    pub text: Text,
    /// The headline without numbers and places, for a cause that the kernel names; empty for one of the list, which has
    /// its own words.
    pub symptom: String,
    /// The facts.
    pub evidence: Vec<Proof>,
    /// Labelled lines of its own for people, such as `Sender`: (label, text).
    pub details: Vec<(&'static str, String)>,
    /// Names of the neighbours that the packets announce.
    pub neighbours: Vec<String>,
    /// Findings that make this one happen.
    pub caused_by: Vec<FindingId>,
    /// The effect of this finding on another that names it in `caused_by`, as a clause that follows "Because [n]".
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
        cause: impl Into<Mechanism>,
        assessment: Assessment,
        subject: Subject,
        text: Text,
    ) -> Self {
        let cause = cause.into();
        Self {
            id: FindingId::new(&cause, &subject),
            cause,
            assessment,
            confidence: Confidence::Certain,
            subject,
            text,
            symptom: String::new(),
            evidence: Vec::new(),
            details: Vec::new(),
            neighbours: Vec::new(),
            caused_by: Vec::new(),
            consequence: String::new(),
            remedies: Vec::new(),
            count: 0,
            first_ms: 0,
            last_ms: 0,
        }
    }

    /// The urgency, which follows from the assessment.
    pub fn severity(&self) -> Severity {
        self.assessment.severity()
    }

    /// The check that it belongs to.
    pub fn check(&self) -> &'static Check {
        self.cause.check()
    }
}
