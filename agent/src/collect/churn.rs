//! Namespaces and links that come within a window, so that they can be named when they are gone at its end.

use std::time::{Duration, Instant};

use netdiag_diagnosis::evidence::NetnsId;

use super::snapshot::WindowEnd;
use crate::sources::{Reading, Sources, link_changes::LinkChanges};

/// A look takes at most one part in so many of the time.
const PART_OF_TIME: u32 = 20;
/// As many looks are kept.
const MOST_LOOKS: usize = 1_000;

/// The namespaces and links that came, as far as it was seen.
pub(super) struct Churn {
    changes: Option<LinkChanges>,
    /// Namespaces that were described, with their cookies.
    known: Vec<(NetnsId, Option<u64>)>,
    /// A link changed since the last look.
    is_due: bool,
    not_before: Instant,
    looks: Vec<Reading>,
}

impl Churn {
    /// Follows the changes from the window's start on.
    pub(super) fn begin(before: &WindowEnd) -> Self {
        let reading = before.reading();
        let namespaces = reading.map_or(&[][..], |reading| &reading.namespaces);
        Self {
            changes: LinkChanges::subscribe()
                .inspect_err(|error| tracing::warn!(%error, "Failed to follow changes of links"))
                .ok(),
            known: namespaces.iter().map(|one| (one.id, one.cookie)).collect(),
            is_due: false,
            not_before: Instant::now(),
            looks: Vec::new(),
        }
    }

    /// Looks at what is new, if a link changed. About once a second.
    pub(super) fn tick(&mut self, sources: Option<&Sources>) {
        self.is_due |= self.changes.as_ref().is_some_and(LinkChanges::any);
        let began = Instant::now();
        if !self.is_due || began < self.not_before || self.looks.len() >= MOST_LOOKS {
            return;
        }
        self.is_due = false;
        let known = |id, cookie| self.known.contains(&(id, cookie));
        if let Some(look) = sources.and_then(|sources| sources.glimpse(known)) {
            let new = look.namespaces.iter().map(|one| (one.id, one.cookie));
            self.known.extend(new);
            self.looks.push(look);
        }
        let took: Duration = began.elapsed();
        self.not_before = Instant::now() + took * PART_OF_TIME;
    }

    /// The readings of what was new.
    pub(super) fn into_looks(self) -> Vec<Reading> {
        self.looks
    }
}
