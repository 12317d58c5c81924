use serde::{Deserialize, Serialize};

/// Evidence of a probe on the path of every packet, which is attached only while a question needs it.
///
/// "Nothing asked for it" and "could not look" are different facts: the first is health, the second is `unchecked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum OnDemand<T> {
    /// No question came up within the window.
    Idle {
        /// The events that would have raised one, such as "no two interfaces are promiscuous and no reassembly failed".
        reason: String,
    },
    /// It was attached for part of the window or all of it.
    Ran {
        /// The observation that raised the question.
        question: String,
        /// The time at which it was attached, milliseconds after the start of the window.
        from_ms: u64,
        /// The time at which it was detached, milliseconds after the start of the window.
        until_ms: u64,
        /// The evidence.
        value: T,
    },
    /// A question came up, and it could not be attached.
    Unavailable {
        /// Why not.
        reason: String,
    },
}

impl<T> OnDemand<T> {
    /// The evidence that was taken while it was attached.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Ran { value, .. } => Some(value),
            Self::Idle { .. } | Self::Unavailable { .. } => None,
        }
    }

    /// Why there is no answer to a question that came up; `None` when nothing is missing.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Unavailable { reason } => Some(reason),
            Self::Idle { .. } | Self::Ran { .. } => None,
        }
    }
}

/// The value for recordings of releases without the probe: nobody asked.
impl<T> Default for OnDemand<T> {
    fn default() -> Self {
        Self::Idle {
            reason: "not watched".to_owned(),
        }
    }
}
