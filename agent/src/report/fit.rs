//! Keeps a node's object small, because every node has one and every change of it goes to each watcher.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::{
    fold::{FindingLikeness, fold, shortened, without_evidence},
    ledger::{fit_ledger, smallest_balanced},
    size::{bytes, largest},
    text::cut,
};
use netdiag_crds::{
    NodeNetReportStatus, limits,
    report::{Finding, Omitted, RunResult},
    severity::Severity,
};

/// The size that a NodeNetReport stays under, as JSON with its managedFields.
pub const OBJECT_BYTES: usize = 16 * 1024;

/// managedFields of the two writers in bytes, as an API server 1.35 makes them, rounded up: without list entries, and
/// for each list entry without its key.
mod managed {
    pub(super) const WRITERS: usize = 640;
    pub(super) const CONDITION: usize = 160;
    pub(super) const PROBE: usize = 100;
    pub(super) const RESULT: usize = 320;
    pub(super) const ASSIGNMENT: usize = 240;
}

/// apiVersion, kind and the names of the object's parts, with digits to spare for the columns.
const ENVELOPE: usize = 120;
/// The room for the node's facts: eight results may share what is left.
const FACTS_BYTES: usize = 2 * 1024;
/// The room that a result may always take. Only assignments with very long lists of globs leave less.
const RESULT_BYTES: usize = 600;

/// Shortens the results of a status that is cut to the schema's limits, until the whole object is smaller than
/// [`OBJECT_BYTES`]. `rest` is the size of its metadata and spec as JSON, without managedFields.
///
/// The worst findings stay in full, the next in short; what then does not fit is left out when it is Info and else
/// folded into one finding a check, cause and severity. Nothing of Warning or worse goes missing, and the ledger
/// balances.
pub fn fit(status: &mut NodeNetReportStatus, rest: usize) {
    while bytes(&status.facts) > FACTS_BYTES && status.facts.pop().is_some() {}
    let mut results = std::mem::take(&mut status.results);
    let fixed = rest + ENVELOPE + bytes(status) + managed_fields(status, &results);
    let mut left = OBJECT_BYTES.saturating_sub(fixed);
    let mut order: Vec<usize> = (0..results.len()).collect();
    // The smallest first: what it does not need goes to the others.
    order.sort_by_cached_key(|index| results.get(*index).map_or(0, bytes));
    for (done, index) in order.iter().enumerate() {
        if let Some(result) = results.get_mut(*index) {
            let share = left / (order.len() - done);
            fit_result(result, share.max(RESULT_BYTES));
            left = left.saturating_sub(bytes(result));
        }
    }
    status.results = results;
}

/// An estimate of the managedFields that an API server keeps for the object.
fn managed_fields(status: &NodeNetReportStatus, results: &[RunResult]) -> usize {
    let conditions = status
        .conditions
        .iter()
        .map(|condition| managed::CONDITION + condition.type_.len());
    let probes = status
        .probes
        .iter()
        .map(|probe| managed::PROBE + probe.name.len());
    // Each result has an assignment in the spec.
    let results = results
        .iter()
        .map(|result| managed::RESULT + managed::ASSIGNMENT + 2 * result.diagnosis.len());
    managed::WRITERS + conditions.chain(probes).chain(results).sum::<usize>()
}

fn fit_result(result: &mut RunResult, budget: usize) {
    if bytes(result) <= budget {
        return;
    }
    fit_unchecked(result, budget / 4);
    fit_verdict(result, budget / 8);
    while bytes(&result.resolved) > budget / 8 && result.resolved.pop().is_some() {}
    let mut findings = std::mem::take(&mut result.findings);
    let mut ledger = std::mem::take(&mut result.ledger);
    let rows = ledger.len();
    // Room for `omitted` too, whose numbers are not known yet.
    result.omitted.get_or_insert_with(Omitted::default);
    let left = budget.saturating_sub(bytes(result) + 24);

    let beside_findings = left.saturating_sub(bytes(&findings));
    let balanced = smallest_balanced(&ledger).min(left - left / 3);
    let most = beside_findings.max(balanced).max(left / 4);
    fit_ledger(&mut ledger, most);
    ledger.truncate(limits::LEDGER);
    let shorter = fit_findings(&mut findings, left.saturating_sub(bytes(&ledger)));
    for booking in ledger.iter_mut().flat_map(|entry| &mut entry.explained) {
        rename(&mut booking.finding, &shorter.renamed);
    }
    if let Some(verdict) = &mut result.verdict {
        for id in &mut verdict.about {
            if let Some(folded) = shorter.renamed.get(id) {
                id.clone_from(folded);
            }
        }
        verdict.about.dedup();
    }
    let omitted = result.omitted.get_or_insert_with(Omitted::default);
    omitted.findings = omitted.findings.saturating_add(number(shorter.findings));
    omitted.evidence = omitted.evidence.saturating_add(number(shorter.evidence));
    omitted.ledger = omitted
        .ledger
        .saturating_add(number(rows.saturating_sub(ledger.len())));
    if *omitted == Omitted::default() {
        result.omitted = None;
    }
    result.findings = findings;
    result.ledger = ledger;
}

