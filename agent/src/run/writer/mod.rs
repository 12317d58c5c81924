//! Writes the node's status by server-side apply: when something changed, once, and again with growing delays while
//! the API server does not take it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{utils::Backoff, watcher::DefaultBackoff},
};
use netdiag_client::bounded::retry_after_of;
use netdiag_crds::{GROUP, NodeNetReport, NodeNetReportStatus, VERSION, managers};
use serde_json::json;
use tokio::time::Instant;

use super::status;
use crate::causes::causes;

/// Should the backoff ever end; kube's goes on with 30 s.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// The interval at which a status that the schema refused is tried again in full: the CRD may have been updated.
const RETRY_REFUSED: Duration = Duration::from_secs(300);

/// The API server's answers to a value that its schema does not allow.
const INVALID: [u16; 2] = [400, 422];
/// The API server's answer, with status 500, to a field that its schema does not have.
const UNKNOWN_FIELD: &str = "failed to create typed patch object";

/// One object's status, as it should be and as it was last written.
pub(super) struct Writer {
    api: Api<DeserializeGuard<NodeNetReport>>,
    name: String,
    wanted: Option<NodeNetReportStatus>,
    written: Option<NodeNetReportStatus>,
    due: Option<Instant>,
    /// Writes fail: only the timer tries again, whatever changes meanwhile.
    failing: bool,
    backoff: DefaultBackoff,
    /// Since when the schema refuses the full status.
    refused_since: Option<Timestamp>,
}

impl Writer {
    /// A writer of the report of this name.
    pub(super) fn new(api: Api<DeserializeGuard<NodeNetReport>>, name: String) -> Self {
        Self {
            api,
            name,
            wanted: None,
            written: None,
            due: None,
            failing: false,
            backoff: DefaultBackoff::default(),
            refused_since: None,
        }
    }

    /// The object is another one, or was seen for the first time, with this status.
    pub(super) fn found(&mut self, status: Option<NodeNetReportStatus>) {
        self.written = status;
        // What was wanted of the one before is no reason to believe that its write is under way.
        self.wanted = None;
    }

    /// The object is gone.
    pub(super) fn gone(&mut self) {
        self.written = None;
        self.wanted = None;
        self.nothing_to_write();
    }

    /// Sets the status to write from now on, and the time that a change may wait.
    pub(super) fn want(&mut self, status: NodeNetReportStatus, delay: Duration) {
        if self.written.as_ref() == Some(&status) {
            self.nothing_to_write();
        } else if !self.failing && self.wanted.as_ref() != Some(&status) {
            let due = Instant::now() + delay;
            self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        }
        self.wanted = Some(status);
    }

    /// Makes a write due at once if it waits only because it was given time.
    pub(super) fn hurry(&mut self) {
        if !self.failing && self.refused_since.is_none() {
            self.due = self.due.map(|due| due.min(Instant::now()));
        }
    }

    /// Waits until a write is due; for ever when there is nothing to write. Safe to cancel.
    pub(super) async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Writes what is wanted now, if it is not written yet.
    pub(super) async fn write(&mut self) {
        let Some(status) = self.wanted.clone() else {
            return;
        };
        if self.written.as_ref() == Some(&status) {
            self.nothing_to_write();
            return;
        }
        match self.apply(&status).await {
            Ok(()) => {
                self.refused_since = None;
                self.done(Some(status), None);
            }
            Err(WriteRefusal::Schema(reason)) => {
                tracing::warn!(
                    node = self.name,
                    reason,
                    "The API server refused the status, its CRD may be older than this agent; writing the least"
                );
                let since = *self.refused_since.get_or_insert_with(Timestamp::now);
                match self.apply(&status::minimal(&status, &reason, since)).await {
                    Ok(()) => self.done(None, Some(Instant::now() + RETRY_REFUSED)),
                    Err(refusal) => self.try_later(&refusal),
                }
            }
            Err(refusal) => self.try_later(&refusal),
        }
    }

    /// Without a write that waits there is none that fails: the next change must not wait for it.
    fn nothing_to_write(&mut self) {
        self.due = None;
        self.failing = false;
    }

    fn done(&mut self, written: Option<NodeNetReportStatus>, due: Option<Instant>) {
        tracing::debug!(node = self.name, "Wrote the status");
        self.written = written;
        self.due = due;
        self.failing = false;
        self.backoff.reset();
    }

    fn try_later(&mut self, refusal: &WriteRefusal) {
        let (reason, asked) = match refusal {
            WriteRefusal::Schema(reason) => (reason, None),
            WriteRefusal::Other { reason, asked } => (reason, *asked),
        };
        let delay = self.backoff.next().unwrap_or(LAST_RETRY);
        let delay = asked.map_or(delay, |asked| asked.max(delay));
        tracing::warn!(
            node = self.name,
            reason,
            ?delay,
            "Could not write the status"
        );
        self.failing = true;
        self.due = Some(Instant::now() + delay);
    }

    async fn apply(&self, status: &NodeNetReportStatus) -> Result<(), WriteRefusal> {
        let body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "NodeNetReport",
            "metadata": {"name": self.name},
            "status": status,
        });
        let parameters = PatchParams::apply(managers::AGENT).force();
        let patch = Patch::Apply(&body);
        let write = self.api.patch_status(&self.name, &parameters, &patch);
        match write.await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(answer)) => Err(WriteRefusal::of(&answer)),
            Err(error) => Err(WriteRefusal::Other {
                reason: causes(&error),
                asked: None,
            }),
        }
    }
}

enum WriteRefusal {
    /// The object does not fit the schema.
    Schema(String),
    /// Anything that may pass, and how long the API server asks to wait.
    Other {
        reason: String,
        asked: Option<Duration>,
    },
}

impl WriteRefusal {
    fn of(answer: &kube::core::Status) -> Self {
        let message = answer.message.clone();
        if INVALID.contains(&answer.code) || message.starts_with(UNKNOWN_FIELD) {
            Self::Schema(message)
        } else {
            Self::Other {
                reason: message,
                asked: retry_after_of(answer),
            }
        }
    }
}

#[cfg(test)]
mod tests;
