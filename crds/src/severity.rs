//! The severity of a finding, where a person chooses it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The severity of a finding. The order is the order of severity.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Severity {
    /// Harmless, or context for another finding; never makes a node affected.
    #[default]
    Info,
    /// Packets are lost, or will be.
    Warning,
    /// Traffic fails.
    Critical,
}

impl Severity {
    /// The word that resources use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }

    /// The severity of a status field. A word of a newer agent counts as the worst: it must not hide.
    pub fn from_status(word: &str) -> Self {
        match word {
            "Info" => Self::Info,
            "Warning" => Self::Warning,
            _ => Self::Critical,
        }
    }
}
