//! Leaves what the agent recorded, with what the scenario knows about it, for the fast tests of the detectors.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use netdiag_agent::recording::{self, ExpectedFinding};
use netdiag_diagnosis::{Settings, diagnose};
use netdiag_e2e::lab::Watched;
use serde_json::Value;

use crate::scenarios::Scenario;

/// The variable that names the folder for recordings; without it none are written.
const FOLDER: &str = "NETDIAG_RECORDINGS";

/// Copies a recording, and writes into its header what made it and how much the kernel's counters rose.
pub fn keep(scenario: &Scenario, watched: &Watched, counters: BTreeMap<String, u64>) -> Result<()> {
    let Some(folder) = env::var_os(FOLDER) else {
        return Ok(());
    };
    let mut recording = recording::read(&watched.recording)?;
    let diagnosis = diagnose(&recording.evidence, &Settings::default());
    let replayed = diagnosis.findings.iter();
    let replayed: Vec<_> = replayed
        .map(|one| (one.id.as_str(), one.severity().as_str(), one.count))
        .collect();
    let result = &watched.report["status"]["results"][0];
    assert_eq!(replayed, said(result), "a replay finds the same");
    recording.header.scenario = Some(recording::Scenario {
        name: scenario.name.to_owned(),
        counters,
        findings: ExpectedFinding::all_of(&diagnosis),
    });
    let folder = Path::new(&folder).join(scenario.check);
    fs::create_dir_all(&folder)?;
    recording::write(&free_file(&folder, scenario.name), &recording)?;
    Ok(())
}

/// Id, severity and count of each finding in a report.
fn said(result: &Value) -> Vec<(&str, &str, u64)> {
    let findings = result["findings"].as_array().into_iter().flatten();
    findings
        .map(|one| {
            let count = one["count"].as_u64().unwrap_or(0);
            (text(&one["id"]), text(&one["severity"]), count)
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `module.scenario.json.gz`, with a number for a scenario that watches more than once.
fn free_file(folder: &Path, scenario: &str) -> PathBuf {
    let name = scenario.replace("::", ".");
    let numbered = (2..).map(|number| format!("{name}.{number}.json.gz"));
    std::iter::once(format!("{name}.json.gz"))
        .chain(numbered)
        .map(|file| folder.join(file))
        .find(|path| !path.exists())
        .unwrap()
}
