//! A report as the cache keeps it: checked, printable, and without what no pass reads.
//!
//! A report is the word of one agent. What is impossible in it is left out and said to be unchecked, so that it does not
//! become part of the fleet's numbers.

use std::{collections::BTreeMap, mem};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::api::ObjectMeta;
use netdiag_crds::{
    NodeNetReport, NodeNetReportStatus, labels,
    report::{
        Explained, Finding, LedgerEntry, Pod, Remedy, ReportSummary, RunResult, Subject, Unchecked,
        Window,
    },
};

use super::heartbeat;

/// More packets than this cannot have been dropped in a window: 100 million a second for four months. The sums of as
/// many nodes as a run can have stay below the largest number.
pub const MOST_PACKETS: i64 = 1 << 50;
/// The check that a report with impossible numbers has not made.
const LEDGER: &str = "ledger";
const IMPOSSIBLE: &str = "the node's report has impossible numbers, which are left out";

/// Leaves of a report what passes read, and of that only what can be.
pub fn shrink(report: &mut NodeNetReport) {
    let written = heartbeat(report);
    let metadata = mem::take(&mut report.metadata);
    let stamp = metadata.managed_fields.into_iter().flatten();
    let stamp = stamp.filter(|entry| {
        entry.subresource.as_deref() == Some("status")
            && entry.time.as_ref().map(|time| time.0) == written
    });
    let stamp = stamp.take(1).map(|mut entry| {
        entry.fields_v1 = None;
        entry
    });
    report.metadata = ObjectMeta {
        managed_fields: Some(stamp.collect()),
        annotations: None,
        labels: metadata.labels.map(own_labels),
        ..metadata
    };
    report.status = report.status.take().map(status);
}

/// The labels that the controller keeps.
fn own_labels(mut all: BTreeMap<String, String>) -> BTreeMap<String, String> {
    all.retain(|key, _| [labels::HARM, labels::SEVERITY].contains(&key.as_str()));
    all
}

fn status(status: NodeNetReportStatus) -> NodeNetReportStatus {
    let conditions = status.conditions.into_iter().map(|mut condition| {
        condition.message = String::new();
        printable(&mut condition.reason);
        condition
    });
    let agent = status.agent.map(|mut agent| {
        printable(&mut agent.version);
        printable(&mut agent.kernel);
        agent
    });
    let facts = status.facts.into_iter().map(|mut fact| {
        printable(&mut fact.name);
        printable(&mut fact.value);
        fact
    });
    NodeNetReportStatus {
        observed_generation: status.observed_generation,
        conditions: conditions.collect(),
        agent,
        facts: facts.collect(),
        // What labels repeat, as words that are compared.
        summary: status.summary.map(|summary| ReportSummary {
            harm: summary.harm,
            severity: summary.severity,
            ..ReportSummary::default()
        }),
        results: status.results.into_iter().map(result).collect(),
        ..NodeNetReportStatus::default()
    }
}

fn result(result: RunResult) -> RunResult {
    let mut numbers = Numbers::default();
    let findings = result.findings.into_iter();
    let findings = findings.map(|found| finding(found, &mut numbers)).collect();
    let ledger = ledger(result.ledger, &mut numbers);
    let mut unchecked = result.unchecked;
    for entry in &mut unchecked {
        printable(&mut entry.check);
        printable(&mut entry.reason);
    }
    if numbers.are_impossible {
        unchecked.push(Unchecked {
            check: LEDGER.to_owned(),
            partly: false,
            too_rare: false,
            reason: IMPOSSIBLE.to_owned(),
        });
    }
    unchecked.shrink_to_fit();
    RunResult {
        diagnosis: result.diagnosis,
        diagnosis_uid: result.diagnosis_uid,
        run_generation: result.run_generation,
        state: result.state,
        // Clocks of nodes are not compared: only that it has ended counts.
        window: result.window.map(|window| Window {
            start_time: Time(Timestamp::UNIX_EPOCH),
            end_time: window.end_time.map(|_| Time(Timestamp::UNIX_EPOCH)),
            ..window
        }),
        findings,
        ledger,
        unchecked,
        resolved: result.resolved,
        ..RunResult::default()
    }
}

fn finding(finding: Finding, numbers: &mut Numbers) -> Finding {
    let mut kept = Finding {
        id: finding.id,
        check: finding.check,
        cause: finding.cause,
        harm: finding.harm,
        decision: finding.decision,
        packets: finding.packets.map(|packets| numbers.checked(packets)),
        severity: finding.severity,
        subject: Subject {
            interface: finding.subject.interface,
            pod: finding.subject.pod.map(|pod| Pod {
                uid: String::new(),
                ..pod
            }),
            protocol: finding.subject.protocol,
            ..Subject::default()
        },
        connections_died: finding.connections_died,
        summary: finding.summary,
        symptom: finding.symptom,
        neighbours: finding.neighbours,
        caused_by: finding.caused_by,
        remedies: finding.remedies.into_iter().take(1).map(first).collect(),
        count: numbers.checked(finding.count),
        ..Finding::default()
    };
    let subject = &mut kept.subject;
    let texts = [&mut kept.check, &mut kept.cause, &mut kept.summary];
    let optional = [
        &mut subject.interface,
        &mut subject.protocol,
        &mut kept.symptom,
    ];
    let pod = subject.pod.iter_mut();
    let pod = pod.flat_map(|pod| [&mut pod.namespace, &mut pod.name]);
    texts
        .into_iter()
        .chain(optional.into_iter().flatten())
        .chain(pod)
        .chain(&mut kept.neighbours)
        .for_each(printable);
    kept
}

