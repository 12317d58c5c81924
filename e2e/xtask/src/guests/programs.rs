//! The file system with the programs under test and the guest's init.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{self, Built};
use crate::job::run_quietly;
use crate::workspace::Workspace;

/// Makes the image in `folder`.
pub fn image(workspace: &Workspace, built: &Built, folder: &Path) -> Result<PathBuf> {
    let tree = folder.join("programs");
    fs::create_dir_all(&tree).with_context(|| format!("failed to create {tree:?}"))?;
    let agent = built.required_binary("netdiag-agent")?;
    let lab = built.required_binary("netdiag-lab")?;
    for (program, name) in [
        (agent.as_path(), "netdiag-agent"),
        (lab, "netdiag-lab"),
        (suite(built)?, "suite"),
    ] {
        build::strip(workspace, program, &tree.join(name))?;
    }
    let init = workspace.root.join("e2e/guest/init");
    fs::copy(&init, tree.join("init")).with_context(|| format!("failed to copy {init:?}"))?;
    let image = folder.join("programs.ext4");
    let mut make = workspace.command("mke2fs");
    make.args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"]);
    run_quietly(make.arg(&tree).arg(&image).arg("400M"))?;
    Ok(image)
}

/// The names of all scenarios with `filter`, or one of its parts between commas, in them, without the module that they have in common.
pub fn scenarios(workspace: &Workspace, built: &Built, filter: &str) -> Result<Vec<String>> {
    let mut list: Command = workspace.command(suite(built)?);
    list.args(["--list", "--ignored", "--format", "terse"]);
    let output = list
        .output()
        .context("failed to start the end-to-end tests")?;
    if !output.status.success() {
        bail!("the end-to-end tests do not list themselves");
    }
    let names = scenarios_in(&String::from_utf8_lossy(&output.stdout), filter);
    if names.is_empty() {
        bail!("no scenario has {filter:?} in its name");
    }
    Ok(names)
}

fn scenarios_in(list: &str, filter: &str) -> Vec<String> {
    list.lines()
        .filter_map(|line| {
            line.strip_prefix("kernels::")?
                .strip_suffix(": test")
                .map(str::to_owned)
        })
        .filter(|name| filter.split(',').any(|part| name.contains(part)))
        .collect()
}

/// The program with the scenarios.
pub fn suite(built: &Built) -> Result<&Path> {
    let mut executables = built.executables.iter();
    executables
        .find(|built| built.is_test && built.target == "suite")
        .map(|built| built.path.as_path())
        .context("the build made no end-to-end tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_any_part_of_their_name() {
        let list = "apiserver::wrong_spec: test\nkernels::bonds::lldp: test\n\
            kernels::nics::lldp: test\n\n3 tests, 0 benchmarks\n";
        assert_eq!(scenarios_in(list, ""), ["bonds::lldp", "nics::lldp"]);
        assert_eq!(scenarios_in(list, "nics"), ["nics::lldp"]);
        let both = ["bonds::lldp", "nics::lldp"];
        assert_eq!(scenarios_in(list, "nics,bonds"), both);
        assert!(scenarios_in(list, "wrong").is_empty());
    }
}
