//! The recordings of the project's scenarios, made by `cargo xtask test-vm --record` on real kernels.
//!
//! When a detector has changed on purpose, `UPDATE_RECORDINGS=1 cargo test -p netdiag-agent recording` writes what it
//! finds now into their headers.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use netdiag_diagnosis::{
    EvidenceWindow, Settings, diagnose, evidence::LinkStats, ledger::LedgerEntry,
};

use super::{ExpectedFinding, Header, Recording, read, write};

/// `<check>/testdata/<kernel>/<scenario>.json.gz`.
const DETECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/diagnosis/src/detectors");
const ENDING: &str = ".json.gz";

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new(); // a check without recordings
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn files() -> Vec<PathBuf> {
    let checks = entries(Path::new(DETECTORS)).into_iter();
    let kernels = checks.flat_map(|check| entries(&check.join("testdata")));
    let files = kernels.flat_map(|kernel| entries(&kernel));
    files
        .filter(|file| file.to_string_lossy().ends_with(ENDING))
        .collect()
}

/// Every recording with its file.
pub(super) fn recordings() -> impl Iterator<Item = (PathBuf, Recording)> {
    let read = |file: PathBuf| {
        let recording = read(&file).unwrap_or_else(|error| panic!("{error}"));
        (file, recording)
    };
    files().into_iter().map(read)
}

pub(super) fn findings(evidence: &EvidenceWindow) -> Vec<ExpectedFinding> {
    ExpectedFinding::all_of(&diagnose(evidence, &Settings::default()))
}

