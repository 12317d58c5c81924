//! Diagnoses to report, and what must hold of every report.

mod converting;
mod fitting;
mod random;

use std::collections::BTreeMap;

use netdiag_crds::{
    NodeNetReportStatus,
    report::{AgentInfo, Finding, LedgerEntry, Probe, RunResult},
};
use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    causes::Mechanism,
    evidence::{NetnsId, NodeFacts, Pod},
    finding::{self, Assessment, Culprit, Harm, Proof, Remedy, Severity, Subject, Verdict},
    ledger::{self, Booking},
};

use super::{OBJECT_BYTES, Run, bound, fit, fold::stands_for, run_result, size::bytes, summary};

/// Metadata and spec of an ordinary report.
const REST: usize = 900;

fn veth(number: usize) -> Subject {
    Subject {
        interface: Some(format!("veth{number:08x}")),
        ifindex: u32::try_from(number).ok(),
        netns: Some(NetnsId(4_026_531_840)),
        pod: Some(Pod {
            namespace: "shop".to_owned(),
            name: format!("checkout-7d9c6b5f4-{number:05}"),
            uid: "7c9e6679-7425-40de-944b-e07fc1f90ae7".to_owned(),
        }),
        ..Subject::default()
    }
}

fn fault(cause: impl Into<Mechanism>, severity: Severity, subject: Subject) -> finding::Finding {
    let name = subject.interface.clone().unwrap_or_default();
    let text = finding::Text {
        headline: format!("{name} takes frames of 1500 bytes at most, its peer sends up to 9000"),
        what: "The sender's device lets larger frames out than the receiver's lets in. ".repeat(3),
        hurts: "Large packets vanish; connections hang after their handshake.".to_owned(),
    };
    let assessment = match severity {
        Severity::Info => Assessment::none(),
        Severity::Warning => Assessment::of(Harm::Loss),
        Severity::Critical => Assessment::of(Harm::Outage).by(Culprit::Here),
    };
    let mut finding = finding::Finding::new(cause, assessment, subject, text);
    finding.evidence = (0..6)
        .map(|number| {
            Proof::new(
                format!("PKT_TOO_BIG at veth_xmit {number}"),
                7,
                "frames",
                "kfree_skb",
            )
        })
        .collect();
    finding.remedies = vec![Remedy::command(
        "Give both ends one MTU.",
        &["ip", "link", "set", &name, "mtu", "1500"],
        &[&name],
    )];
    finding.count = 7;
    finding
}

fn row(
    interface: &str,
    counter: &'static str,
    explained: &[(&str, Verdict, u64)],
    unexplained: u64,
) -> ledger::LedgerEntry {
    let explained: Vec<Booking> = explained
        .iter()
        .map(|(reason, verdict, count)| Booking {
            reason: (*reason).to_owned(),
            protocol: None,
            count: *count,
            verdict: *verdict,
            finding: None,
        })
        .collect();
    ledger::LedgerEntry {
        interface: Some(interface.to_owned()),
        ifindex: Some(3),
        netns: NetnsId(4_026_531_840),
        place: None,
        counter,
        increase: unexplained + explained.iter().map(|booking| booking.count).sum::<u64>(),
        explained,
        unexplained,
        uncertainty: 0,
    }
}

fn diagnosis(findings: Vec<finding::Finding>, ledger: Vec<ledger::LedgerEntry>) -> Diagnosis {
    Diagnosis {
        findings,
        ledger,
        ..Diagnosis::default()
    }
}

fn window() -> EvidenceWindow {
    EvidenceWindow {
        start_unix_ms: 1_772_420_650_400,
        duration_ms: 35_012,
        node: NodeFacts {
            name: "node-17".to_owned(),
            ..NodeFacts::default()
        },
        ..EvidenceWindow::default()
    }
}

fn result_of(name: &str, diagnosis: &Diagnosis) -> RunResult {
    let run = Run {
        diagnosis: name,
        uid: Some("0f4c9a5e-6c1b-4d27-8a51-5f0f6a3b2c1d"),
        generation: 1,
        attempts: 1,
    };
    run_result(diagnosis, &window(), &run)
}

fn status_of(results: Vec<RunResult>) -> NodeNetReportStatus {
    let probe = |name: &str| Probe {
        name: name.to_owned(),
        state: "Attached".to_owned(),
        backend: Some("tp_btf".to_owned()),
        reason: None,
    };
    let mut status = NodeNetReportStatus {
        observed_generation: Some(1),
        agent: Some(AgentInfo {
            version: "0.1.0".to_owned(),
            kernel: "6.1.0-56-cloud-amd64".to_owned(),
            btf: true,
            host: None,
        }),
        probes: ["drop", "links", "packet_sockets"].map(probe).to_vec(),
        results,
        ..NodeNetReportStatus::default()
    };
    bound(&mut status);
    status.summary = Some(summary(&status));
    status
}

fn fitted(status: &NodeNetReportStatus) -> NodeNetReportStatus {
    let mut fitted = status.clone();
    fit(&mut fitted, REST);
    fitted
}

fn is_worse(finding: &&Finding) -> bool {
    finding.severity != "Info"
}

/// Counts the findings of Warning or worse by check, cause and severity, folded ones in full.
fn faults(findings: &[Finding]) -> BTreeMap<(&str, &str, &str), i64> {
    let mut faults = BTreeMap::new();
    for finding in findings.iter().filter(is_worse) {
        *faults
            .entry((
                finding.check.as_str(),
                finding.cause.as_str(),
                finding.severity.as_str(),
            ))
            .or_default() += stands_for(finding);
    }
    faults
}

fn assert_balanced(entry: &LedgerEntry) {
    let explained: i64 = entry.explained.iter().map(|booking| booking.count).sum();
    assert_eq!(entry.increase, explained + entry.unexplained, "{entry:?}");
}

/// Per counter: increase, and what of it is booked to each verdict.
fn totals(ledger: &[LedgerEntry]) -> BTreeMap<(&str, &str), i64> {
    let mut totals = BTreeMap::new();
    for entry in ledger {
        *totals
            .entry((entry.counter.as_str(), "increase"))
            .or_default() += entry.increase;
        *totals
            .entry((entry.counter.as_str(), "unexplained"))
            .or_default() += entry.unexplained;
        for booking in &entry.explained {
            *totals
                .entry((entry.counter.as_str(), booking.verdict.as_str()))
                .or_default() += booking.count;
        }
    }
    totals
}
