//! The parts of a fleet that a diagnosis could not look at, in words.

use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::{conditions::reasons, limits, report::RunResult};

use super::{
    asked::Asked,
    members::{MOST_KIBIBYTES, Member, Roster},
    phrase,
    progress::{State, Why},
};

/// Nodes that were not looked at, or not in full, by name.
#[derive(Default)]
pub struct Gaps<'a> {
    /// Named in the spec, and no node has the name.
    missing: Vec<&'a str>,
    /// Without room for another diagnosis.
    refused: Vec<&'a str>,
    unreachable: BTreeMap<Why, Vec<&'a str>>,
    failed: Vec<&'a str>,
    /// Without a part in the run.
    not_assigned: Vec<&'a str>,
    /// Selected, and beyond the number of nodes that a run can have.
    beyond_limit: usize,
    /// Node and how many of the checks were made there.
    in_part: Vec<String>,
}

/// The reason why a node could not look in full: some check was not made at all, or each that was asked for was made in
/// part only, as where no interface has a name that was asked for. A window that is short hides nothing of what happened
/// within it.
pub fn blindness<'a>(result: &'a RunResult, asked: &Asked<'_>) -> Option<&'a str> {
    let unchecked = || result.unchecked.iter().filter(|entry| !entry.too_rare);
    if let Some(not_made) = unchecked().find(|unchecked| !unchecked.partly) {
        return Some(&not_made.reason);
    }
    let in_part: BTreeSet<&str> = unchecked().map(|entry| entry.check.as_str()).collect();
    if !asked.checks.is_subset(&in_part) {
        return None;
    }
    // The reason that most checks share.
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in unchecked() {
        *reasons.entry(&entry.reason).or_default() += 1;
    }
    let most = reasons.into_iter().max_by_key(|(_, checks)| *checks);
    most.map(|(reason, _)| reason)
}

impl<'a> Gaps<'a> {
    /// The gaps of a diagnosis.
    pub fn of(
        asked: &Asked<'_>,
        roster: &Roster,
        members: &[Member<'a>],
        missing: &[&'a str],
    ) -> Self {
        let wanted = asked.checks.len();
        let mut gaps = Self {
            missing: missing.to_vec(),
            beyond_limit: roster.omitted,
            ..Self::default()
        };
        for member in members {
            match member.progress.state {
                State::Pending => {}
                State::Refused => gaps.refused.push(member.name),
                State::Unreachable(why) => {
                    gaps.unreachable.entry(why).or_default().push(member.name);
                }
                State::Failed(_) => gaps.failed.push(member.name),
                State::NotAssigned => gaps.not_assigned.push(member.name),
                State::Finished(result) => {
                    gaps.in_part.extend(in_part(member.name, result, wanted));
                }
            }
        }
        gaps
    }

    /// Reason and message of the condition; `None` where nothing is missing.
    pub fn describe(&self) -> Option<(&'static str, String)> {
        let Self {
            missing,
            refused,
            unreachable,
            failed,
            not_assigned,
            beyond_limit,
            in_part,
        } = self;
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("no node is named {}", phrase::names(missing)));
        }
        if !refused.is_empty() {
            let names = phrase::names(refused);
            parts.push(format!(
                "{} refused ({names} already have {} diagnoses)",
                refused.len(),
                limits::ASSIGNMENTS
            ));
        }
        if !unreachable.is_empty() {
            let reasons: Vec<String> = unreachable
                .iter()
                .map(|(why, names)| format!("{} {why}", phrase::names(names)))
                .collect();
            let number: usize = unreachable.values().map(Vec::len).sum();
            parts.push(format!("{number} unreachable ({})", reasons.join("; ")));
        }
        if !failed.is_empty() {
            parts.push(format!(
                "{} failed ({})",
                failed.len(),
                phrase::names(failed)
            ));
        }
        if !not_assigned.is_empty() {
            parts.push(format!(
                "{} not assigned ({}: the controller could not write their part of the run, or it was deleted)",
                not_assigned.len(),
                phrase::names(not_assigned)
            ));
        }
        if *beyond_limit > 0 {
            parts.push(format!(
                "{beyond_limit} not assigned (a run can have {} nodes, and {MOST_KIBIBYTES} KiB of their names)",
                limits::MEMBERS
            ));
        }
        if !in_part.is_empty() {
            let names: Vec<&str> = in_part.iter().map(String::as_str).collect();
            parts.push(format!(
                "{} checked in part ({})",
                in_part.len(),
                phrase::names(&names)
            ));
        }
        let reason = if !missing.is_empty() {
            reasons::NODES_NOT_FOUND
        } else if !refused.is_empty() {
            reasons::TOO_MANY_DIAGNOSES
        } else if !not_assigned.is_empty() || *beyond_limit > 0 {
            reasons::NODES_NOT_ASSIGNED
        } else {
            reasons::NODES_UNCHECKED
        };
        (!parts.is_empty()).then(|| (reason, parts.join("; ")))
    }
}

/// `node-204 1 of 10` where some check was not made or not in full.
fn in_part(name: &str, result: &RunResult, wanted: usize) -> Option<String> {
    let mut blind = result.unchecked.iter().filter(|entry| !entry.too_rare);
    let not_made: BTreeSet<&str> = blind
        .clone()
        .filter(|unchecked| !unchecked.partly)
        .map(|unchecked| unchecked.check.as_str())
        .collect();
    let made = wanted.saturating_sub(not_made.len());
    blind
        .next()
        .is_some()
        .then(|| format!("{name} {made} of {wanted}"))
}
