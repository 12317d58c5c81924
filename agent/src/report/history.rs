//! The memory of a continuous run: when a finding was first seen, and which ones are over.
//!
//! The stored result is all memory that there is, so it survives a restart of the agent.

use std::collections::{HashMap, HashSet};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use netdiag_crds::{
    limits,
    report::{Finding, ResolvedFinding, RunResult, Unchecked},
    severity::Severity,
};

/// A finding that is over is kept so many windows, or an hour where that is longer.
const WINDOWS_KEPT: i64 = 3;
const SECONDS_KEPT: i64 = 3600;

/// The circumstances under which a window followed an earlier one of its run.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The window could look at all: one that was blind resolves nothing.
    pub could_look: bool,
    /// The least severity that is reported. What is below it may go on unseen.
    pub least: Severity,
    /// The length of the run's windows in seconds.
    pub window_seconds: i32,
    /// The end of the window.
    pub now: Timestamp,
}

/// Gives a result what an earlier one of the same run knew: first sightings, and findings that are over.
pub fn carry_over(result: &mut RunResult, previous: &RunResult, circumstances: &Circumstances) {
    keep_first_seen(&mut result.findings, previous);
    let present: HashSet<&str> = result.findings.iter().map(|one| one.id.as_str()).collect();
    let Circumstances {
        could_look,
        least,
        now,
        ..
    } = *circumstances;
    let end = could_look.then_some(now);
    let asked = previous.findings.iter().filter(|finding| {
        let severity = Severity::from_status(&finding.severity);
        // A finding that others were folded into has an id of its own, which no window finds again.
        severity > Severity::Info && severity >= least && finding.folded.is_none()
    });
    let gone = asked.map(|finding| {
        let as_well = looked_as_well(&finding.check, &result.unchecked, &previous.unchecked);
        over(finding, end.filter(|_| as_well))
    });
    let known = previous.resolved.iter().cloned().map(|mut known| {
        if known.resolved_time.is_none() && looked_as_well(check_of(&known), &result.unchecked, &[])
        {
            known.resolved_time = end.map(Time);
        }
        known
    });
    let mut resolved: Vec<ResolvedFinding> = gone
        .chain(known)
        .filter(|one| !present.contains(one.id.as_str()))
        .filter(|one| is_kept(one, circumstances))
        .collect();
    // Those that nobody could look for first, then the newest.
    resolved.sort_by_key(|one| {
        std::cmp::Reverse(
            one.resolved_time
                .as_ref()
                .map_or(Timestamp::MAX, |time| time.0),
        )
    });
    resolved.truncate(limits::RESOLVED);
    result.resolved = resolved;
}

/// A finding was first seen when an earlier window first saw it, also if it was over in between.
fn keep_first_seen(findings: &mut [Finding], previous: &RunResult) {
    let over = previous.resolved.iter();
    let over = over.filter_map(|one| Some((one.id.as_str(), one.first_seen.as_ref()?)));
    let found = previous.findings.iter();
    let found = found.filter_map(|one| Some((one.id.as_str(), one.first_seen.as_ref()?)));
    let seen: HashMap<&str, &Time> = over.chain(found).collect();
    for finding in findings {
        if let Some(first) = seen.get(finding.id.as_str()) {
            finding.first_seen = Some((*first).clone());
        }
    }
}

fn over(finding: &Finding, resolved: Option<Timestamp>) -> ResolvedFinding {
    ResolvedFinding {
        id: finding.id.clone(),
        first_seen: finding.first_seen.clone(),
        last_seen: finding.last_seen.clone(),
        resolved_time: resolved.map(Time),
    }
}

/// The first part of an id.
fn check_of(resolved: &ResolvedFinding) -> &str {
    resolved.id.split('/').next().unwrap_or_default()
}

/// True if this window lacks nothing of a check that the earlier one, which found something by it, did not lack too.
fn looked_as_well(check: &str, now: &[Unchecked], then: &[Unchecked]) -> bool {
    let mut lacking = now.iter().filter(|entry| entry.check == check);
    lacking.all(|entry| entry.partly && then.contains(entry))
}

