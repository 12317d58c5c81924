use std::collections::{BTreeMap, BTreeSet};

use netdiag_crds::{
    NodeNetReportStatus, limits,
    report::{AgentInfo, Finding, LedgerEntry, Omitted, Probe, RunResult},
};
use netdiag_diagnosis::{
    Diagnosis, EvidenceWindow,
    evidence::{Lost, NetnsId, Pod},
    finding::{self, Proof, Remedy, Severity, Subject, Unchecked, Verdict},
    ledger::{self, Booking},
};

use super::{
    OBJECT_BYTES, Run, bound, fit, fit::bytes, fold::stands_for, keep_first_seen, run_result,
    summary,
};

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

fn fault(
    check: &'static str,
    cause: &'static str,
    severity: Severity,
    subject: Subject,
) -> finding::Finding {
    let name = subject.interface.clone().unwrap_or_default();
    let mut finding = finding::Finding::new(check, cause, severity, subject);
    finding.summary =
        format!("{name} takes frames of 1500 bytes at most, its peer sends up to 9000");
    finding.explanation =
        "The sender's device lets larger frames out than the receiver's lets in. ".repeat(3);
    finding.impact = "Large packets vanish; connections hang after their handshake.".to_owned();
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
        unchecked: Vec::new(),
        lost: Lost::default(),
        checks: Vec::new(),
    }
}