/// Names the part that a recording of a scenario lacks, if any.
fn lacks(file: &Path, header: &Header) -> Option<String> {
    let name = |path: Option<&Path>| {
        let name = path.and_then(Path::file_name).unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let kernel = name(file.parent());
    let Some(scenario) = &header.scenario else {
        return Some("a scenario".to_owned());
    };
    let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let stem = name(Some(file));
    let of_kernel = header
        .kernel
        .strip_prefix(&kernel)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    let missing = [
        (of_kernel, "the release of its folder's kernel"),
        (
            header.btf_sha256.as_ref().is_some_and(is_hash),
            "a hash of the kernel's types",
        ),
        (
            stem.starts_with(&format!("{}.", scenario.name.replace("::", "."))),
            "its scenario's name",
        ),
        (!scenario.counters.is_empty(), "the kernel's counters"),
        (!header.anonymised, "the names that its scenario gave"),
    ];
    missing
        .into_iter()
        .find(|(there, _)| !there)
        .map(|(_, what)| what.to_owned())
}

#[test]
fn every_recorded_scenario_says_what_it_is() {
    let lacking: Vec<String> = recordings()
        .filter_map(|(file, recording)| {
            let what = lacks(&file, &recording.header)?;
            Some(format!("{} lacks {what}", file.display()))
        })
        .collect();
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn every_recorded_scenario_gives_the_findings_that_its_test_approved_of() {
    let update = std::env::var_os("UPDATE_RECORDINGS").is_some();
    let mut wrong = Vec::new();
    for (file, mut recording) in recordings() {
        let found = findings(&recording.evidence);
        let Some(scenario) = &mut recording.header.scenario else {
            continue; // told by another test
        };
        if found == scenario.findings {
            continue;
        }
        if update {
            scenario.findings = found;
            write(&file, &recording).unwrap();
        } else {
            let only = |these: &[ExpectedFinding], those: &[ExpectedFinding]| {
                let others = these.iter().filter(|one| !those.contains(one));
                others
                    .map(|one| format!("\n    {one:?}"))
                    .collect::<String>()
            };
            wrong.push(format!(
                "{}:\n  no more: {}\n  new: {}",
                file.display(),
                only(&scenario.findings, &found),
                only(&found, &scenario.findings)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Findings without their subjects, whose names were replaced.
fn nameless(evidence: &EvidenceWindow) -> Vec<(String, String, String, u64)> {
    let mut all: Vec<_> = findings(evidence)
        .into_iter()
        .map(|one| (one.check, one.cause, one.severity, one.count))
        .collect();
    all.sort();
    all
}

#[test]
fn an_anonymised_scenario_gives_the_same_findings() {
    for (file, recording) in recordings() {
        let before = nameless(&recording.evidence);
        let ledger = diagnose(&recording.evidence, &Settings::default()).ledger;
        let new = recording.anonymised(42);
        assert_eq!(nameless(&new.evidence), before, "{}", file.display());
        let new_ledger = diagnose(&new.evidence, &Settings::default()).ledger;
        let numbers = |entries: &[LedgerEntry]| -> Vec<_> {
            let numbers = entries
                .iter()
                .map(|entry| (entry.increase, entry.unexplained));
            numbers.collect()
        };
        assert_eq!(numbers(&new_ledger), numbers(&ledger), "{}", file.display());
    }
}

#[test]
fn an_anonymised_scenario_names_nobody() {
    for (file, recording) in recordings() {
        let old = &recording.evidence;
        let mut secrets: BTreeSet<String> = BTreeSet::new();
        for namespace in &old.namespaces {
            secrets.extend(namespace.name.clone());
            let pod = namespace.pod.iter();
            secrets.extend(pod.flat_map(|pod| [format!("name\":\"{}", pod.name), pod.uid.clone()]));
            for address in &namespace.addresses {
                if let IpAddr::V4(address) = address.address
                    && !address.is_loopback()
                {
                    secrets.insert(address.to_string());
                    let octets = address.octets();
                    secrets.insert(octets.map(|octet| format!("{octet:02x}")).concat());
                }
            }
        }
        let stations = old.links().iter().filter_map(|link| link.address.clone());
        secrets.extend(stations.filter(|address| address != "00:00:00:00:00:00"));
        let text = serde_json::to_string(&recording.anonymised(42).evidence).unwrap();
        for secret in secrets {
            let found = text.contains(&format!("\"{secret}\""))
                || (secret.len() >= 8 && text.contains(&secret));
            assert!(!found, "{}: {secret} is still there", file.display());
        }
    }
}

/// The agent's window lies within the time between the test's readings, so no counter can have risen by more.
#[test]
fn the_evidence_of_a_scenario_agrees_with_the_kernels_counters() {
    type Counter = fn(&LinkStats) -> u64;
    let counters: [(&str, Counter); 3] = [
        ("rx_dropped", |stats| stats.rx_dropped),
        ("tx_dropped", |stats| stats.tx_dropped),
        ("rx_nohandler", |stats| stats.rx_nohandler),
    ];
    let mut compared = 0;
    for (file, recording) in recordings() {
        let evidence = &recording.evidence;
        let scenario = recording.header.scenario.unwrap_or_default();
        let node = evidence.node_namespace().map(|node| node.id);
        for link in evidence
            .links()
            .iter()
            .filter(|link| Some(link.netns) == node)
        {
            for (name, counter) in counters {
                let key = format!("node {} {name}", link.name);
                let Some(increase) = scenario.counters.get(&key) else {
                    continue; // the device was gone when the test read it
                };
                let seen = link.increase(counter);
                assert!(seen <= *increase, "{}: {key} {seen}", file.display());
                compared += 1;
            }
        }
    }
    assert!(compared >= files().len(), "{compared} counters");
}

#[test]
fn a_recording_without_a_complete_header_is_refused() {
    let file = Path::new("/d/link_mtu/testdata/6.1/faults.veth.json.gz");
    let mut header = Header {
        kernel: "6.1.0-56-cloud-amd64".to_owned(),
        btf_sha256: Some("0".repeat(64)),
        ..Header::default()
    };
    assert_eq!(lacks(file, &header).as_deref(), Some("a scenario"));
    let mut scenario = super::Scenario {
        name: "faults::veth".to_owned(),
        ..super::Scenario::default()
    };
    header.scenario = Some(scenario.clone());
    let what = lacks(file, &header);
    assert_eq!(what.as_deref(), Some("the kernel's counters"));
    scenario
        .counters
        .insert("node eth0 rx_dropped".to_owned(), 0);
    header.scenario = Some(scenario);
    assert_eq!(lacks(file, &header), None);

    for (change, what) in [
        (
            (|header: &mut Header| header.kernel = "6.12.1".to_owned()) as fn(&mut Header),
            "the release",
        ),
        (|header| header.btf_sha256 = None, "a hash"),
        (
            |header| header.scenario = Some(super::Scenario::default()),
            "its scenario's name",
        ),
        (|header| header.anonymised = true, "the names"),
    ] {
        let mut header = header.clone();
        change(&mut header);
        let lacks = lacks(file, &header).unwrap();
        assert!(lacks.starts_with(what), "{lacks}");
    }
}
