//! Leaves what the agent recorded, with what the scenario knows about it, for the fast tests of the detectors.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use netdiag_agent::recording::{self, ExpectedFinding, Scenario};
use netdiag_diagnosis::{Settings, diagnose};
use netdiag_e2e::lab::Watched;
use serde_json::Value;

/// Where the recordings go; without it none are left.
const FOLDER: &str = "NETDIAG_RECORDINGS";

/// Which check's folder a scenario's recording belongs to, by the beginning of its name. A module that is not here is
/// named after its check.
const CHECKS: [(&str, &str); 17] = [
    ("bonds", "unhandled_protocol"),
    ("checksums", "checksum_drop"),
    ("driver_messages", "driver_checksum"),
    ("drops::full_backlog", "receive_overrun"),
    ("drops", "other_drop"),
    ("fragments", "fragment_reassembly"),
    ("nics", "unhandled_protocol"),
    ("faults::checksum", "checksum_drop"),
    ("faults::lldp", "unhandled_protocol"),
    ("faults::veth", "link_mtu"),
    ("segment_routing", "segment_offload"),
    ("stacked", "fragment_reassembly"),
    ("tap", "tap_queue_drop"),
    ("twins::capture", "promiscuity"),
    ("twins::healthy_pods", "checksum_drop"),
    ("twins::real_corruption", "checksum_drop"),
    ("twins", "other_drop"),
];

/// Copies a recording, and writes into its header what made it and how much the kernel's counters rose.
#[track_caller]
pub fn keep(watched: &Watched, counters: BTreeMap<String, u64>) {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let thread = thread::current();
    let name = thread
        .name()
        .and_then(|name| name.strip_prefix("kernels::"));
    let name = name.unwrap_or_else(|| panic!("{:?} is no scenario", thread.name()));
    let mut recording = recording::read(&watched.recording).unwrap();
    let diagnosis = diagnose(&recording.evidence, &Settings::default());
    let replayed = diagnosis.findings.iter();
    let replayed: Vec<_> = replayed
        .map(|one| (one.id.as_str(), one.severity.as_str(), one.count))
        .collect();
    let result = &watched.report["status"]["results"][0];
    assert_eq!(replayed, said(result), "a replay finds the same");
    recording.header.scenario = Some(Scenario {
        name: name.to_owned(),
        counters,
        findings: ExpectedFinding::all_of(&diagnosis),
    });
    let folder = Path::new(&folder).join(check_of(name));
    fs::create_dir_all(&folder).unwrap();
    recording::write(&free_file(&folder, name), &recording).unwrap();
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

fn check_of(scenario: &str) -> &str {
    let listed = CHECKS.iter().find(|(begin, _)| scenario.starts_with(begin));
    let module = || scenario.split("::").next().unwrap_or(scenario);
    listed.map_or_else(module, |(_, check)| check)
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
