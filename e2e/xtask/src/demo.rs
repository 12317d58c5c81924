//! Builds and runs the demo.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::machine::Machine;
use crate::setup;
use crate::suites::{self, Suite};
use crate::workspace::Workspace;

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
    let failure = "the demo cannot be set up";
    setup::require(workspace, &machine, Suite::Live.needs(), args.yes, failure)?;
    eprintln!("building agent, controller and demo ..");
    let mut command = suites::program(workspace, "netdiag-demo", Suite::Live)?;
    Err(command.exec()).context("failed to run the demo")
}