fn window() -> EvidenceWindow {
    EvidenceWindow {
        start_unix_ms: 1_772_420_650_400,
        duration_ms: 35_012,
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

/// How many findings of Warning or worse there are by check, cause and severity, folded ones counted in full.
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

#[test]
fn a_report_that_fits_is_left_alone() {
    let findings = (0..3).map(|number| {
        fault(
            "LinkMtu",
            "PeerMtuSmaller",
            Severity::Critical,
            veth(number),
        )
    });
    let status = status_of(vec![result_of(
        "one",
        &diagnosis(findings.collect(), vec![]),
    )]);
    assert_eq!(fitted(&status), status);
}

#[test]
fn two_hundred_faults_on_one_node_fit_and_none_goes_missing() {
    let findings = (0..200).map(|number| {
        fault(
            "LinkMtu",
            "PeerMtuSmaller",
            Severity::Critical,
            veth(number),
        )
    });
    let ledger = (0..400).map(|number| {
        row(
            &format!("veth{number:08x}"),
            "rx_dropped",
            &[("PKT_TOO_BIG", Verdict::Harmful, 7)],
            1,
        )
    });
    let whole = status_of(vec![result_of(
        "one",
        &diagnosis(findings.collect(), ledger.collect()),
    )]);
    let status = fitted(&whole);

    assert!(REST + bytes(&status) < OBJECT_BYTES, "{}", bytes(&status));
    let result = &status.results[0];
    assert_eq!(
        faults(&result.findings),
        BTreeMap::from([(("LinkMtu", "PeerMtuSmaller", "Critical"), 200)])
    );
    assert_eq!(
        result.findings[0], whole.results[0].findings[0],
        "the worst stays in full"
    );
    let folded = result.findings.last().unwrap();
    assert!(
        folded
            .summary
            .contains("alike, such as shop/checkout-7d9c6b5f4-"),
        "{}",
        folded.summary
    );
    assert_eq!(folded.remedies[0].text, "Give both ends one MTU.");
    assert_eq!(
        folded.remedies[0].command, None,
        "a command names one interface of many"
    );

    result.ledger.iter().for_each(assert_balanced);
    assert_eq!(totals(&result.ledger), totals(&whole.results[0].ledger));
    let omitted = result.omitted.unwrap();
    assert_eq!(
        omitted.findings + i64::try_from(result.findings.len()).unwrap(),
        200
    );
    assert_eq!(
        omitted.ledger + i64::try_from(result.ledger.len()).unwrap(),
        400
    );
    assert_eq!(summary(&status).findings, 200);
}

#[test]
fn evidence_goes_before_explanation_and_harmless_findings_before_faults() {
    let mut findings = vec![fault(
        "LinkMtu",
        "PeerMtuSmaller",
        Severity::Critical,
        veth(0),
    )];
    findings.extend((1..12).map(|number| {
        fault(
            "ChecksumDrop",
            "Corruption",
            Severity::Warning,
            veth(number),
        )
    }));
    findings.extend((12..90).map(|number| {
        fault(
            "UnhandledProtocol",
            "NoReceiver",
            Severity::Info,
            veth(number),
        )
    }));
    let status = fitted(&status_of(vec![result_of(
        "one",
        &diagnosis(findings, vec![]),
    )]));
    let findings = &status.results[0].findings;
    let warnings = findings.iter().filter(is_worse).count();
    assert_eq!(warnings, 12, "each fault is there by itself");
    assert!(findings.len() < 90);
    let omitted = status.results[0].omitted.unwrap();
    assert_eq!(
        omitted.findings,
        90 - i64::try_from(findings.len()).unwrap()
    );
    assert!(omitted.evidence > 0);
    for finding in findings {
        assert!(finding.evidence.is_empty() || finding.explanation.is_some());
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.remedies[0].command.is_some())
    );
}

#[test]
fn references_follow_a_finding_that_was_folded() {
    let causes: Vec<finding::Finding> = (0..100)
        .map(|number| {
            fault(
                "Promiscuity",
                "Unexplained",
                Severity::Warning,
                veth(number),
            )
        })
        .collect();
    let mut effect = fault(
        "UnhandledProtocol",
        "NoReceiver",
        Severity::Critical,
        veth(500),
    );
    effect.caused_by = vec![causes[98].id.clone(), causes[99].id.clone()];
    let mut entry = row(
        "eth0",
        "rx_dropped",
        &[("UNHANDLED_PROTO", Verdict::Harmful, 3)],
        0,
    );
    entry.explained[0].finding = Some(causes[99].id.clone());
    let mut findings = vec![effect];
    findings.extend(causes);
    let status = fitted(&status_of(vec![result_of(
        "one",
        &diagnosis(findings, vec![entry]),
    )]));
    let result = &status.results[0];
    let ids: BTreeSet<&str> = result
        .findings
        .iter()
        .map(|finding| finding.id.as_str())
        .collect();
    let [cause] = result.findings[0].caused_by.as_slice() else {
        panic!(
            "both causes are in one finding now: {:?}",
            result.findings[0].caused_by
        );
    };
    assert!(ids.contains(cause.as_str()));
    assert_eq!(result.ledger[0].explained[0].finding.as_ref(), Some(cause));
}

#[test]
fn eight_results_share_the_object_and_a_small_one_leaves_room() {
    let large = |count: usize| {
        let findings = (0..count).map(|number| {
            fault(
                "LinkMtu",
                "PeerMtuSmaller",
                Severity::Critical,
                veth(number),
            )
        });
        diagnosis(findings.collect(), vec![])
    };
    let results = (0..8)
        .map(|number| result_of(&format!("diagnosis-{number}"), &large(100)))
        .collect();
    let status = fitted(&status_of(results));
    assert!(REST + bytes(&status) < OBJECT_BYTES);
    for result in &status.results {
        assert_eq!(faults(&result.findings).values().sum::<i64>(), 100);
    }

    let names = ["empty-0", "empty-1", "empty-2"];
    let mut results: Vec<RunResult> = names
        .iter()
        .map(|name| result_of(name, &large(0)))
        .collect();
    results.insert(0, result_of("large", &large(100)));
    let status = fitted(&status_of(results));
    assert_eq!(
        status.results[0].diagnosis, "large",
        "results keep their order"
    );
    assert!(bytes(&status.results[0]) > OBJECT_BYTES / 2);
}

#[test]
fn fitting_what_was_fitted_loses_nothing_more() {
    let findings = (0..200).map(|number| {
        fault(
            "LinkMtu",
            "PeerMtuSmaller",
            Severity::Critical,
            veth(number),
        )
    });
    let once = fitted(&status_of(vec![result_of(
        "one",
        &diagnosis(findings.collect(), vec![]),
    )]));
    assert_eq!(fitted(&once), once);

    // Another diagnosis comes and takes half of the room.
    let mut shared = once.clone();
    shared.results.push(RunResult {
        diagnosis: "two".to_owned(),
        ..once.results[0].clone()
    });
    let shared = fitted(&shared);
    for result in &shared.results {
        assert_eq!(faults(&result.findings).values().sum::<i64>(), 200);
        let shown = i64::try_from(result.findings.len()).unwrap();
        assert_eq!(result.omitted.unwrap().findings + shown, 200);
    }
}

/// Numbers that look random and are the same in every run (the generator of POSIX' drand48).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & 0xFFFF_FFFF_FFFF;
        (self.0 >> 17) % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(u64::try_from(end).unwrap())).unwrap()
    }

    fn text(&mut self, longest: usize) -> String {
        const PIECES: [&str; 6] = ["a", "loss ", "\"", "\u{1b}[2J", "ß", "網"];
        (0..self.index(longest))
            .map(|_| PIECES[self.index(PIECES.len())])
            .collect()
    }

    fn finding(&mut self, number: usize) -> finding::Finding {
        const CAUSES: [(&str, &str); 7] = [
            ("Promiscuity", "BridgePort"),
            ("Promiscuity", "Unexplained"),
            ("UnhandledProtocol", "NoReceiver"),
            ("ChecksumDrop", "PartialChecksumLost"),
            ("ChecksumDrop", "Corruption"),
            ("LinkMtu", "PeerMtuSmaller"),
            ("OtherDrop", "NETFILTER_DROP"),
        ];
        const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];
        let (check, cause) = CAUSES[self.index(CAUSES.len())];
        let mut subject = veth(number);
        if self.below(4) == 0 {
            subject.process = Some(self.text(40));
        }
        let mut finding = fault(check, cause, SEVERITIES[self.index(3)], subject);
        finding.summary = self.text(400);
        finding.explanation = self.text(3000);
        finding.evidence.truncate(self.index(7));
        finding.details = vec![("Sender", self.text(100))];
        finding
    }

    fn row(&mut self, number: usize) -> ledger::LedgerEntry {
        const COUNTERS: [&str; 3] = ["rx_dropped", "tx_dropped", "rx_nohandler"];
        const VERDICTS: [Verdict; 3] = [Verdict::Benign, Verdict::Harmful, Verdict::Unknown];
        const REASONS: [&str; 3] = ["UNHANDLED_PROTO", "OTHERHOST", "NOT_SPECIFIED"];
        let explained: Vec<_> = (0..self.index(4))
            .map(|_| {
                (
                    REASONS[self.index(3)],
                    VERDICTS[self.index(3)],
                    self.below(1000),
                )
            })
            .collect();
        row(
            &format!("eth{number}"),
            COUNTERS[self.index(3)],
            &explained,
            self.below(9),
        )
    }

    fn diagnosis(&mut self) -> Diagnosis {
        let findings = self.index(300);
        let rows = self.index(500);
        let mut diagnosis = diagnosis(
            (0..findings).map(|number| self.finding(number)).collect(),
            (0..rows).map(|number| self.row(number)).collect(),
        );
        diagnosis
            .findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        diagnosis.unchecked = (0..self.index(6))
            .map(|_| Unchecked {
                check: "OtherDrop",
                partly: true,
                reason: self.text(900),
            })
            .collect();
        diagnosis
    }
}

