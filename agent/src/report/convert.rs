//! A diagnosis as the result of a run, complete and with hostile text escaped.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netdiag_crds::report::{
    Evidence, Explained, Finding, LedgerEntry, Lost, Pod, Remedy, RunResult, Subject, Unchecked,
    Window, place, remedy_kind, state, verdict as booked,
};
use netdiag_diagnosis::{Diagnosis, EvidenceWindow, evidence, finding, ledger};

use super::{text::escaped, verdict::verdict};
use crate::wording::within;

/// Which run a result belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The diagnosis.
    pub diagnosis: &'a str,
    /// Its uid; `None` without a cluster.
    pub uid: Option<&'a str>,
    /// Its run.
    pub generation: i64,
    /// The number of times that this window was begun.
    pub attempts: i32,
}

/// The finished run's result, uncut.
pub fn run_result(diagnosis: &Diagnosis, window: &EvidenceWindow, run: &Run<'_>) -> RunResult {
    RunResult {
        diagnosis: run.diagnosis.to_owned(),
        diagnosis_uid: run.uid.map(str::to_owned),
        run_generation: run.generation,
        state: state::FINISHED.to_owned(),
        window: Some(watched(window, run.attempts)),
        verdict: Some(verdict(diagnosis, window)),
        findings: diagnosis
            .findings
            .iter()
            .map(|finding| convert_finding(finding, window))
            .collect(),
        ledger: diagnosis.ledger.iter().map(convert_entry).collect(),
        unchecked: diagnosis.unchecked.iter().map(convert_unchecked).collect(),
        lost: convert_lost(diagnosis.lost),
        ..RunResult::default()
    }
}

/// A moment of the node's wall clock, in whole seconds as the API has them.
pub fn time_of(unix_ms: i64) -> Time {
    let moment = Timestamp::from_second(unix_ms.div_euclid(1000));
    // Only a clock beyond the year 9999 is out of range.
    Time(moment.unwrap_or(Timestamp::UNIX_EPOCH))
}

fn watched(window: &EvidenceWindow, attempts: i32) -> Window {
    let end_ms = window
        .start_unix_ms
        .saturating_add(signed(window.duration_ms));
    // The window's clock is monotonic and ends a few milliseconds late.
    let seconds = window.duration_ms.saturating_add(500) / 1000;
    Window {
        start_time: time_of(window.start_unix_ms),
        end_time: Some(time_of(end_ms)),
        duration_seconds: i32::try_from(seconds).unwrap_or(i32::MAX),
        attempts,
    }
}

fn convert_finding(finding: &finding::Finding, window: &EvidenceWindow) -> Finding {
    let at = |ms: u64| Some(time_of(window.start_unix_ms.saturating_add(signed(ms))));
    let assessment = &finding.assessment;
    let details = finding.details.iter().map(|(label, text)| Evidence {
        name: escaped(label),
        value: escaped(text),
        ..Evidence::default()
    });
    Finding {
        id: escaped(finding.id.as_str()),
        check: finding.check().name.to_owned(),
        cause: escaped(finding.cause.name()),
        harm: Some(assessment.harm.as_str().to_owned()),
        decision: assessment.is_decision(),
        connections_died: assessment.are_flows_dead,
        decided_by: assessment.decision.map(|by| by.as_str().to_owned()),
        culprit: Some(assessment.culprit.as_str().to_owned()),
        packets: assessment.packets.map(signed),
        carried: assessment.carried.map(signed),
        towards_nobody: assessment.is_towards_nobody,
        flows: assessment.flows.iter().map(|flow| escaped(flow)).collect(),
        severity: finding.severity().as_str().to_owned(),
        confidence: finding.confidence.as_str().to_owned(),
        subject: convert_subject(&finding.subject),
        summary: escaped(&finding.text.headline),
        symptom: non_empty(&within(&finding.symptom)),
        explanation: non_empty(&finding.text.what),
        impact: non_empty(&finding.text.hurts),
        evidence: details
            .chain(finding.evidence.iter().map(convert_proof))
            .collect(),
        neighbours: finding
            .neighbours
            .iter()
            .map(|name| escaped(name))
            .collect(),
        caused_by: finding
            .caused_by
            .iter()
            .map(|id| escaped(id.as_str()))
            .collect(),
        consequence: non_empty(&finding.consequence),
        remedies: finding
            .remedies
            .iter()
            .map(|remedy| convert_remedy(remedy, &window.node.name))
            .collect(),
        count: signed(finding.count),
        first_seen: at(finding.first_ms),
        last_seen: at(finding.last_ms),
        docs: Some(finding.check().docs()),
        ..Finding::default()
    }
}