fn is_kept(resolved: &ResolvedFinding, circumstances: &Circumstances) -> bool {
    let seconds = i64::from(circumstances.window_seconds).saturating_mul(WINDOWS_KEPT);
    let kept = SignedDuration::from_secs(seconds.max(SECONDS_KEPT));
    let since = resolved
        .resolved_time
        .as_ref()
        .or(resolved.last_seen.as_ref());
    // A clock that was set back makes nothing old.
    since.is_none_or(|since| circumstances.now.duration_since(since.0) <= kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARNING: &str = "Warning";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn finding(id: &str, severity: &str, seen: i64) -> Finding {
        Finding {
            id: id.to_owned(),
            check: id.split('/').next().unwrap_or_default().to_owned(),
            severity: severity.to_owned(),
            first_seen: Some(Time(at(seen))),
            last_seen: Some(Time(at(seen))),
            ..Finding::default()
        }
    }

    fn unchecked(check: &str, partly: bool, reason: &str) -> Unchecked {
        Unchecked {
            check: check.to_owned(),
            partly,
            too_rare: false,
            reason: reason.to_owned(),
        }
    }

    fn found(findings: &[Finding]) -> RunResult {
        RunResult {
            findings: findings.to_vec(),
            ..RunResult::default()
        }
    }

    fn circumstances(now: i64) -> Circumstances {
        Circumstances {
            could_look: true,
            least: Severity::Info,
            window_seconds: 300,
            now: at(now),
        }
    }

    /// The result of a window that ended at this time, after an earlier one.
    fn followed(previous: &RunResult, mut result: RunResult, now: i64) -> RunResult {
        carry_over(&mut result, previous, &circumstances(now));
        result
    }

    /// Ids with the seconds at which they were resolved.
    fn resolved(result: &RunResult) -> Vec<(&str, Option<i64>)> {
        let all = result.resolved.iter();
        all.map(|one| {
            let time = one.resolved_time.as_ref();
            (
                one.id.as_str(),
                time.map(|time| time.0.as_second() - 1_000_000),
            )
        })
        .collect()
    }

    #[test]
    fn what_asked_for_an_act_and_is_not_there_any_more_is_over() {
        let before = found(&[
            finding("A/x", WARNING, 10),
            finding("B/x", "Critical", 20),
            finding("C/x", "Info", 30),
            finding("D/x", WARNING, 40),
        ]);
        let now = followed(&before, found(&[finding("D/x", WARNING, 310)]), 600);
        assert_eq!(resolved(&now), [("A/x", Some(600)), ("B/x", Some(600))]);
        assert_eq!(now.resolved[0].first_seen, Some(Time(at(10))));
        assert_eq!(now.findings[0].first_seen, Some(Time(at(40))));
        assert_eq!(now.findings[0].last_seen, Some(Time(at(310))));
    }

    #[test]
    fn what_comes_back_is_no_longer_over_and_keeps_its_first_sighting() {
        let before = found(&[finding("A/x", WARNING, 10)]);
        let over = followed(&before, found(&[]), 600);
        let back = followed(&over, found(&[finding("A/x", WARNING, 700)]), 900);
        assert_eq!(resolved(&back), []);
        assert_eq!(back.findings[0].first_seen, Some(Time(at(10))));
    }

    #[test]
    fn a_blind_window_resolves_nothing_and_forgets_nothing() {
        let before = found(&[finding("A/x", WARNING, 10)]);
        let mut blind = found(&[]);
        let circumstances = Circumstances {
            could_look: false,
            ..circumstances(600)
        };
        carry_over(&mut blind, &before, &circumstances);
        assert_eq!(resolved(&blind), [("A/x", None)]);
        let seeing = followed(&blind, found(&[]), 900);
        assert_eq!(resolved(&seeing), [("A/x", Some(900))]);
    }

    #[test]
    fn a_check_that_was_not_made_resolves_none_of_its_findings() {
        let before = found(&[finding("A/x", WARNING, 10), finding("B/x", WARNING, 10)]);
        let unmade = RunResult {
            unchecked: vec![unchecked("A", false, "no probe")],
            ..RunResult::default()
        };
        let once = followed(&before, unmade.clone(), 600);
        assert_eq!(resolved(&once), [("A/x", None), ("B/x", Some(600))]);
        let twice = followed(&once, unmade, 900);
        assert_eq!(resolved(&twice), [("A/x", None), ("B/x", Some(600))]);
    }

    #[test]
    fn a_check_in_part_resolves_what_it_found_when_it_lacked_the_same() {
        let lacks = |reason: &str, findings: &[Finding]| RunResult {
            unchecked: vec![unchecked("A", true, reason)],
            ..found(findings)
        };
        let before = lacks("no kernel log", &[finding("A/x", WARNING, 10)]);
        let same = followed(&before, lacks("no kernel log", &[]), 600);
        assert_eq!(resolved(&same), [("A/x", Some(600))]);
        let other = followed(&before, lacks("no namespaces", &[]), 600);
        assert_eq!(resolved(&other), [("A/x", None)]);
    }

    #[test]
    fn what_is_below_the_least_severity_asked_for_is_not_called_over() {
        let before = found(&[finding("A/x", WARNING, 10), finding("B/x", "Critical", 10)]);
        let mut result = found(&[]);
        let circumstances = Circumstances {
            least: Severity::Critical,
            ..circumstances(600)
        };
        carry_over(&mut result, &before, &circumstances);
        assert_eq!(resolved(&result), [("B/x", Some(600))]);
    }

    #[test]
    fn what_is_over_is_kept_for_an_hour_or_three_windows_and_the_newest_of_many() {
        let before = followed(&found(&[finding("A/x", WARNING, 10)]), found(&[]), 600);
        let still = followed(&before, found(&[]), 600 + 3600);
        assert_eq!(resolved(&still), [("A/x", Some(600))]);
        assert_eq!(resolved(&followed(&still, found(&[]), 600 + 3601)), []);
        let mut day = found(&[]);
        let long = Circumstances {
            window_seconds: 86_400,
            ..circumstances(600 + 3 * 86_400)
        };
        carry_over(&mut day, &before, &long);
        assert_eq!(resolved(&day), [("A/x", Some(600))]);
        let earlier = followed(&before, found(&[]), 0);
        assert_eq!(resolved(&earlier), [("A/x", Some(600))], "a clock set back");

        let many: Vec<Finding> = (0..20)
            .map(|number| finding(&format!("M/{number:02}"), WARNING, 10))
            .collect();
        let full = followed(&before, found(&[]), 900);
        let full = RunResult {
            findings: many,
            ..full
        };
        let next = followed(&full, found(&[]), 1200);
        assert_eq!(next.resolved.len(), limits::RESOLVED);
        assert_eq!(next.resolved[0].id, "M/00");
    }

    #[test]
    fn a_folded_finding_of_a_cut_report_is_not_called_over() {
        let mut folded = finding("A/x/Warning (folded)", WARNING, 10);
        folded.folded = Some(100);
        let now = followed(&found(&[folded]), found(&[]), 600);
        assert_eq!(resolved(&now), []);
    }
}