fn first(remedy: Remedy) -> Remedy {
    Remedy {
        // A command that is not what it looks like is none.
        command: remedy.command.filter(|command| !command.contains(is_bad)),
        undo: remedy.undo.filter(|undo| !undo.contains(is_bad)),
        ..Remedy::default()
    }
}

/// One entry a counter: a roll-up does not tell devices apart.
fn ledger(entries: Vec<LedgerEntry>, numbers: &mut Numbers) -> Vec<LedgerEntry> {
    /// By verdict and finding.
    type Booked = BTreeMap<(String, Option<String>), i64>;
    let mut counters: BTreeMap<String, (LedgerEntry, Booked)> = BTreeMap::new();
    for mut entry in entries {
        printable(&mut entry.counter);
        let (sum, booked) = counters.entry(entry.counter).or_default();
        numbers.add(&mut sum.increase, entry.increase);
        numbers.add(&mut sum.unexplained, entry.unexplained);
        for part in entry.explained {
            let count = booked.entry((part.verdict, part.finding)).or_default();
            numbers.add(count, part.count);
        }
    }
    let counters = counters.into_iter();
    let counters = counters.map(|(counter, (sum, booked))| LedgerEntry {
        counter,
        explained: booked
            .into_iter()
            .map(|((verdict, finding), count)| Explained {
                verdict,
                finding,
                count,
                ..Explained::default()
            })
            .collect(),
        ..sum
    });
    counters.collect()
}

/// The numbers of one result.
#[derive(Default)]
struct Numbers {
    are_impossible: bool,
}

impl Numbers {
    /// The number if it can be, else none.
    fn checked(&mut self, number: i64) -> i64 {
        if (0..=MOST_PACKETS).contains(&number) {
            return number;
        }
        self.are_impossible = true;
        0
    }

    fn add(&mut self, sum: &mut i64, number: i64) {
        let number = self.checked(number);
        *sum = self.checked(sum.saturating_add(number));
    }
}

/// Puts a mark in place of what a terminal would obey and of what reverses the text around it.
fn printable(text: &mut String) {
    if text.contains(is_bad) {
        *text = text.replace(is_bad, "\u{fffd}");
    }
}

fn is_bad(c: char) -> bool {
    /// Marks of direction, embeddings, overrides and isolates; separators of lines and paragraphs.
    const REVERSING: [std::ops::RangeInclusive<char>; 4] = [
        '\u{61c}'..='\u{61c}',
        '\u{200e}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2066}'..='\u{2069}',
    ];
    c.is_control() || REVERSING.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, ReportBuilder};

    fn shrunk(mut report: NodeNetReport) -> RunResult {
        shrink(&mut report);
        report.status.expect("kept").results.remove(0)
    }

    fn report() -> ReportBuilder {
        ReportBuilder::new("a").assigned(0).result("Finished")
    }

    #[test]
    fn devices_of_a_counter_are_one_entry_and_its_numbers_stay() {
        let booked = |count| vec![testing::booking("f", "Harmful", count)];
        let report = report()
            .ledger(testing::counter("rx_dropped", 10, 3, booked(7)))
            .ledger(testing::counter("rx_dropped", 5, 1, booked(4)));
        let ledger = shrunk(report.build()).ledger;
        assert_eq!(ledger.len(), 1);
        let of = &ledger[0];
        assert_eq!(
            (of.increase, of.unexplained, of.explained[0].count),
            (15, 4, 11)
        );
    }

    #[test]
    fn impossible_numbers_are_left_out_and_said_to_be_unchecked() {
        for wrong in [i64::MAX, -1, MOST_PACKETS + 1] {
            let report = report()
                .ledger(testing::counter("rx_dropped", wrong, 0, Vec::new()))
                .ledger(testing::counter("tx_dropped", 5, 0, Vec::new()));
            let result = shrunk(report.build());
            let increases: Vec<_> = result.ledger.iter().map(|entry| entry.increase).collect();
            assert_eq!(increases, [0, 5]);
            assert_eq!(result.unchecked[0].check, LEDGER);
        }
        let fine = report().ledger(testing::counter("rx_dropped", MOST_PACKETS, 0, Vec::new()));
        assert!(shrunk(fine.build()).unchecked.is_empty());
    }

    #[test]
    fn what_a_terminal_would_obey_is_marked() {
        let mut found = testing::finding("LinkMtu", "PeerMtuSmaller", "Warning");
        found.summary = "red \u{1b}[31m, \u{202e}desrever".to_owned();
        found.remedies = vec![Remedy {
            command: Some("ip\nlink".to_owned()),
            undo: Some("ip\nlink".to_owned()),
            ..Remedy::default()
        }];
        let kept = shrunk(report().finding(found).build()).findings.remove(0);
        assert_eq!(kept.summary, "red \u{fffd}[31m, \u{fffd}desrever");
        assert_eq!(kept.remedies[0].command, None);
        assert_eq!(kept.remedies[0].undo, None);
    }

    #[test]
    fn windows_that_say_the_same_are_equal_after_shrinking() {
        let at = |seconds| {
            let mut report = report().written(seconds).build();
            let status = report.status.as_mut().expect("built");
            let window = status.results[0].window.as_mut().expect("built");
            window.end_time = Some(Time(testing::at(seconds)));
            report
        };
        let (mut first, mut second) = (at(40), at(340));
        shrink(&mut first);
        shrink(&mut second);
        assert_eq!(first.status, second.status);
        assert_ne!(heartbeat(&first), heartbeat(&second));
        assert!(heartbeat(&first).is_some());
    }
}
