//! The sentences of a finding.

/// The sentences that every finding has. All three are demanded, so that a half-described finding does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The symptom with its cause in one line, readable without anything else.
    pub headline: String,
    /// The mechanism, in sentences.
    pub what: String,
    /// Who or what suffers, and how much.
    pub hurts: String,
}
