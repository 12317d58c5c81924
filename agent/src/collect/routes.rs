//! The routes of packets that found no way on, in the node's own namespace.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use netdiag_diagnosis::{
    EvidenceWindow,
    detectors::{RouteQuestions, route_questions},
    evidence::{OnDemand, RouteEntry, RouteQuestion, Routes},
};

use crate::{
    bounded::{Bounded, Overflows},
    sources::routes::{RouteChanges, RouteReader},
};

/// Look-ups of one window: the kernel answers each within microseconds, and more flows tell no more.
const MOST_LOOKUPS: usize = 256;

/// Follows the routes that are deleted within a window.
pub(super) struct RouteWatch(Option<RouteChanges>);

impl RouteWatch {
    /// Follows them from the window's start on.
    pub(super) fn begin() -> Self {
        let changes = RouteChanges::subscribe()
            .inspect_err(|error| tracing::warn!(%error, "Failed to follow changes of routes"));
        Self(changes.ok())
    }

    /// Reads what has changed. About once a second.
    pub(super) fn tick(&mut self) {
        if let Some(changes) = &mut self.0 {
            changes.read();
        }
    }

    /// Looks up the routes of what died, and adds the answers to the window.
    pub(super) fn finish(self, lasted: Duration, window: &mut EvidenceWindow) {
        let removed = self.0.map(RouteChanges::into_removed);
        window.routes = evidence(lasted, route_questions(window), removed);
    }
}

fn evidence(
    lasted: Duration,
    questions: RouteQuestions,
    removed: Option<Bounded<Vec<RouteEntry>>>,
) -> OnDemand<Routes> {
    if questions == RouteQuestions::default() {
        return OnDemand::Idle {
            reason: "each packet found a way on".to_owned(),
        };
    }
    let at_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    match RouteReader::open() {
        Ok(reader) => OnDemand::Ran {
            question: "packets found no way on".to_owned(),
            from_ms: at_ms,
            until_ms: at_ms,
            value: answers(&reader, questions, removed),
        },
        Err(error) => OnDemand::Unavailable {
            reason: error.to_string(),
        },
    }
}

fn answers(
    reader: &RouteReader,
    questions: RouteQuestions,
    removed: Option<Bounded<Vec<RouteEntry>>>,
) -> Routes {
    let RouteQuestions { of_node, elsewhere } = questions;
    let mut missing = Vec::new();
    let mut overflows = Overflows::default();
    if elsewhere > 0 {
        missing.push(format!(
            "{elsewhere} other namespaces (the kernel looks routes up for the agent's own only)"
        ));
    }
    if of_node.is_empty() {
        return Routes {
            missing,
            ..Routes::default()
        };
    }
    let questions = asked(of_node).noted(&mut overflows);
    let destinations: BTreeSet<IpAddr> = questions.iter().map(|one| one.destination).collect();
    let mut or_missing = |what: &str, error: std::io::Error| {
        missing.push(format!("{what}: {error}"));
    };
    let covering = reader
        .covering(&destinations, &mut overflows)
        .unwrap_or_else(|error| {
            or_missing("tables of routes", error);
            Vec::new()
        });
    let rules = reader.rules(&mut overflows).unwrap_or_else(|error| {
        or_missing("routing rules", error);
        Vec::new()
    });
    let lookups = questions.into_iter().map(|one| reader.look_up(one));
    let lookups = lookups.collect();
    let removed = match removed {
        Some(removed) => removed.noted(&mut overflows),
        None => {
            missing.push("routes that were deleted".to_owned());
            Vec::new()
        }
    };
    missing.extend(overflows.missing().map(|missing| missing.text));
    Routes {
        lookups,
        removed: those_gone(removed, &covering, &destinations),
        covering,
        rules,
        missing,
    }
}

fn asked(questions: BTreeSet<RouteQuestion>) -> Bounded<Vec<RouteQuestion>> {
    let left_out = questions.len().saturating_sub(MOST_LOOKUPS);
    let asked = questions.into_iter().take(MOST_LOOKUPS).collect();
    Bounded::without(asked, "look-ups of routes", MOST_LOOKUPS, left_out)
}

/// The deleted routes with one of these destinations that nobody has written again.
fn those_gone(
    mut removed: Vec<RouteEntry>,
    covering: &[RouteEntry],
    destinations: &BTreeSet<IpAddr>,
) -> Vec<RouteEntry> {
    removed.retain(|route| {
        let is_asked = destinations.iter().any(|one| route.has(*one));
        is_asked && !covering.contains(route)
    });
    removed.dedup();
    removed
}
