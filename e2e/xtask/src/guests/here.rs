//! The scenarios on the running kernel, as far as it can show them without a guest: another kernel to record.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::results::Results;
use super::{programs, recordings};
use crate::build::Built;
use crate::job::Job;
use crate::machine::Machine;
use crate::workspace::Workspace;

/// The scenarios have the kernel count drops by itself, in a file system that is not mounted everywhere.
const WITH_TRACEFS: &str = "mount -t tracefs tracefs /sys/kernel/tracing && exec \"$@\"";
/// For one scenario.
const LIMIT: Duration = Duration::from_secs(3 * 60);

/// Runs the scenarios with `filter` in their names one after the other. Most of those that fail need a guest's devices
/// or modules, so a failure fails nothing.
pub fn run(
    workspace: &Workspace,
    machine: &Machine,
    built: &Built,
    filter: &str,
    record: bool,
) -> Result<ExitCode> {
    if let Some(why) = &machine.no_live_tests {
        bail!("scenarios cannot run here: {why}");
    }
    let folder = workspace.run_folder().join("recordings");
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {folder:?}"))?;
    let mut results = Results::default();
    for name in programs::scenarios(workspace, built, filter)? {
        let mut command = workspace.command("unshare");
        command.args(["--mount", "sh", "-c", WITH_TRACEFS, "sh"]);
        command.arg(programs::suite(built)?);
        command.args(["--ignored", "--exact", "--test-threads=1", "--show-output"]);
        command.arg(format!("kernels::{name}"));
        command.envs(built.environment());
        command.env("NETDIAG_RECORDINGS", &folder);
        let job = Job::new(workspace, &name, command, LIMIT);
        let ended = job.run()?;
        let log = fs::read(&ended.log).context("failed to read a log")?;
        results.add(Results::read(&String::from_utf8_lossy(&log)));
        let word = if ended.success { "ok" } else { "not here" };
        println!("{name}: {word}");
    }
    if record {
        recordings::keep(workspace, &kernel()?, &results, &[folder])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder for recordings of the running kernel.
fn kernel() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/osrelease");
    let release = fs::read_to_string(path).context("failed to read the kernel's release")?;
    Ok(recordings::folder_of(&release))
}