fn convert_subject(subject: &finding::Subject) -> Subject {
    let escape = |text: &Option<String>| text.as_deref().map(escaped);
    Subject {
        interface: escape(&subject.interface),
        ifindex: subject.ifindex.map(i64::from),
        netns: subject
            .netns
            .map(|netns| escape(&subject.netns_name).unwrap_or_else(|| netns.to_string())),
        pod: subject.pod.as_ref().map(convert_pod),
        container: escape(&subject.container),
        process: escape(&subject.process),
        protocol: escape(&subject.protocol),
    }
}

fn convert_pod(pod: &evidence::Pod) -> Pod {
    Pod {
        namespace: escaped(&pod.namespace),
        name: escaped(&pod.name),
        uid: escaped(&pod.uid),
    }
}

fn convert_proof(proof: &finding::Proof) -> Evidence {
    Evidence {
        name: escaped(&proof.name),
        value: escaped(&proof.value),
        unit: non_empty(proof.unit),
        source: non_empty(&proof.source),
    }
}

fn convert_remedy(remedy: &finding::Remedy, node: &str) -> Remedy {
    let change = remedy.change.as_ref();
    let kind = match change {
        Some(_) => remedy_kind::CHANGE,
        None => remedy_kind::LOOK,
    };
    let place = match (change.map(|change| &change.acts), remedy.place) {
        (Some(finding::Acts::Elsewhere(host)), _) => host,
        (_, finding::Place::Cluster) => place::CLUSTER,
        (_, finding::Place::Node) => node,
    };
    let of_change = |part: fn(&finding::Change) -> &Option<String>| {
        let text = change.and_then(|change| part(change).as_deref());
        text.map(escaped)
    };
    Remedy {
        kind: Some(kind.to_owned()),
        text: escaped(&remedy.text),
        command: remedy.command.as_deref().map(escaped),
        place: remedy.command.is_some().then(|| escaped(place)),
        acts: change.map(|change| change.acts.as_str().to_owned()),
        undo: of_change(|change| &change.undo),
        effect: remedy.effect.as_deref().map(escaped),
        lasting: of_change(|change| &change.lasting),
    }
}

fn convert_entry(entry: &ledger::LedgerEntry) -> LedgerEntry {
    LedgerEntry {
        interface: entry.interface.as_deref().map(escaped),
        netns: entry.place.as_deref().map(escaped),
        counter: entry.counter.to_owned(),
        increase: signed(entry.increase),
        explained: entry.explained.iter().map(convert_booking).collect(),
        unexplained: signed(entry.unexplained),
        uncertainty: signed(entry.uncertainty),
    }
}

fn convert_booking(booking: &ledger::Booking) -> Explained {
    let verdict = match booking.verdict {
        finding::Verdict::Benign => booked::BENIGN,
        finding::Verdict::Harmful => booked::HARMFUL,
        finding::Verdict::Unknown => booked::UNKNOWN,
    };
    Explained {
        reason: escaped(&booking.reason),
        protocol: booking.protocol.as_deref().map(escaped),
        count: signed(booking.count),
        verdict: verdict.to_owned(),
        finding: booking.finding.as_ref().map(|id| escaped(id.as_str())),
    }
}

fn convert_unchecked(unchecked: &finding::Unchecked) -> Unchecked {
    Unchecked {
        check: unchecked.check.name.to_owned(),
        partly: unchecked.is_made(),
        too_rare: !unchecked.is_blind(),
        reason: escaped(&unchecked.reason),
    }
}

fn convert_lost(lost: evidence::Lost) -> Option<Lost> {
    (lost != evidence::Lost::default()).then(|| Lost {
        samples: signed(lost.samples),
        map_entries: signed(lost.counts),
    })
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| escaped(text))
}

/// Kubernetes has signed integers only.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
