//! Keeps what passed scenarios recorded in the folders of the checks, where fast tests replay it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::results::{Results, Verdict};
use crate::workspace::Workspace;

const DETECTORS: &str = "agent/diagnosis/src/detectors";
/// The ending of a recording's name. Before it stand module and scenario, joined by a full stop, then a number if the
/// scenario watched more than once.
const ENDING: &str = ".json.gz";

/// The folder for the recordings of a kernel with this release: the first two numbers, and `-rt` where it is a real-time
/// one.
pub fn folder_of(release: &str) -> String {
    let series: Vec<_> = release.splitn(3, '.').take(2).collect();
    let flavour = if release.contains("-rt-") { "-rt" } else { "" };
    format!("{}{flavour}", series.join("."))
}

/// Copies the recordings of passed scenarios from these folders to `DETECTORS/<check>/testdata/<kernel>/`.
pub fn keep(
    workspace: &Workspace,
    kernel: &str,
    results: &Results,
    folders: &[PathBuf],
) -> Result<()> {
    let scenarios = results.scenarios.iter();
    let passed: BTreeSet<&str> = scenarios
        .filter(|scenario| scenario.verdict == Verdict::Passed)
        .map(|scenario| scenario.name.as_str())
        .collect();
    let detectors = workspace.root.join(DETECTORS);
    let mut kept = 0;
    for folder in folders {
        for check in fs::read_dir(folder).with_context(|| format!("failed to read {folder:?}"))? {
            let check = check.context("failed to read a folder")?;
            let detector = detectors.join(check.file_name());
            ensure!(
                detector.is_dir(),
                "no check has the folder {detector:?}: see e2e/tests/suite/scenarios/registry.rs"
            );
            let testdata = detector.join("testdata").join(kernel);
            kept += copy(&check.path(), &testdata, &passed)?;
        }
    }
    eprintln!("kept {kept} recordings of {kernel} in {DETECTORS}");
    Ok(())
}

fn copy(from: &Path, to: &Path, passed: &BTreeSet<&str>) -> Result<usize> {
    fs::create_dir_all(to).with_context(|| format!("failed to create {to:?}"))?;
    let mut kept = 0;
    for file in fs::read_dir(from).with_context(|| format!("failed to read {from:?}"))? {
        let file = file.context("failed to read a folder")?;
        let name = file.file_name();
        let scenario = name.to_str().and_then(scenario_of);
        if scenario.is_some_and(|scenario| passed.contains(scenario.as_str())) {
            let to = to.join(&name);
            let recording = fs::read(file.path()).context("failed to read a recording")?;
            // Not as a copy: an agent's recordings are only for their owner.
            fs::write(&to, recording).with_context(|| format!("failed to write {to:?}"))?;
            kept += 1;
        }
    }
    Ok(kept)
}

/// The scenario that a recording's file name tells.
fn scenario_of(file: &str) -> Option<String> {
    let mut parts = file.strip_suffix(ENDING)?.split('.');
    let (module, scenario) = (parts.next()?, parts.next()?);
    Some(format!("{module}::{scenario}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_after_its_scenario() {
        let of = |name| scenario_of(name);
        assert_eq!(of("nics.vlan.json.gz").as_deref(), Some("nics::vlan"));
        assert_eq!(of("nics.vlan.2.json.gz").as_deref(), Some("nics::vlan"));
        assert_eq!(of("nics.vlan.tmp"), None);
    }
}
