//! Builds and runs the agent.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::build;
use crate::machine::Machine;
use crate::setup::{self, Need};
use crate::workspace::Workspace;

#[derive(Args)]
pub struct DiagnoseArgs {
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Arguments of `netdiag-agent diagnose`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// `cargo xtask diagnose`: becomes the agent, so its exit code is this command's.
pub fn diagnose(workspace: &Workspace, args: &DiagnoseArgs) -> Result<ExitCode> {
    let machine = Machine::look();
    let failure = "the agent's eBPF programs cannot be built";
    setup::require(workspace, &machine, &[Need::Ebpf], args.yes, failure)?;
    eprintln!("building the agent ..");
    let built = build::binaries(workspace, &["netdiag-agent"])?;
    let agent = built.required_binary("netdiag-agent")?;
    let mut command = workspace.command(agent);
    command.arg("diagnose").args(&args.arguments);
    Err(command.exec()).with_context(|| format!("failed to run {}", agent.display()))
}
