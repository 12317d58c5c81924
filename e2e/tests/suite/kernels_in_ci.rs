//! The set of scenarios that CI boots is complete: each scenario stands in it, and it shows each cause.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netdiag_agent::recording;
use netdiag_diagnosis::causes::CHECKS;

const SET: &str = include_str!("../../kernels-in-ci.txt");
const DETECTORS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../agent/diagnosis/src/detectors"
);

/// The kernels that the set names for each scenario.
fn set() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = SET.lines().filter(|line| !line.starts_with(['#', '-']));
    let mut set = BTreeMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let twice = set.insert(name, words.collect());
        assert!(twice.is_none(), "{name} stands twice");
    }
    set
}

/// The causes of the list, without those that the file says no guest shows.
fn listed() -> BTreeSet<String> {
    let causes = CHECKS.iter().flat_map(|check| check.causes);
    let mut listed: BTreeSet<_> = causes.map(|cause| format!("{cause:?}")).collect();
    for line in SET.lines().filter_map(|line| line.strip_prefix("- ")) {
        let (cause, _why) = line.split_once(": ").unwrap();
        assert!(listed.remove(cause), "{cause} is no cause");
    }
    listed
}

/// The names of all scenarios, as this program lists them.
fn scenarios() -> BTreeSet<String> {
    let mut list = Command::new(std::env::current_exe().unwrap());
    list.args(["--list", "--ignored", "--format", "terse"]);
    let list = String::from_utf8(list.output().unwrap().stdout).unwrap();
    let name = |line: &str| {
        let name = line.strip_prefix("kernels::")?.strip_suffix(": test")?;
        Some(name.to_owned())
    };
    list.lines().filter_map(name).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path())
}

/// The causes that each recording of a guest shows, by scenario and kernel; of those that the kernel names only the
/// ones that were worth a warning, because accidents are among the others.
fn shown() -> BTreeMap<(String, String), BTreeSet<String>> {
    let listed = listed();
    let guests: BTreeSet<_> = set().into_values().flatten().collect();
    let kernels = entries(Path::new(DETECTORS)).flat_map(|check| entries(&check.join("testdata")));
    let mut shown: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for folder in kernels.filter(|path| path.is_dir()) {
        let kernel = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !guests.contains(kernel.as_str()) {
            continue;
        }
        for file in entries(&folder) {
            let scenario = recording::read(&file).unwrap().header.scenario.unwrap();
            let causes = scenario.findings.into_iter().filter_map(|one| {
                let name = format!("{}/{}", one.check, one.cause);
                (one.severity != "Info" || listed.contains(&name)).then_some(name)
            });
            let key = (scenario.name, kernel.clone());
            shown.entry(key).or_default().extend(causes);
        }
    }
    shown
}

#[test]
fn each_scenario_stands_in_the_set_with_a_kernel() {
    let set = set();
    for (scenario, kernels) in &set {
        assert!(!kernels.is_empty(), "{scenario} runs on no kernel");
    }
    let named: BTreeSet<_> = set.into_keys().map(str::to_owned).collect();
    assert_eq!(named, scenarios());
}

#[test]
fn each_cause_is_shown_in_ci() {
    let (set, shown) = (set(), shown());
    let in_ci = |(scenario, kernel): &(String, String)| {
        set.get(scenario.as_str())
            .is_some_and(|kernels| kernels.contains(&kernel.as_str()))
    };
    let covered: BTreeSet<_> = shown
        .iter()
        .filter(|(key, _)| in_ci(key))
        .flat_map(|(_, causes)| causes.clone())
        .collect();
    let mut all = listed();
    all.extend(shown.into_values().flatten());
    let uncovered: Vec<_> = all.difference(&covered).collect();
    assert!(uncovered.is_empty(), "{uncovered:?}");
}