#[test]
fn whatever_is_found_the_object_is_small_and_complete() {
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let results = (0..=numbers.index(4))
            .map(|number| result_of(&format!("diagnosis-{number}"), &numbers.diagnosis()))
            .collect();
        let whole = status_of(results);
        let status = fitted(&whole);
        assert!(
            REST + bytes(&status) < OBJECT_BYTES,
            "seed {seed}: {}",
            bytes(&status)
        );
        for (small, large) in status.results.iter().zip(&whole.results) {
            let counted: i64 = faults(&small.findings).values().sum();
            assert_eq!(
                counted,
                faults(&large.findings).values().sum::<i64>(),
                "seed {seed}"
            );
            small.ledger.iter().for_each(assert_balanced);
            assert_eq!(totals(&small.ledger), totals(&large.ledger), "seed {seed}");
            let omitted = small.omitted.unwrap_or_default();
            let shown = small.findings.len() + usize::try_from(omitted.findings).unwrap();
            assert_eq!(shown, large.findings.len(), "seed {seed}");
        }
    }
}

#[test]
fn hostile_text_is_escaped_and_cut_to_what_the_schema_takes() {
    let mut finding = fault("LinkMtu", "PeerMtuSmaller", Severity::Critical, veth(0));
    finding.summary = format!("\u{1b}]0;\u{7}{}", "ü".repeat(300));
    finding.remedies = vec![Remedy {
        command: Some("x".repeat(2000)),
        ..Remedy::default()
    }];
    finding.evidence = (0..40)
        .map(|number| Proof::new("fact", number, "", "netlink"))
        .collect();
    let status = status_of(vec![result_of("one", &diagnosis(vec![finding], vec![]))]);
    let finding = &status.results[0].findings[0];
    assert!(finding.summary.starts_with(r"\u{1b}]0;\u{7}üü"));
    assert_eq!(finding.summary.chars().count(), limits::LINE);
    assert_eq!(
        finding.remedies[0].command, None,
        "half a command is a wrong one"
    );
    assert_eq!(finding.evidence.len(), limits::EVIDENCE);
    let omitted = Omitted {
        evidence: 8,
        ..Omitted::default()
    };
    assert_eq!(status.results[0].omitted, Some(omitted));
}

