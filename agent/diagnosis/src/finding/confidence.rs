//! The confidence in a finding's cause.

/// The confidence in a cause, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
