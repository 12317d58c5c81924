use serde::{Deserialize, Serialize};

use super::Capability;

/// A part of the evidence that was not read, in words a person can act on and as a type that other code decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The part and the reason, for people.
    pub text: String,
    /// The kind of reason.
    pub why: Why,
}

/// The kind of reason for which evidence is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// An attempt failed, or a limit was reached. Recordings of older releases name no other kind.
    #[default]
    Failed,
    /// This kernel, or this build of the agent, cannot do it.
    Unsupported,
    /// This process may not do it.
    Permission {
        /// The capabilities that it lacks for that; empty where a setting or a security module forbids it.
        capabilities: Vec<Capability>,
    },
}

impl Missing {
    /// A part that is missing because an attempt failed or a limit was reached.
    pub fn failed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            why: Why::Failed,
        }
    }

    /// A part that this kernel, or this build of the agent, cannot give.
    pub fn unsupported(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            why: Why::Unsupported,
        }
    }

    /// A part that this process may not read.
    pub fn not_permitted(text: impl Into<String>, capabilities: Vec<Capability>) -> Self {
        Self {
            text: text.into(),
            why: Why::Permission { capabilities },
        }
    }
}

impl Why {
    /// The kind for two parts together: the one that a person can change, with all capabilities that are missing.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Permission { mut capabilities },
                Self::Permission {
                    capabilities: others,
                },
            ) => {
                for one in others {
                    if !capabilities.contains(&one) {
                        capabilities.push(one);
                    }
                }
                Self::Permission { capabilities }
            }
            (permission @ Self::Permission { .. }, _)
            | (_, permission @ Self::Permission { .. }) => permission,
            (Self::Unsupported, _) | (_, Self::Unsupported) => Self::Unsupported,
            (Self::Failed, Self::Failed) => Self::Failed,
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        *self == Self::Failed
    }
}
