//! The text of a stored report, against that of the run which made it.

use std::path::Path;

use netdiag_crds::{NodeNetReport, report::WindowVerdict};
use netdiag_diagnosis::{Settings, diagnose};

use super::testdata::recordings;
use crate::{
    diagnose,
    render::{Style, render},
    report::{bound, fit},
};

/// Metadata and spec of an ordinary report.
const REST: usize = 900;

/// Every recording with the report that a run of it prints.
fn live() -> impl Iterator<Item = (String, NodeNetReport)> {
    recordings().map(|(file, recording)| {
        let window = &recording.evidence;
        let diagnosis = diagnose(window, &Settings::default());
        let name = |path: &Path| path.display().to_string();
        (name(&file), diagnose::report(window, &diagnosis))
    })
}

/// Written as JSON or YAML and read again.
fn stored(report: &NodeNetReport) -> [NodeNetReport; 2] {
    let json = serde_json::to_string(report).unwrap();
    let yaml = serde_yaml::to_string(report).unwrap();
    [
        serde_json::from_str(&json).unwrap(),
        serde_yaml::from_str(&yaml).unwrap(),
    ]
}

/// The report as a node's agent writes it to an API server.
fn fitted(report: &NodeNetReport) -> NodeNetReport {
    let mut report = report.clone();
    let status = report.status.as_mut().unwrap();
    bound(status);
    fit(status, REST);
    report
}

fn verdict(report: &NodeNetReport) -> WindowVerdict {
    let status = report.status.as_ref().unwrap();
    status.results[0].verdict.clone().unwrap()
}

/// The worst severity that a heading of the text has.
fn worst(text: &str) -> usize {
    let heading = |line: &&str| line.starts_with('[');
    let severities = text.lines().filter(heading).filter_map(|line| {
        let word = line.split_whitespace().nth(1)?;
        ["Info", "Warning", "Critical"]
            .iter()
            .position(|one| *one == word)
    });
    severities.max().unwrap_or_default()
}

fn first(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or_default().trim_end()
}

#[test]
fn the_text_of_a_stored_report_is_that_of_the_run() {
    for (name, report) in live() {
        for wide in [false, true] {
            let style = Style::new(None, false, wide);
            let expected = render(&report, style);
            for stored in stored(&report) {
                assert_eq!(render(&stored, style), expected, "{name}");
            }
        }
    }
}

#[test]
fn a_node_s_report_says_the_same_and_what_it_leaves_out() {
    let (mut whole, mut cut) = (0, 0);
    for (name, report) in live() {
        let small = fitted(&report);
        assert_eq!(
            verdict(&small).sentence,
            verdict(&report).sentence,
            "{name}"
        );
        let omitted = small.status.as_ref().unwrap().results[0].omitted;
        for wide in [false, true] {
            let style = Style::new(None, false, wide);
            let (expected, text) = (render(&report, style), render(&small, style));
            if omitted.is_none() {
                assert_eq!(text, expected, "{name}");
                whole += 1;
                continue;
            }
            assert_eq!(first(&text), first(&expected), "{name}");
            assert_eq!(worst(&text), worst(&expected), "{name}");
            let last = text.split("\n\n").last().unwrap().replace('\n', " ");
            assert!(last.contains("Left out or summed in this report"), "{last}");
            cut += 1;
        }
    }
    assert!(whole > 0 && cut > 0, "{whole} whole, {cut} cut");
}

#[test]
fn only_labelled_lines_name_no_source() {
    for (file, recording) in recordings() {
        for finding in diagnose(&recording.evidence, &Settings::default()).findings {
            for proof in &finding.evidence {
                assert_ne!(proof.source, "", "{}: {proof:?}", file.display());
            }
        }
    }
}
