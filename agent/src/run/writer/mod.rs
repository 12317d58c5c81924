//! Writes the node's status by server-side apply: when something changed, once, and again with growing delays while
//! the API server does not take it.
//!
//! Under a CRD that is older than this agent the fields go that it does not have; everything else is written. Only what
//! is refused for another reason is written as the least.

mod refusal;

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{utils::Backoff, watcher::DefaultBackoff},
};
use netdiag_client::Undeclared;
use netdiag_crds::{GROUP, NodeNetReport, NodeNetReportStatus, VERSION, managers};
use serde_json::json;
use tokio::time::Instant;

use self::refusal::{OlderSchema, WriteRefusal};
use super::status;
use crate::causes::causes;

/// Should the backoff ever end; kube's goes on with 30 s.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// The longest wait until a status that the schema refused is tried again in full: the CRD may have been updated.
const RETRY_REFUSED: Duration = Duration::from_secs(300);
/// The first one, doubled each time: programs and CRDs are often updated together.
const FIRST_RETRY_REFUSED: Duration = Duration::from_secs(20);
/// Writes after which a schema that lacks ever more fields is given up. One write learns what one
/// object of the schema lacks.
const MOST_ATTEMPTS: usize = 32;

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
    /// The schema refuses the whole status.
    older: Option<OlderSchema>,
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
            older: None,
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
        self.older = None;
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
        if !self.failing {
            self.due = self.due.map(|due| due.min(Instant::now()));
        }
    }

    /// Waits until a write is due; for ever when there is nothing to write. Safe to cancel.
    pub(super) async fn due(&self) {
        let in_full = self.older.as_ref().map(|older| older.full_at);
        let in_full = in_full.filter(|_| self.wanted.is_some() && !self.failing);
        match self.due.into_iter().chain(in_full).min() {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Writes what is wanted now, if it is not written yet.
    pub(super) async fn write(&mut self) {
        let Some(status) = self.wanted.clone() else {
            return;
        };
        let now = Instant::now();
        let in_full = self
            .older
            .as_ref()
            .is_some_and(|older| older.full_at <= now);
        if self.written.as_ref() == Some(&status) && !in_full {
            self.nothing_to_write();
            return;
        }
        let known = self.older.as_ref().filter(|_| !in_full);
        let mut undeclared =
            known.map_or_else(Undeclared::default, |older| older.undeclared.clone());
        for _ in 0..MOST_ATTEMPTS {
            let shape = if undeclared.is_empty() {
                status.clone()
            } else {
                status::older(&status, &undeclared)
            };
            match self.apply(&shape, &undeclared).await {
                Ok(()) => {
                    self.done(status, undeclared, in_full);
                    return;
                }
                Err(WriteRefusal::Schema {
                    reason,
                    undeclared: more,
                }) => {
                    if !undeclared.add(more) {
                        self.write_least(status, undeclared, &reason).await;
                        return;
                    }
                }
                Err(refusal) => {
                    self.try_later(&refusal);
                    return;
                }
            }
        }
        let reason = "its schema lacks ever more fields";
        self.write_least(status, undeclared, reason).await;
    }

    /// Writes the least, because nothing more can be written.
    async fn write_least(
        &mut self,
        status: NodeNetReportStatus,
        undeclared: Undeclared,
        reason: &str,
    ) {
        tracing::warn!(
            node = self.name,
            reason,
            "The API server refused the status, its CRD may be older than this agent; writing the least"
        );
        let since = self.refused_since();
        let least = status::minimal(&status, reason, since);
        match self.apply(&least, &undeclared).await {
            Ok(()) => {
                self.wrote(status);
                self.refused(undeclared, true);
            }
            Err(refusal) => self.try_later(&refusal),
        }
    }

    /// Without a write that waits there is none that fails: the next change must not wait for it.
    fn nothing_to_write(&mut self) {
        self.due = None;
        self.failing = false;
    }

    /// Everything is written, except what the schema does not have.
    fn done(&mut self, status: NodeNetReportStatus, undeclared: Undeclared, was_in_full: bool) {
        self.wrote(status);
        if undeclared.is_empty() {
            self.older = None;
            return;
        }
        if self.older.is_none() || was_in_full {
            tracing::warn!(
                node = self.name,
                fields = %undeclared,
                version = env!("CARGO_PKG_VERSION"),
                "The CRD of the API server lacks fields of this agent, which are left out; apply the CRDs of its version"
            );
        }
        self.refused(undeclared, was_in_full);
    }

    fn wrote(&mut self, status: NodeNetReportStatus) {
        tracing::debug!(node = self.name, "Wrote the status");
        self.written = Some(status);
        self.due = None;
        self.failing = false;
        self.backoff.reset();
    }

    /// Remembers what the schema lacks. The whole status was refused just now, or at the time that is remembered.
    fn refused(&mut self, undeclared: Undeclared, just_now: bool) {
        let since = self.refused_since();
        let (pause, full_at) = match &self.older {
            Some(older) if !just_now => (older.pause, older.full_at),
            older => {
                let pause = older.as_ref().map_or(FIRST_RETRY_REFUSED, |older| {
                    older.pause.saturating_mul(2).min(RETRY_REFUSED)
                });
                (pause, Instant::now() + pause)
            }
        };
        self.older = Some(OlderSchema {
            undeclared,
            since,
            pause,
            full_at,
        });
    }

    fn refused_since(&self) -> Timestamp {
        let since = self.older.as_ref().map(|older| older.since);
        since.unwrap_or_else(Timestamp::now)
    }

    fn try_later(&mut self, refusal: &WriteRefusal) {
        let (reason, asked) = match refusal {
            WriteRefusal::Schema { reason, .. } => (reason, None),
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

    async fn apply(
        &self,
        status: &NodeNetReportStatus,
        undeclared: &Undeclared,
    ) -> Result<(), WriteRefusal> {
        let mut body = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "NodeNetReport",
            "metadata": {"name": self.name},
            "status": status,
        });
        undeclared.take_from(&mut body);
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

#[cfg(test)]
mod tests;