/// Cuts reasons alike until they take at most so many bytes, or nearly nothing.
fn fit_unchecked(result: &mut RunResult, budget: usize) {
    for length in [limits::LINE, 128, 64, 32] {
        if bytes(&result.unchecked) <= budget {
            break;
        }
        for unchecked in &mut result.unchecked {
            cut(&mut unchecked.reason, length);
        }
    }
}

/// Cuts what the first sentence and the last line say until they take at most so many bytes, or nearly nothing.
fn fit_verdict(result: &mut RunResult, budget: usize) {
    let Some(verdict) = &mut result.verdict else {
        return;
    };
    for length in [1024, 512, 256, 128, 64] {
        if bytes(verdict) <= budget {
            break;
        }
        verdict.next = None;
        // The sentence goes last: findings and `unchecked` say most of the rest.
        verdict.about.truncate(length / 128);
        cut(&mut verdict.checked, length / 4);
        cut(&mut verdict.sentence, length);
    }
}

/// By how much findings became shorter.
#[derive(Default)]
struct Shorter {
    findings: usize,
    evidence: usize,
    /// Id of a finding -> id of the one that it was folded into.
    renamed: HashMap<String, String>,
}

/// Shortens findings to so many bytes.
fn fit_findings(findings: &mut Vec<Finding>, budget: usize) -> Shorter {
    if bytes(findings) <= budget && findings.len() <= limits::FINDINGS {
        return Shorter::default();
    }
    findings.sort_by_key(|finding| Reverse(Severity::from_status(&finding.severity)));
    let (mut fitted, renamed) = in_short(findings, budget);
    let mut left = budget.saturating_sub(bytes(&fitted));
    for small in &mut fitted {
        // What was folded before has the id of what it is folded into now.
        let is_folded = renamed.values().any(|id| *id == small.id);
        let full = findings.iter().find(|finding| finding.id == small.id);
        let Some(full) = full.filter(|_| !is_folded) else {
            continue;
        };
        for larger in [full.clone(), without_evidence(full)] {
            let growth = bytes(&larger).saturating_sub(bytes(small));
            if growth <= left {
                left -= growth;
                *small = larger;
                break;
            }
        }
    }
    for finding in &mut fitted {
        for cause in &mut finding.caused_by {
            if let Some(folded) = renamed.get(cause) {
                cause.clone_from(folded);
            }
        }
        finding.caused_by.dedup();
    }
    let shown: HashSet<&str> = fitted.iter().map(|finding| finding.id.as_str()).collect();
    let is_shown = |finding: &&Finding| {
        shown.contains(finding.id.as_str()) && !renamed.contains_key(&finding.id)
    };
    let facts = |list: &[Finding]| -> usize {
        let findings = list.iter().filter(is_shown);
        findings.map(|finding| finding.evidence.len()).sum()
    };
    let evidence = facts(findings).saturating_sub(facts(&fitted));
    let shorter = Shorter {
        findings: findings.len().saturating_sub(fitted.len()),
        evidence,
        renamed,
    };
    *findings = fitted;
    shorter
}

/// Findings (worst first) in short, as many as fit, and what the folded ones are called now.
fn in_short(findings: &[Finding], budget: usize) -> (Vec<Finding>, HashMap<String, String>) {
    // A third is kept for the proof of the worst, unless that costs a fault its cause.
    let usual = budget - budget / 3;
    let short: Vec<Finding> = findings.iter().map(shortened).collect();
    let harmless = short
        .iter()
        .position(|finding| Severity::from_status(&finding.severity) == Severity::Info)
        .unwrap_or(short.len());
    let (worse, info) = short.split_at(harmless);
    let fits =
        |list: &[Finding], budget: usize| bytes(list) <= budget && list.len() <= limits::FINDINGS;
    if fits(worse, usual) {
        let kept = largest(info.len(), |kept| {
            let list = short.get(..harmless + kept);
            list.is_some_and(|list| fits(list, usual))
        });
        let end = harmless + kept.unwrap_or(0);
        return (short.into_iter().take(end).collect(), HashMap::new());
    }
    let folded_after = |kept: usize, alike| {
        let (whole, rest) = worse.split_at(kept.min(worse.len()));
        let (folded, renamed) = fold(rest, alike);
        let mut list = whole.to_vec();
        list.extend(folded);
        (list, renamed)
    };
    FindingLikeness::ALL
        .into_iter()
        .flat_map(|alike| [(alike, usual), (alike, budget)])
        .find_map(|(alike, budget)| {
            largest(worse.len(), |kept| {
                fits(&folded_after(kept, alike).0, budget)
            })
            .map(|kept| folded_after(kept, alike))
        })
        .unwrap_or_else(|| folded_after(0, FindingLikeness::Severity))
}

fn rename(id: &mut Option<String>, renamed: &HashMap<String, String>) {
    if let Some(folded) = id.as_ref().and_then(|id| renamed.get(id)) {
        *id = Some(folded.clone());
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
