//! Formatting and clippy, with warnings as errors.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;

use crate::build;
use crate::job::{Ended, Job};
use crate::setup;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The checks by name, in the order they run. `ebpf` must be what the build was told.
pub fn checks(workspace: &Workspace, ebpf: bool) -> Result<[(&'static str, Command); 2]> {
    let mut fmt = workspace.cargo();
    fmt.args(["fmt", "--all", "--check"]);
    let mut clippy = workspace.cargo();
    clippy.args(["clippy", "--workspace", "--exclude", "netdiag-ebpf"]);
    build::agent_setting(workspace, &mut clippy, ebpf)?;
    clippy.args(["--all-targets", "--locked", "--", "--deny", "warnings"]);
    Ok([("fmt", fmt), ("clippy", clippy)])
}

/// Runs one check.
pub fn run(workspace: &Workspace, name: &str, command: Command) -> Result<Ended> {
    let job = Job::new(workspace, name, command, LIMIT);
    job.run()
}

/// `cargo xtask lint`.
pub fn lint(workspace: &Workspace) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (name, command) in checks(workspace, setup::ebpf_ready(workspace))? {
        let ended = run(workspace, name, command)?;
        if ended.success {
            eprintln!("{name}: ok ({:.1} s)", ended.took.as_secs_f64());
        } else {
            eprintln!("{}\n{name}: FAILED", ended.excerpt());
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
