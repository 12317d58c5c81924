//! Tests of the text of stored reports: older, unfinished, cut and hostile ones.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netdiag_crds::{
    NodeNetReport,
    report::{Evidence, Finding as Reported, Omitted, ResolvedFinding, RunResult, state},
};

use super::*;

fn of_results(results: Vec<RunResult>) -> NodeNetReport {
    let mut report = crate::diagnose::report(&window("node-17"), &diagnosis());
    report.status.get_or_insert_default().results = results;
    report
}

fn text_of(result: RunResult) -> String {
    super::super::render(&of_results(vec![result]), plain(110))
}

fn result_of(diagnosis: &Diagnosis) -> RunResult {
    let report = crate::diagnose::report(&window("node-17"), diagnosis);
    report.status.unwrap().results.remove(0)
}

fn finished() -> RunResult {
    RunResult {
        diagnosis: "rx-dropped".to_owned(),
        state: state::FINISHED.to_owned(),
        ..RunResult::default()
    }
}

#[test]
fn a_result_without_a_verdict_claims_nothing() {
    assert_eq!(
        text_of(finished()),
        "node-17: no verdict is in this report.\n"
    );
    let older = RunResult {
        findings: vec![Reported {
            severity: "Critical".to_owned(),
            summary: "veth1 loses packets".to_owned(),
            ..Reported::default()
        }],
        ..finished()
    };
    assert!(
        text_of(older).starts_with(
            "node-17: no verdict is in this report; it holds 1 finding, the worst of them Critical: veth1 loses packets."
        ),
    );
    let running = RunResult {
        state: state::RUNNING.to_owned(),
        ..finished()
    };
    assert_eq!(
        text_of(running),
        "node-17: no verdict: the window has not ended yet.\n"
    );
    let failed = RunResult {
        state: state::FAILED.to_owned(),
        message: Some("the window was interrupted 3 times".to_owned()),
        ..finished()
    };
    assert_eq!(
        text_of(failed),
        "node-17: no verdict: the window was interrupted 3 times.\n"
    );
    assert_eq!(
        super::super::render(&of_results(Vec::new()), plain(110)),
        "node-17: no verdict: no diagnosis has a result on this node.\n"
    );
}

#[test]
fn several_results_are_told_apart_by_their_diagnosis() {
    let clear = |name: &str| RunResult {
        diagnosis: name.to_owned(),
        ..result_of(&diagnosis())
    };
    let text = super::super::render(&of_results(vec![clear("a"), clear("b")]), plain(110));
    assert!(
        text.starts_with("Diagnosis a\n\nnode-17: no packet loss found."),
        "{text}"
    );
    assert_eq!(text.matches("Diagnosis ").count(), 2);
}

#[test]
fn a_cut_result_says_what_it_leaves_out() {
    let cut = RunResult {
        omitted: Some(Omitted {
            findings: 12,
            ledger: 1,
            evidence: 0,
        }),
        ..result_of(&diagnosis())
    };
    let text = text_of(cut);
    let last = text.split("\n\n").last().unwrap().replace('\n', " ");
    assert!(
        last.ends_with(
            "Left out or summed in this report, for its size: 12 findings, 1 row of the ledger. "
        ),
        "{text}"
    );
}

#[test]
fn findings_that_are_over_are_told_with_their_times() {
    let time = |seconds| Timestamp::from_second(seconds).ok().map(Time);
    let over = |id: &str, resolved| ResolvedFinding {
        id: id.to_owned(),
        first_seen: time(60),
        last_seen: time(120),
        resolved_time: resolved,
    };
    let result = RunResult {
        resolved: vec![
            over("LinkMtu/PeerMtuSmaller/eth0", None),
            over("A/B", time(180)),
        ],
        ..result_of(&diagnosis())
    };
    let text = text_of(result);
    assert!(
        text.contains(
            "
No longer found
  LinkMtu/PeerMtuSmaller/eth0: first seen 1970-01-01T00:01:00Z, last seen 1970-01-01T00:02:00Z, no window
    could look for it since
  A/B: first seen 1970-01-01T00:01:00Z, last seen 1970-01-01T00:02:00Z, over at 1970-01-01T00:03:00Z
"
        ),
        "{text}"
    );
}

#[test]
fn a_command_of_an_older_agent_is_not_said_to_change_nothing() {
    let mut result = result_of(&lldp_on_a_bridged_bond());
    for remedy in result.findings.iter_mut().flat_map(|one| &mut one.remedies) {
        remedy.kind = None;
        remedy.acts = None;
    }
    let text = text_of(result);
    assert!(
        text.contains("2. Drop them before they are counted:\n"),
        "{text}"
    );
    assert!(!text.contains("(look)"), "{text}");
}

#[test]
fn words_that_this_version_does_not_know_are_shown_and_count_as_the_worst() {
    let mut result = result_of(&lldp_on_a_bridged_bond());
    let finding = &mut result.findings[0];
    finding.check = "QuantumDrop".to_owned();
    finding.cause = "Decoherence".to_owned();
    finding.severity = "Fatal".to_owned();
    finding.harm = Some("Doom".to_owned());
    let text = text_of(result);
    assert!(
        text.contains("[1] Fatal  QuantumDrop/Decoherence"),
        "{text}"
    );
}

#[test]
fn nothing_hostile_in_a_stored_report_gets_through() {
    let hostile = "ev\x1b]0;owned\x07il\u{202e}";
    let mut result = result_of(&lldp_on_a_bridged_bond());
    hostile.clone_into(&mut result.diagnosis);
    for finding in &mut result.findings {
        for text in [
            &mut finding.severity,
            &mut finding.confidence,
            &mut finding.summary,
            &mut finding.id,
        ] {
            text.push_str(hostile);
        }
        finding.evidence.push(Evidence {
            name: hostile.to_owned(),
            value: hostile.to_owned(),
            ..Evidence::default()
        });
    }
    for entry in &mut result.ledger {
        entry.counter.push_str(hostile);
        entry.explained[0].verdict.push_str(hostile);
    }
    if let Some(verdict) = &mut result.verdict {
        verdict.sentence.push_str(hostile);
        verdict.checked.push_str(hostile);
    }
    let report = of_results(vec![result.clone(), result]);
    for wide in [false, true] {
        let text = super::super::render(&report, Style::new(None, false, wide));
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text}");
    }
}