#[test]
fn times_are_the_nodes_clock_in_whole_seconds() {
    let mut finding = fault("LinkMtu", "PeerMtuSmaller", Severity::Critical, veth(0));
    finding.first_ms = 1_700;
    finding.last_ms = 34_000;
    let result = result_of("one", &diagnosis(vec![finding], vec![]));
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["window"]["startTime"], "2026-03-02T03:04:10Z");
    assert_eq!(json["window"]["endTime"], "2026-03-02T03:04:45Z");
    assert_eq!(json["window"]["durationSeconds"], 35);
    assert_eq!(json["findings"][0]["firstSeen"], "2026-03-02T03:04:12Z");
    assert_eq!(json["findings"][0]["lastSeen"], "2026-03-02T03:04:44Z");
}

#[test]
fn a_finding_keeps_the_time_when_an_earlier_window_first_saw_it() {
    let first = |start: i64, numbers: [usize; 2]| {
        let findings = numbers.map(|number| {
            fault(
                "LinkMtu",
                "PeerMtuSmaller",
                Severity::Critical,
                veth(number),
            )
        });
        let run = Run {
            diagnosis: "one",
            uid: None,
            generation: 1,
            attempts: 1,
        };
        let window = EvidenceWindow {
            start_unix_ms: start,
            ..EvidenceWindow::default()
        };
        run_result(&diagnosis(findings.to_vec(), vec![]), &window, &run).findings
    };
    let previous = first(1_000_000, [1, 2]);
    let mut current = first(2_000_000, [2, 3]);
    keep_first_seen(&mut current, &previous);
    assert_eq!(current[0].first_seen, previous[1].first_seen);
    assert_eq!(current[0].last_seen, Some(super::time_of(2_000_000)));
    assert_eq!(current[1].first_seen, Some(super::time_of(2_000_000)));
}
