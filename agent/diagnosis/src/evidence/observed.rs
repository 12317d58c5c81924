use serde::{Deserialize, Serialize};

/// Evidence that may be missing, in part or whole, with the reason in words a person can act on.
///
/// "None seen" and "could not look" are different facts; a detector that finds its evidence unavailable reports
/// `unchecked`, never silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Observed<T> {
    /// All of it was read.
    Complete {
        /// The evidence.
        value: T,
    },
    /// Some of it was read.
    Partial {
        /// The part that was read.
        value: T,
        /// The missing part and the reason.
        missing: String,
    },
    /// None of it was read.
    Unavailable {
        /// Why not.
        reason: String,
    },
}

impl<T> Observed<T> {
    /// The value that was read, complete or not.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Complete { value } | Self::Partial { value, .. } => Some(value),
            Self::Unavailable { .. } => None,
        }
    }

    /// Why it is incomplete; `None` when nothing is missing.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Complete { .. } => None,
            Self::Partial { missing, .. } => Some(missing),
            Self::Unavailable { reason } => Some(reason),
        }
    }
}

impl<T> Default for Observed<T> {
    fn default() -> Self {
        Self::Unavailable {
            reason: "not read".to_owned(),
        }
    }
}
