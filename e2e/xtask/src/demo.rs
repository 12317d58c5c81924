//! Builds and runs the demo.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;
use crate::machine::Machine;
use crate::setup::{self, Need};
use crate::suites;
use crate::workspace::Workspace;

const NEEDS: [Need; 3] = [Need::Ebpf, Need::Namespaces, Need::ControlPlane];

#[derive(Args)]
pub struct DemoArgs {
    /// Set up what is missing without asking
    #[arg(long)]
    yes: bool,
}

/// `cargo xtask demo`: becomes the demo, so that Ctrl-C reaches it and it cleans up after itself.
pub fn demo(workspace: &Workspace, args: &DemoArgs) -> Result<ExitCode> {
    let machine = Machine::look();
    if let Some(why) = &machine.no_live_tests {
        bail!("the demo makes faults in network namespaces: {why}");
    }
    let outcome = setup::set_up(workspace, &machine, &NEEDS, args.yes)?;
    if let Some(why) = NEEDS.iter().find_map(|need| outcome.lack(*need)) {
        bail!("the demo cannot be set up: {why}");
    }
    eprintln!("building agent, controller and demo ..");
    let packages = ["netdiag-agent", "netdiag-controller", "netdiag-e2e"];
    let built = build::binaries(workspace, &packages)?;
    let mut command = workspace.command(built.required_binary("netdiag-demo")?);
    command.envs(built.environment());
    command.envs(suites::environment(workspace, &NEEDS)?);
    Err(command.exec()).context("failed to run the demo")
}
