//! Refusals of a write, and what a schema that is older than the agent lacks.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use netdiag_client::{Undeclared, bounded::retry_after_of};
use tokio::time::Instant;

/// The API server's answers to a value that its schema does not allow.
const INVALID: [u16; 2] = [400, 422];
/// The API server's answer, with status 500, to a field that its schema does not have.
const UNKNOWN_FIELD: &str = "failed to create typed patch object";

/// The reason why a status was not written.
pub(super) enum WriteRefusal {
    /// The object does not fit the schema.
    Schema {
        reason: String,
        /// The fields that the schema does not have, if that is why.
        undeclared: Undeclared,
    },
    /// Anything that may pass, and how long the API server asks to wait.
    Other {
        reason: String,
        asked: Option<Duration>,
    },
}

impl WriteRefusal {
    pub(super) fn of(answer: &kube::core::Status) -> Self {
        let reason = answer.message.clone();
        if INVALID.contains(&answer.code) || reason.starts_with(UNKNOWN_FIELD) {
            Self::Schema {
                undeclared: Undeclared::of(answer),
                reason,
            }
        } else {
            Self::Other {
                reason,
                asked: retry_after_of(answer),
            }
        }
    }
}

/// A schema that refuses the whole status.
pub(super) struct OlderSchema {
    /// The fields that it does not have.
    pub undeclared: Undeclared,
    /// The first refusal.
    pub since: Timestamp,
    /// The last wait.
    pub pause: Duration,
    /// The moment at which the whole status is tried again: the CRD may have been updated.
    pub full_at: Instant,
}
