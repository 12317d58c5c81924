//! Cuts a result to the schema's limits: server-side apply refuses a whole status for one string that is too long.

use netdiag_crds::{
    NodeNetReportStatus, limits,
    report::{
        Evidence, Explained, Finding, LedgerEntry, Omitted, Remedy, ResolvedFinding, RunResult,
        Subject, WindowVerdict,
    },
};

use super::{
    ledger::limit_bookings,
    text::{cut, cut_option},
};

/// Cuts every string of a status to its limit, and the lists that [`super::fit`] does not shorten by weight.
pub fn bound(status: &mut NodeNetReportStatus) {
    if let Some(agent) = &mut status.agent {
        cut(&mut agent.version, limits::WORD);
        cut(&mut agent.kernel, limits::LINE);
        cut_option(&mut agent.host, limits::LINE);
    }
    status.probes.truncate(limits::PROBES);
    for probe in &mut status.probes {
        cut(&mut probe.name, limits::WORD);
        cut(&mut probe.state, limits::WORD);
        cut_option(&mut probe.backend, limits::WORD);
        cut_option(&mut probe.reason, limits::LINE);
    }
    status.facts.truncate(limits::FACTS);
    for fact in &mut status.facts {
        cut(&mut fact.name, limits::WORD);
        cut(&mut fact.value, limits::LINE);
    }
    status.results.iter_mut().for_each(bound_result);
}

fn bound_result(result: &mut RunResult) {
    cut_option(&mut result.message, limits::PARAGRAPH);
    if let Some(verdict) = &mut result.verdict {
        bound_verdict(verdict);
    }
    for finding in &mut result.findings {
        let left_out = bound_finding(finding);
        if left_out > 0 {
            let omitted = result.omitted.get_or_insert_with(Omitted::default);
            omitted.evidence = omitted.evidence.saturating_add(left_out);
        }
    }
    result.resolved.truncate(limits::RESOLVED);
    result.resolved.iter_mut().for_each(bound_resolved);
    result.ledger.iter_mut().for_each(bound_entry);
    result.unchecked.truncate(limits::UNCHECKED);
    for unchecked in &mut result.unchecked {
        cut(&mut unchecked.check, limits::WORD);
        cut(&mut unchecked.reason, limits::PARAGRAPH);
    }
}

fn bound_verdict(verdict: &mut WindowVerdict) {
    cut(&mut verdict.answer, limits::WORD);
    cut(&mut verdict.sentence, limits::PARAGRAPH);
    cut(&mut verdict.checked, limits::PARAGRAPH);
    cut_option(&mut verdict.next, limits::PARAGRAPH);
    verdict.about.truncate(limits::ABOUT);
    for id in &mut verdict.about {
        cut(id, limits::FINDING_ID);
    }
}

fn bound_resolved(resolved: &mut ResolvedFinding) {
    cut(&mut resolved.id, limits::FINDING_ID);
}

/// Cuts a finding; says how many facts were left out.
fn bound_finding(finding: &mut Finding) -> i64 {
    cut(&mut finding.id, limits::FINDING_ID);
    for word in [
        &mut finding.check,
        &mut finding.cause,
        &mut finding.severity,
        &mut finding.confidence,
    ] {
        cut(word, limits::WORD);
    }
    cut_option(&mut finding.harm, limits::WORD);
    cut_option(&mut finding.culprit, limits::WORD);
    finding.flows.truncate(limits::FLOWS);
    for flow in &mut finding.flows {
        cut(flow, limits::LINE);
    }
    bound_subject(&mut finding.subject);
    cut(&mut finding.summary, limits::LINE);
    cut_option(&mut finding.symptom, limits::LINE);
    cut_option(&mut finding.explanation, limits::PARAGRAPH);
    cut_option(&mut finding.impact, limits::PARAGRAPH);
    cut_option(&mut finding.docs, limits::LINE);
    finding.neighbours.truncate(limits::NEIGHBOURS);
    for name in &mut finding.neighbours {
        cut(name, limits::LINE);
    }
    finding.caused_by.truncate(limits::CAUSES);
    for cause in &mut finding.caused_by {
        cut(cause, limits::FINDING_ID);
    }
    cut_option(&mut finding.consequence, limits::PARAGRAPH);
    finding.remedies.truncate(limits::REMEDIES);
    finding.remedies.iter_mut().for_each(bound_remedy);
    let left_out = finding.evidence.len().saturating_sub(limits::EVIDENCE);
    finding.evidence.truncate(limits::EVIDENCE);
    finding.evidence.iter_mut().for_each(bound_evidence);
    i64::try_from(left_out).unwrap_or(i64::MAX)
}

fn bound_subject(subject: &mut Subject) {
    cut_option(&mut subject.interface, limits::LINE);
    cut_option(&mut subject.netns, limits::LINE);
    cut_option(&mut subject.container, limits::NAME);
    cut_option(&mut subject.process, limits::LINE);
    cut_option(&mut subject.protocol, limits::LINE);
    if let Some(pod) = &mut subject.pod {
        cut(&mut pod.namespace, limits::NAME);
        cut(&mut pod.name, limits::NAME);
        cut(&mut pod.uid, limits::UID);
    }
}

fn bound_evidence(evidence: &mut Evidence) {
    cut(&mut evidence.name, limits::LINE);
    cut(&mut evidence.value, limits::LINE);
    cut_option(&mut evidence.unit, limits::WORD);
    cut_option(&mut evidence.source, limits::LINE);
}

fn bound_remedy(remedy: &mut Remedy) {
    cut(&mut remedy.text, limits::PARAGRAPH);
    cut_option(&mut remedy.effect, limits::PARAGRAPH);
    cut_option(&mut remedy.lasting, limits::PARAGRAPH);
    cut_option(&mut remedy.place, limits::LINE);
    cut_option(&mut remedy.kind, limits::WORD);
    cut_option(&mut remedy.acts, limits::WORD);
    // Half a command is a wrong one, and nobody runs one that cannot be taken back.
    if is_too_long(&remedy.command) || is_too_long(&remedy.undo) {
        remedy.command = None;
        remedy.undo = None;
    }
}

fn is_too_long(command: &Option<String>) -> bool {
    let beyond = |command: &String| command.chars().nth(limits::COMMAND).is_some();
    command.as_ref().is_some_and(beyond)
}

fn bound_entry(entry: &mut LedgerEntry) {
    cut_option(&mut entry.interface, limits::LINE);
    cut_option(&mut entry.netns, limits::FINDING_ID);
    cut(&mut entry.counter, limits::WORD);
    limit_bookings(&mut entry.explained);
    entry.explained.iter_mut().for_each(bound_booking);
}

fn bound_booking(booking: &mut Explained) {
    cut(&mut booking.reason, limits::LINE);
    cut_option(&mut booking.protocol, limits::LINE);
    cut(&mut booking.verdict, limits::WORD);
    cut_option(&mut booking.finding, limits::FINDING_ID);
}
